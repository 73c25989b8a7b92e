import Glibc

/// A TCP connection that a thread made and may wait on: calls never block but `wait`, which has a limit.
package struct ClientSocket: ~Copyable, Sendable {
    private let descriptor: FileDescriptor

    /// What a connection is ready for.
    package struct Readiness: OptionSet, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }
        /// Bytes, the end of the stream or an error can be received.
        package static let readable = Readiness(rawValue: 1)
        /// Bytes can be sent, or an error is there to be told.
        package static let writable = Readiness(rawValue: 2)
    }

    private init(_ descriptor: consuming FileDescriptor) { self.descriptor = descriptor }

    /// Connects, or gives up at `deadline` with ETIMEDOUT.
    package static func connect(
        to address: ResolvedAddress, until deadline: MonotonicTime
    ) throws(Errno) -> ClientSocket {
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let raw = try retryingInterrupts { socket(address.family, kind, 0) }
        let made = ClientSocket(FileDescriptor(owning: raw))
        // Heads and small bodies must not wait for an acknowledgement of what went before (Nagle's algorithm).
        try setNoDelay(raw)
        if try begin(raw, address) { return made }
        guard try made.wait(for: .writable, until: deadline).contains(.writable) else { throw .timedOut }
        // connect(2): once writable, SO_ERROR says how it ended.
        if let cause = try pendingError(raw) { throw cause }
        return made
    }

    /// Starts to connect; true where that is done already.
    private static func begin(_ raw: Int32, _ address: ResolvedAddress) throws(Errno) -> Bool {
        do throws(Errno) {
            try unsafe address.bytes.span.withUnsafeBytes { bytes throws(Errno) in
                guard let start = bytes.baseAddress else { throw Errno(EAFNOSUPPORT) }
                let target = unsafe start.assumingMemoryBound(to: sockaddr.self)
                let length = socklen_t(bytes.count)
                try retryingInterrupts { unsafe Glibc.connect(raw, target, length) }
            }
            return true
        } catch {
            // connect(2): with O_NONBLOCK the attempt goes on behind EINPROGRESS; after EINTR it does too, and asking
            // again says EALREADY.
            if error == .inProgress || error == Errno(EALREADY) { return false }
            throw error
        }
    }

    private static func setNoDelay(_ raw: Int32) throws(Errno) {
        var on: Int32 = 1
        let size = socklen_t(MemoryLayout<Int32>.size)
        try retryingInterrupts { unsafe setsockopt(raw, Int32(IPPROTO_TCP), TCP_NODELAY, &on, size) }
    }

    private static func pendingError(_ raw: Int32) throws(Errno) -> Errno? {
        var code: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        try retryingInterrupts { unsafe getsockopt(raw, SOL_SOCKET, SO_ERROR, &code, &size) }
        return code == 0 ? nil : Errno(code)
    }

    /// Waits until the connection is ready for something of `interest`; empty at `deadline`.
    package func wait(for interest: Readiness, until deadline: MonotonicTime) throws(Errno) -> Readiness {
        var events: Int32 = 0
        if interest.contains(.readable) { events |= POLLIN }
        if interest.contains(.writable) { events |= POLLOUT }
        while true {
            let left = max(0, (deadline - .now).wholeNanoseconds)
            // Rounded up: a wait of less than a millisecond must not spin.
            let milliseconds = Int32(clamping: (left + 999_999) / 1_000_000)
            var entry = pollfd(fd: descriptor.rawValue, events: Int16(events), revents: 0)
            let count = unsafe poll(&entry, 1, milliseconds)
            if count < 0 {
                let cause = Errno.current
                // The time left is counted again.
                if cause == .interrupted { continue }
                throw cause
            }
            if count == 0 {
                if MonotonicTime.now < deadline { continue }
                return []
            }
            let seen = Int32(entry.revents)
            // poll(2): POLLERR and POLLHUP come unasked; the next call on the socket says what they mean.
            if seen & (POLLERR | POLLHUP | POLLNVAL) != 0 { return interest }
            var ready: Readiness = []
            if seen & POLLIN != 0 { ready.insert(.readable) }
            if seen & POLLOUT != 0 { ready.insert(.writable) }
            return ready
        }
    }

    /// Receives what is there; 0 at the end of the stream, nil where nothing has come yet.
    package func receive(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int? {
        let raw = descriptor.rawValue
        do throws(Errno) {
            return try retryingInterrupts { unsafe recv(raw, buffer.baseAddress, buffer.count, 0) }
        } catch {
            if error == .wouldBlock { return nil }
            throw error
        }
    }

    /// Sends some of `bytes`; how many, nil where the connection takes none now.
    ///
    /// - Parameter more: whether more follows at once, so that a small piece need not leave by itself.
    package func send(_ bytes: UnsafeRawBufferPointer, more: Bool) throws(Errno) -> Int? {
        let raw = descriptor.rawValue
        // A peer that has gone is an error of this call, and no signal for the process.
        let flags = Int32(MSG_NOSIGNAL | (more ? MSG_MORE : 0))
        do throws(Errno) {
            return try retryingInterrupts { unsafe Glibc.send(raw, bytes.baseAddress, bytes.count, flags) }
        } catch {
            if error == .wouldBlock { return nil }
            throw error
        }
    }

    /// Sends some of a file from `offset` on without copying it (sendfile(2)); how many bytes, 0 where the file ends, nil where
    /// the connection takes none now. The process ignores SIGPIPE: this call has no flag against it.
    package func sendFile(
        _ file: borrowing FileDescriptor, at offset: Int64, byteCountMax: Int
    ) throws(Errno) -> Int? {
        let (target, source) = (descriptor.rawValue, file.rawValue)
        var position = off_t(offset)
        do throws(Errno) {
            return try retryingInterrupts { unsafe sendfile(target, source, &position, byteCountMax) }
        } catch {
            if error == .wouldBlock { return nil }
            throw error
        }
    }
}
