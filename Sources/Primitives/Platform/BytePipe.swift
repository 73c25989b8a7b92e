/// A bounded stream of bytes from a thread that never waits to one that does.
///
/// The source writes what fits and is told through `onRoom` when, after it was refused some, half of the pipe is free
/// again. The sink blocks until there are bytes, the end, or the failure that the source ended the pipe with.
/// Memory is taken with the first byte and given back at the end.
@safe package final class BytePipe<Failure: Error & Sendable>: Sendable {
    /// How the source ended the pipe.
    package enum End: Sendable {
        case complete
        case failed(Failure)
    }

    private struct State {
        var ring: [UInt8] = []
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

    /// What one read came to.
    private enum Outcome {
        case bytes(Int, announcesRoom: Bool)
        case failure(Failure)
    }

    // MARK: The source

    /// How many bytes fit now. Answering 0 counts as a refusal: `onRoom` follows.
    package func room() -> Int {
        monitor.peek { state in
            if state.isAbandoned { return .max }
            let room = capacity - state.byteCount
            if room == 0 { state.isSourceWaiting = true }
            return room
        }
    }

    /// Adds what fits of `bytes`, and wakes the sink; how many. Fewer than all counts as a refusal: `onRoom` follows.
    package func write(_ bytes: UnsafeRawBufferPointer) -> Int {
        monitor.update { state in
            if state.isAbandoned { return bytes.count }
            let taken = min(bytes.count, capacity - state.byteCount)
            if taken < bytes.count { state.isSourceWaiting = true }
            if taken == 0 { return 0 }
            Self.grow(&state, by: taken, upTo: capacity)
            let tail = (state.head + state.byteCount) % state.ring.count
            let first = min(taken, state.ring.count - tail)
            state.byteCount += taken
            unsafe state.ring.withUnsafeMutableBytes { ring in
                unsafe UnsafeMutableRawBufferPointer(rebasing: ring[tail...])
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<first]))
                unsafe ring.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[first..<taken]))
            }
            return taken
        }
    }

    /// Ends the pipe. What was written before can still be read when it ends complete; a failure overtakes it. The
    /// first end counts.
    package func finish(_ end: End) {
        monitor.update { state in
            if state.end == nil { state.end = end }
        }
    }

    // MARK: The sink

    /// Takes at most `buffer.count` bytes, waiting for the first; 0 at the end.
    package func read(into buffer: UnsafeMutableRawBufferPointer) throws(Failure) -> Int {
        if unsafe buffer.isEmpty { return 0 }
        let outcome: Outcome = monitor.wait { state -> Outcome? in
            if case .failed(let failure) = state.end { return .failure(failure) }
            if state.byteCount == 0 { return state.end == nil ? nil : .bytes(0, announcesRoom: false) }
            let taken = min(buffer.count, state.byteCount)
            let first = min(taken, state.ring.count - state.head)
            unsafe state.ring.withUnsafeBytes { ring in
                let start = state.head
                unsafe buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: ring[start..<start + first]))
                unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[first...])
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: ring[..<(taken - first)]))
            }
            state.head = (state.head + taken) % state.ring.count
            state.byteCount -= taken
            if state.byteCount == 0 {
                state.head = 0
                if state.end != nil { state.ring = [] }
            }
            let announces = state.isSourceWaiting && capacity - state.byteCount >= (capacity + 1) / 2
            if announces { state.isSourceWaiting = false }
            return .bytes(taken, announcesRoom: announces)
        }
        switch outcome {
        case .failure(let failure): throw failure
        case .bytes(let count, let announcesRoom):
            // Outside the lock: the bell may itself take one.
            if announcesRoom { onRoom() }
            return count
        }
    }

    /// The sink wants no more: what is in the pipe and what still comes is dropped.
    package func abandon() {
        let wasWaiting = monitor.update { state in
            state.isAbandoned = true
            state.ring = []
            state.head = 0
            state.byteCount = 0
            defer { state.isSourceWaiting = false }
            return state.isSourceWaiting
        }
        if wasWaiting { onRoom() }
    }

    /// Makes the ring large enough for `count` more bytes: doubling, so that a short body takes little memory.
    private static func grow(_ state: inout State, by count: Int, upTo capacity: Int) {
        let needed = state.byteCount + count
        if needed <= state.ring.count { return }
        var size = max(state.ring.count, 4096)
        while size < needed { size *= 2 }
        size = min(size, capacity)
        var ring: [UInt8] = []
        ring.reserveCapacity(size)
        // Unrolled into order, the oldest byte first.
        let first = min(state.byteCount, state.ring.count - state.head)
        ring += state.ring[state.head..<state.head + first]
        ring += state.ring[..<(state.byteCount - first)]
        ring += repeatElement(0, count: size - ring.count)
        state.ring = ring
        state.head = 0
    }
}
