/// A bounded stream of bytes from a thread that never waits to one that does.
///
/// The source writes what fits and is told through `onRoom` when, after it was refused some, half of the pipe is free
/// again. The sink blocks until there are bytes, the end, or the failure that the source ended the pipe with.
///
/// The bytes lie in a ring. Each side has its own part of it to itself, the source what is free and the sink what is
/// filled, so both work in place and outside the lock (`fill`, `take`): a body is received into the very memory that it is
/// hashed in. The ring is taken with the first byte and given back with the pipe; only its pages that were used take memory.
@safe package final class BytePipe<Failure: Error & Sendable>: Sendable {
    /// How the source ended the pipe.
    package enum End: Sendable {
        case complete
        case failed(Failure)
    }

    private struct State {
        var ring: ByteBlock?
        var head = 0
        var byteCount = 0
        var end: End?
        var isSourceWaiting = false
        /// The sink has gone away: whatever comes is dropped.
        var isAbandoned = false
    }

    private let monitor = Monitor(State())
    private let onRoom: @Sendable () -> Void
    /// Bytes that the pipe holds at most.
    package let capacity: Int

    /// - Parameters:
    ///   - capacity: bytes that it holds at most; above 0.
    ///   - onRoom: told, on the sink's thread, that a source which was refused may write again.
    package init(capacity: Int, onRoom: @escaping @Sendable () -> Void) {
        precondition(capacity > 0, "a pipe holds at least a byte")
        self.capacity = capacity
        self.onRoom = onRoom
    }

    // MARK: The source

    /// How many bytes fit now. Answering 0 counts as a refusal: `onRoom` follows.
    package func room() -> Int {
        monitor.withLock { state in
            if state.isAbandoned { return .max }
            let room = capacity - state.byteCount
            if room == 0 { state.isSourceWaiting = true }
            return room
        }
    }

    /// Lends free memory in one piece to `body`, which writes to its front and returns how many bytes; the same is
    /// returned here, and the sink woken. The piece ends where the ring does, so there may be more room behind it.
    ///
    /// - Parameter byteCountMax: the piece has no more; above 0.
    /// - Returns: nil where `body` was not called, since nothing is free (a refusal: `onRoom` follows) or nobody reads.
    package func fill(
        atMost byteCountMax: Int, _ body: (UnsafeMutableRawBufferPointer) -> Int
    ) -> Int? {
        // The part that is free now stays so until this very thread fills it.
        let lent: (ring: ByteBlock, range: Range<Int>)? = monitor.withLock { state in
            if state.isAbandoned { return nil }
            guard state.byteCount < capacity else {
                state.isSourceWaiting = true
                return nil
            }
            let ring = state.ring ?? ByteBlock(byteCount: capacity)
            state.ring = ring
            let tail = (state.head + state.byteCount) % capacity
            let end = tail < state.head ? state.head : capacity
            return (ring, tail..<min(end, tail + byteCountMax))
        }
        guard let lent else { return nil }
        let count = unsafe body(lent.ring.memory(lent.range))
        precondition(count >= 0 && count <= lent.range.count, "no more can be written than there is room")
        if count > 0 { monitor.update { state in if !state.isAbandoned { state.byteCount += count } } }
        return count
    }

    /// Adds what fits of `bytes`, and wakes the sink; how many. Fewer than all counts as a refusal: `onRoom` follows.
    /// An abandoned pipe takes everything, and drops it.
    package func write(_ bytes: UnsafeRawBufferPointer) -> Int {
        var written = 0
        while written < bytes.count {
            let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[written...])
            let count = unsafe fill(atMost: rest.count) { room in
                unsafe room.copyMemory(from: UnsafeRawBufferPointer(rebasing: rest[..<room.count]))
                return room.count
            }
            guard let count else { return monitor.withLock { $0.isAbandoned } ? bytes.count : written }
            written += count
        }
        return written
    }

    /// Ends the pipe. What was written before can still be read when it ends complete; a failure overtakes it. The
    /// first end counts.
    package func finish(_ end: End) {
        monitor.update { state in
            if state.end == nil { state.end = end }
        }
    }

    // MARK: The sink

    /// What the sink finds.
    private enum Found {
        case bytes(ByteBlock, Range<Int>)
        case end
        case failure(Failure)
    }

    /// Lends the next bytes to `body`, in place, waiting for the first of them; they count as taken when it returns, and
    /// also when it throws.
    ///
    /// - Parameter byteCountMax: no more are lent; above 0.
    /// - Returns: how many were lent; 0 at the end, where `body` is not called.
    /// - Throws: the failure that the pipe ended with, as `failed`; what `body` throws, as it is.
    package func take<BodyFailure: Error>(
        atMost byteCountMax: Int = .max, failed: (Failure) -> BodyFailure,
        _ body: (UnsafeRawBufferPointer) throws(BodyFailure) -> Void
    ) throws(BodyFailure) -> Int {
        let found: Found = monitor.wait { state -> Found? in
            if case .failed(let failure) = state.end { return .failure(failure) }
            if state.isAbandoned { return .end }
            guard state.byteCount > 0, let ring = state.ring else { return state.end == nil ? nil : .end }
            let count = min(state.byteCount, capacity - state.head, byteCountMax)
            return .bytes(ring, state.head..<(state.head + count))
        }
        switch found {
        case .end: return 0
        case .failure(let failure): throw failed(failure)
        case .bytes(let ring, let range):
            defer { taken(range.count) }
            try unsafe body(UnsafeRawBufferPointer(ring.memory(range)))
            return range.count
        }
    }

    private func taken(_ count: Int) {
        let announcesRoom = monitor.withLock { state in
            // Abandoned meanwhile: there is nothing to count any more.
            if state.isAbandoned { return false }
            state.head = (state.head + count) % capacity
            state.byteCount -= count
            let announces = state.isSourceWaiting && capacity - state.byteCount >= (capacity + 1) / 2
            if announces { state.isSourceWaiting = false }
            return announces
        }
        // Outside the lock: the bell may itself take one.
        if announcesRoom { onRoom() }
    }

    /// Copies at most `buffer.count` bytes, waiting for the first; 0 at the end.
    package func read(into buffer: UnsafeMutableRawBufferPointer) throws(Failure) -> Int {
        if unsafe buffer.isEmpty { return 0 }
        return try unsafe take(atMost: buffer.count, failed: { $0 }) { bytes throws(Failure) in
            unsafe buffer.copyMemory(from: bytes)
        }
    }

    /// Nobody wants more: what is in the pipe and what still comes is dropped, and a sink that reads on finds the end. Called
    /// from either side.
    package func abandon() {
        let wasWaiting = monitor.update { state in
            state.isAbandoned = true
            state.ring = nil
            state.head = 0
            state.byteCount = 0
            defer { state.isSourceWaiting = false }
            return state.isSourceWaiting
        }
        if wasWaiting { onRoom() }
    }
}
