import Platform

/// The listeners of a loop, and whether they are being listened to.
///
/// Where the process has no descriptors left, or the server as many connections as it may have, nothing is accepted for
/// a moment: what is connected goes on, and what wants to connect waits in the kernel's queue.
///
/// Thread: loop.
struct Acceptor {
    /// How long a pause lasts, unless a connection ends earlier.
    static let pause = Duration.milliseconds(100)
    /// Connections taken in one turn from one listener, so that a rush leaves time for those that are there.
    static let perTurnMax = 64
    /// Slots of listeners' cookies count down from here; connections never come near.
    private static let firstSlot = UInt32.max - 1

    private var listeners: [OpenFile]
    private(set) var pausedUntil: MonotonicTime?

    init(listeners: [OpenFile]) { self.listeners = listeners }

    var isClosed: Bool { listeners.isEmpty }
    var indices: Range<Int> { listeners.indices }

    /// The listener that an event's cookie names.
    func index(of cookie: Cookie) -> Int? {
        let index = Int(Self.firstSlot) - Int(cookie.slot)
        return listeners.indices.contains(index) ? index : nil
    }

    func listen(_ epoll: borrowing Epoll) throws(Errno) {
        for (index, listener) in listeners.enumerated() {
            try epoll.add(listener.descriptor, .read, cookie: Self.cookie(index))
        }
    }

    func accept(_ index: Int) throws(Errno) -> AcceptedSocket? { try listeners[index].descriptor.accept() }

    mutating func pause(_ epoll: borrowing Epoll, now: MonotonicTime) {
        if pausedUntil == nil { watch(epoll, []) }
        pausedUntil = now + Self.pause
    }

    mutating func resume(_ epoll: borrowing Epoll) {
        guard pausedUntil != nil else { return }
        pausedUntil = nil
        watch(epoll, .read)
    }

    /// Closes the listeners: the kernel refuses whoever comes now.
    ///
    /// Of one that was passed somebody else has a copy, where it goes on; an epoll would tell of whoever comes there, for ever.
    mutating func close(_ epoll: borrowing Epoll) {
        pausedUntil = nil
        watch(epoll, [])
        listeners = []
    }

    private func watch(_ epoll: borrowing Epoll, _ interest: Epoll.Interest) {
        for (index, listener) in listeners.enumerated() {
            // What is in the epoll can be changed; nothing but a bug makes this fail.
            do { try epoll.change(listener.descriptor, interest, cookie: Self.cookie(index)) } catch {
                preconditionFailure("cannot change what a listener is watched for: \(error)")
            }
        }
    }

    private static func cookie(_ index: Int) -> UInt64 {
        Cookie(slot: firstSlot - UInt32(index), generation: 0).rawValue
    }
}
