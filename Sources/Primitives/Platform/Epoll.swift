import CLinux

/// An epoll(7) instance: which descriptors are ready.
package struct Epoll: ~Copyable {
    private let descriptor: FileDescriptor

    /// What to be told of.
    package struct Interest: OptionSet, Sendable {
        package let rawValue: UInt32
        package init(rawValue: UInt32) { self.rawValue = rawValue }
        package static let read = Interest(rawValue: clinux_epollin | clinux_epollrdhup)
        /// Only that the peer will send no more.
        package static let halfClosed = Interest(rawValue: clinux_epollrdhup)
        package static let write = Interest(rawValue: clinux_epollout)
        /// Told once when a state begins, not as long as it lasts.
        package static let edge = Interest(rawValue: clinux_epollet)
    }

    /// One readiness: the cookie given at `add`, and what is ready.
    package struct Event: Sendable {
        package let cookie: UInt64
        private let flags: UInt32
        init(_ raw: clinux_event) {
            cookie = raw.cookie
            flags = raw.events
        }
        package var isReadable: Bool { flags & clinux_epollin != 0 }
        package var isWritable: Bool { flags & clinux_epollout != 0 }
        /// The peer will send no more; it may still read.
        package var isHalfClosed: Bool { flags & clinux_epollrdhup != 0 }
        /// The connection is gone in both directions, or broken.
        package var isBroken: Bool { flags & (clinux_epollhup | clinux_epollerr) != 0 }
    }

    package init() throws(SystemError) {
        descriptor = FileDescriptor(owning: try attempt("make", "an epoll") { clinux_epoll_create() })
    }

    /// Watches a descriptor. The kernel forgets it when its last copy is closed.
    package func add(_ watched: borrowing FileDescriptor, _ interest: Interest, cookie: UInt64) throws(Errno) {
        let raw = watched.rawValue
        try retryingInterrupts { clinux_epoll_add(descriptor.rawValue, raw, interest.rawValue, cookie) }
    }

    /// Changes what a watched descriptor is watched for.
    package func change(_ watched: borrowing FileDescriptor, _ interest: Interest, cookie: UInt64) throws(Errno) {
        let raw = watched.rawValue
        try retryingInterrupts { clinux_epoll_modify(descriptor.rawValue, raw, interest.rawValue, cookie) }
    }

    /// As many fit on the stack, where taking them costs no allocation.
    private static let eventsMax = 64

    /// Waits for readiness, at most 64 at a time, and replaces `events` with it.
    ///
    /// - Parameter timeout: how long to wait at most, rounded up to a millisecond; nil waits for ever. An interrupted
    ///   wait ends early with no events.
    package func wait(into events: inout [Event], timeout: Duration?) {
        let milliseconds = timeout.map { Self.milliseconds($0) } ?? -1
        events.removeAll(keepingCapacity: true)
        unsafe withUnsafeTemporaryAllocation(of: clinux_event.self, capacity: Self.eventsMax) { buffer in
            let count = unsafe clinux_epoll_wait(descriptor.rawValue, buffer.baseAddress, Int32(Self.eventsMax), milliseconds)
            if count < 0 {
                let cause = Errno.current
                precondition(cause == .interrupted, "epoll_wait failed: \(cause)")
                return
            }
            for index in 0..<Int(count) { events.append(Event(unsafe buffer[index])) }
        }
    }

    static func milliseconds(_ timeout: Duration) -> Int32 {
        let nanoseconds = max(timeout.wholeNanoseconds, 0)
        return Int32(clamping: nanoseconds / 1_000_000 + (nanoseconds % 1_000_000 == 0 ? 0 : 1))
    }
}
