/// A bounded stream of bytes from a thread that may wait to one that never does: the way out, as `BytePipe` is the way in.
///
/// The source takes a block, fills it and hands it over; there are few blocks, so a source that is ahead waits until one
/// comes back. The sink takes what is there, and is told through `onBytes` when, after it found nothing, there is something
/// again. Bytes stay where the source wrote them.
@safe package final class ByteOutlet: Sendable {
    /// What the sink found.
    package enum Found: Equatable, Sendable {
        /// There were bytes, of which so many were taken.
        case bytes(taken: Int)
        /// Not now: `onBytes` follows.
        case nothing
        /// That was all.
        case end
        /// The source has failed: what was taken is not the whole, and the rest will not come.
        case failure
    }

    private struct State {
        /// Handed over and not taken, oldest first. Few, so that taking the first is cheap.
        var filled: [(block: ByteBlock, range: Range<Int>)] = []
        var free: [ByteBlock] = []
        /// Blocks that were made.
        var blockCount = 0
        /// Whether the source has ended, and then whether that was the whole.
        var isWhole: Bool?
        var isSinkWaiting = false
        var isAbandoned = false
    }

    private let monitor = Monitor(State())
    private let blockByteCount: Int
    private let blockCountMax: Int
    private let onBytes: @Sendable () -> Void
    private let patience: Patience

    /// How long a source that is ahead waits for a sink that takes nothing.
    package struct Patience: Sendable {
        let duration: Duration
        let isWanted: @Sendable () -> Bool

        /// Each time it has waited so long for a block, the source asks whether it is to wait on; it gives up where not. Thread: the
        /// source's.
        package init(_ duration: Duration, isWanted: @escaping @Sendable () -> Bool) {
            self.duration = duration
            self.isWanted = isWanted
        }

        /// For ever.
        package static let endless = Patience(.seconds(3600)) { true }
    }

    /// - Parameters:
    ///   - blockByteCount: the size of a block; above 0.
    ///   - blockCountMax: blocks that there are at most; above 0, and 2 for both sides to work at the same time.
    ///   - onBytes: told, on the source's thread, that a sink which found nothing may look again.
    ///   - patience: how long the source waits.
    package init(
        blockByteCount: Int, blockCountMax: Int, patience: Patience = .endless, onBytes: @escaping @Sendable () -> Void
    ) {
        precondition(blockByteCount > 0 && blockCountMax > 0, "an outlet has at least one block with at least a byte")
        self.blockByteCount = blockByteCount
        self.blockCountMax = blockCountMax
        self.patience = patience
        self.onBytes = onBytes
    }

    /// Whether nobody wants any of it.
    package var isAbandoned: Bool { monitor.withLock { $0.isAbandoned } }

    // MARK: The source

    /// A block to oneself, waiting until there is one; nil where nobody wants more, or patience is at its end.
    package func takeBlock() -> ByteBlock? {
        while true {
            // Of two optionals, the outer one says whether there is an answer.
            let found = monitor.wait(until: .now + patience.duration) { state -> ByteBlock?? in
                if state.isAbandoned { return .some(nil) }
                if let block = state.free.popLast() { return block }
                if state.blockCount == blockCountMax { return nil }
                state.blockCount += 1
                return ByteBlock(byteCount: blockByteCount)
            }
            if let found { return found }
            if !patience.isWanted() { return nil }
        }
    }

    /// Hands a block over that `takeBlock` gave, with the part of it that was filled; not empty.
    package func hand(_ block: ByteBlock, _ range: Range<Int>) {
        precondition(!range.isEmpty, "what is handed over has bytes")
        let isAwaited = monitor.withLock { state in
            if state.isAbandoned { return false }
            state.filled.append((block, range))
            return Self.wake(&state)
        }
        // Outside the lock: the bell may itself take one.
        if isAwaited { onBytes() }
    }

    /// Ends the stream. What was handed over is still taken where it is whole; a failure overtakes it. The first end counts.
    package func finish(isWhole: Bool) {
        let isAwaited = monitor.withLock { state in
            if state.isWhole == nil { state.isWhole = isWhole }
            return Self.wake(&state)
        }
        if isAwaited { onBytes() }
    }

    private static func wake(_ state: inout State) -> Bool {
        defer { state.isSinkWaiting = false }
        return state.isSinkWaiting
    }

    // MARK: The sink

    /// What stands at the front.
    private enum Next { case bytes(ByteBlock, Range<Int>), other(Found) }

    /// Lends the next bytes to `body`, in place, which says how many of them it took. Never waits.
    ///
    /// - Parameter byteCountMax: no more are lent; above 0.
    /// - Throws: what `body` throws; then nothing was taken.
    package func take<Failure: Error>(
        atMost byteCountMax: Int, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Int
    ) throws(Failure) -> Found {
        let next: Next = monitor.withLock { state in
            if state.isWhole == false { return .other(.failure) }
            if let first = state.filled.first { return .bytes(first.block, first.range) }
            if state.isWhole == true { return .other(.end) }
            state.isSinkWaiting = true
            return .other(.nothing)
        }
        let block: ByteBlock
        let range: Range<Int>
        switch next {
        case .other(let found): return found
        case .bytes(let first, let part): (block, range) = (first, part)
        }
        // Only this thread takes from the front, so the block stays there meanwhile.
        let count = try unsafe body(block.bytes(range.prefix(byteCountMax)))
        precondition(count >= 0 && count <= range.count, "no more can be taken than there is")
        if count == range.count {
            monitor.update { state in
                state.filled.removeFirst()
                state.free.append(block)
            }
        } else if count > 0 {
            monitor.withLock { $0.filled[0].range = range.dropFirst(count) }
        }
        return .bytes(taken: count)
    }

    /// Nobody wants more: what was handed over is dropped, and a source that waits, or asks for another block, finds out.
    /// Thread: the sink's.
    package func abandon() {
        monitor.update { state in
            state.isAbandoned = true
            state.filled = []
            state.free = []
        }
    }
}
