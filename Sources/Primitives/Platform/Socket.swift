import CLinux
import Glibc

/// A connection that a listener gave out: its socket (non-blocking) and who is at the other end.
package struct AcceptedSocket: ~Copyable {
    package let descriptor: FileDescriptor
    package let peer: SocketAddress

    package consuming func take() -> FileDescriptor { descriptor }
}

/// Listening on TCP addresses.
package enum ListeningSocket {
    /// Opens a non-blocking listener.
    ///
    /// - Parameters:
    ///   - address: with port 0, the kernel chooses one. `[::]` takes IPv4 too; where the machine has no IPv6 it
    ///     becomes `0.0.0.0`.
    ///   - sharesPort: several listeners on the address, each with its share of the connections (SO_REUSEPORT).
    package static func open(_ address: SocketAddress, sharesPort: Bool) throws(SystemError) -> FileDescriptor {
        try make(address, sharesPort: sharesPort, listens: true)
    }

    /// Whether the address could be listened on: it is bound for a moment, and nobody can connect meanwhile.
    ///
    /// - Throws: as `open`; `.addressInUse` where somebody listens there.
    package static func check(_ address: SocketAddress) throws(SystemError) {
        _ = try make(address, sharesPort: false, listens: false)
    }

    private static func make(_ address: SocketAddress, sharesPort: Bool, listens: Bool) throws(SystemError) -> FileDescriptor {
        do throws(SystemError) {
            return try bound(to: address, sharesPort: sharesPort, listens: listens)
        } catch {
            let isWithoutIPv6 = error.errno == Errno(EAFNOSUPPORT) || error.errno == .addressNotAvailable
            guard address.isAny && address.isIPv6 && isWithoutIPv6 else { throw error }
            return try bound(to: .anyIPv4(port: address.port), sharesPort: sharesPort, listens: listens)
        }
    }

    private static func bound(to address: SocketAddress, sharesPort: Bool, listens: Bool) throws(SystemError) -> FileDescriptor {
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let family = address.isIPv6 ? AF_INET6 : AF_INET
        let subject = address.description
        let listener = FileDescriptor(owning: try attempt("listen on", subject) { socket(family, kind, 0) })
        do throws(Errno) {
            try listener.setOption(SOL_SOCKET, SO_REUSEADDR, 1)
            if sharesPort { try listener.setOption(SOL_SOCKET, SO_REUSEPORT, 1) }
            if address.isIPv6 { try listener.setOption(Int32(IPPROTO_IPV6), IPV6_V6ONLY, address.isAny ? 0 : 1) }
            let raw = listener.rawValue
            try retryingInterrupts { unsafe address.withRaw { unsafe bind(raw, $0, $1) } }
            // The kernel cuts this to net.core.somaxconn.
            if listens { try retryingInterrupts { listen(raw, 4096) } }
        } catch { throw SystemError("listen on", subject, error) }
        return listener
    }
}

/// Sockets: what a loop does with one. All calls are for non-blocking sockets and never wait.
extension FileDescriptor {
    /// The next connection that waits at this listener; nil where there is none.
    ///
    /// - Throws: what accept4(2) says, but for connections that died while they waited: those are passed over.
    package func accept() throws(Errno) -> AcceptedSocket? {
        while true {
            var storage = sockaddr_storage()
            var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
            let raw = unsafe clinux_accept(rawValue, &storage, &size)
            if raw < 0 {
                let cause = Errno.current
                switch cause.code {
                case EAGAIN: return nil
                case EINTR, ECONNABORTED, EPROTO: continue
                default: throw cause
                }
            }
            let peer = unsafe withUnsafePointer(to: &storage) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe SocketAddress($0) }
            }
            return AcceptedSocket(descriptor: FileDescriptor(owning: raw), peer: peer ?? .any(port: 0))
        }
    }

    /// Reads what has arrived, at most `buffer.count` bytes: 0 where the peer has ended, nil where nothing waits.
    package func receive(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int? {
        return try unlessBlocked { unsafe recv(rawValue, buffer.baseAddress, buffer.count, 0) }
    }

    /// Sends what fits of `bytes`; nil where nothing fits now.
    ///
    /// - Parameter more: more follows at once: a short piece is held back so that both leave together (MSG_MORE).
    package func send(_ bytes: UnsafeRawBufferPointer, more: Bool) throws(Errno) -> Int? {
        let flags = Int32(MSG_NOSIGNAL) | (more ? Int32(MSG_MORE) : 0)
        return try unlessBlocked { unsafe Glibc.send(rawValue, bytes.baseAddress, bytes.count, flags) }
    }

    /// Sends what fits of two pieces, one after the other, in one call; nil where nothing fits now.
    package func send(_ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer) throws(Errno) -> Int? {
        unsafe try withUnsafeTemporaryAllocation(of: iovec.self, capacity: 2) { pieces throws(Errno) -> Int? in
            unsafe pieces[0] = iovec(iov_base: UnsafeMutableRawPointer(mutating: first.baseAddress), iov_len: first.count)
            unsafe pieces[1] = iovec(iov_base: UnsafeMutableRawPointer(mutating: second.baseAddress), iov_len: second.count)
            var message = unsafe msghdr()
            unsafe message.msg_iov = pieces.baseAddress
            unsafe message.msg_iovlen = 2
            return try unlessBlocked { unsafe sendmsg(rawValue, &message, Int32(MSG_NOSIGNAL)) }
        }
    }

    /// Sends at most `byteCount` bytes of a file from `offset` without copying them (sendfile(2)): 0 where the file
    /// ends, nil where nothing fits now.
    package func sendFile(_ file: borrowing FileDescriptor, at offset: Int64, byteCount: Int) throws(Errno) -> Int? {
        try Faults.check(.sendFile)
        var position = off_t(offset)
        let source = file.rawValue
        return try unlessBlocked { unsafe sendfile(rawValue, source, &position, byteCount) }
    }

    /// Small pieces leave at once (TCP_NODELAY).
    package func setNoDelay() throws(Errno) { try setOption(Int32(IPPROTO_TCP), TCP_NODELAY, 1) }

    /// Tells the peer that no more follows, and goes on reading. A peer that is gone already is none the worse.
    package func shutdownWriting() { _ = shutdown(rawValue, Int32(SHUT_WR)) }

    /// Makes the close that follows break the connection (a reset) instead of ending it in good order, so that a peer
    /// cannot take what it got for the whole.
    package func resetOnClose() {
        var option = linger(l_onoff: 1, l_linger: 0)
        _ = unsafe setsockopt(rawValue, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    }

    /// The address that a socket is bound to.
    package func localAddress() throws(Errno) -> SocketAddress {
        var storage = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let address: SocketAddress? = try unsafe withUnsafeMutablePointer(to: &storage) { pointer throws(Errno) in
            try unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw throws(Errno) in
                try retryingInterrupts { unsafe getsockname(rawValue, raw, &size) }
                return unsafe SocketAddress(raw)
            }
        }
        return address ?? .any(port: 0)
    }

    func setOption(_ level: Int32, _ name: Int32, _ value: Int32) throws(Errno) {
        var value = value
        try retryingInterrupts { unsafe setsockopt(rawValue, level, name, &value, socklen_t(4)) }
    }
}

/// Runs a call on a non-blocking socket; nil where it would have had to wait.
private func unlessBlocked(_ call: () -> Int) throws(Errno) -> Int? {
    do throws(Errno) {
        return try retryingInterrupts(call)
    } catch {
        if error == .wouldBlock { return nil }
        throw error
    }
}
