/// Names one connection of a loop: where it stands, and which of those that stood there it is.
struct Cookie: Hashable, Sendable {
    let slot: UInt32
    let generation: UInt32

    init(slot: UInt32, generation: UInt32) {
        self.slot = slot
        self.generation = generation
    }

    /// As it travels through epoll.
    init(rawValue: UInt64) { self.init(slot: UInt32(truncatingIfNeeded: rawValue), generation: UInt32(rawValue >> 32)) }
    var rawValue: UInt64 { UInt64(generation) << 32 | UInt64(slot) }
}

/// What other threads tell a loop. A cookie whose connection has gone makes a message void.
enum LoopMessage: Sendable {
    /// A handler has answered.
    case replied(Cookie, Response)
    /// A handler reads the body for the first time.
    case bodyWanted(Cookie)
    /// There is room again in a body's pipe that was full.
    case bodyRoom(Cookie)
    /// A part of a file that an answer waits for is in memory.
    case fileRead(Cookie)
    /// There is more of a stream that an answer waits for, or its end.
    case bytesMade(Cookie)
    /// Answers may have lost what they rest on.
    case permitsChanged
    /// The same; to be called when all have been asked.
    case permitsAsked(@Sendable () -> Void)
    /// Whether it goes round; to be called where it does, and nothing else.
    case asked(@Sendable () -> Void)
    /// Accept no more, finish what has begun, and end.
    case drain
    /// End now.
    case stop
}
