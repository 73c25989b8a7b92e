import Glibc
import Platform

/// A client's TCP connection, byte by byte: for tests that say exactly what is sent and what comes back.
///
/// Calls wait, at most half a minute: a test whose peer says nothing fails instead of hanging.
package final class RawConnection: Sendable {
    /// Nil when closed. One thread may send while another receives.
    private let socket: Monitor<OpenFile?>
    /// Received, and not given out yet.
    private let buffer = Monitor<[UInt8]>([])

    /// Connects to an address as a server names it: `127.0.0.1:8080`.
    ///
    /// - Parameter number: connects from 127.0.0.`number`.
    package init(to address: String, from number: UInt8 = 1) throws(SystemError) {
        guard let colon = address.utf8.lastIndex(of: UInt8(ascii: ":")), let port = UInt16(address[address.utf8.index(after: colon)...]) else {
            throw SystemError("connect to", address, Errno(EINVAL))
        }
        let raw = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        if raw < 0 { throw SystemError("make a socket for", address, .current) }
        let descriptor = FileDescriptor(owning: raw)
        if number != 1 {
            var source = sockaddr_in()
            source.sin_family = sa_family_t(AF_INET)
            source.sin_addr.s_addr = (UInt32(0x7f00_0000) | UInt32(number)).bigEndian
            let status = unsafe withUnsafePointer(to: &source) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe bind(raw, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            if status != 0 { throw SystemError("connect from", "127.0.0.\(number)", .current) }
        }
        var target = sockaddr_in()
        target.sin_family = sa_family_t(AF_INET)
        target.sin_port = port.bigEndian
        target.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let status = unsafe withUnsafePointer(to: &target) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(raw, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        if status != 0 { throw SystemError("connect to", address, .current) }
        var limit = timeval(tv_sec: 30, tv_usec: 0)
        _ = unsafe setsockopt(raw, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        _ = unsafe setsockopt(raw, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var one: Int32 = 1
        _ = unsafe setsockopt(raw, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(4))
        socket = Monitor(OpenFile(descriptor))
    }

    /// Connects to a server's socket that has a path.
    package init(local path: String) throws(SystemError) {
        let descriptor = try LocalSocket.connect(path)
        var limit = timeval(tv_sec: 30, tv_usec: 0)
        _ = unsafe setsockopt(descriptor.rawValue, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        socket = Monitor(OpenFile(descriptor))
    }

    private var file: OpenFile? { socket.withLock { $0 } }

    /// Sends all of `bytes`.
    package func send(_ bytes: [UInt8]) throws(SystemError) {
        let file = file
        var sent = 0
        while sent < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { buffer in
                unsafe Glibc.send(file?.descriptor.rawValue ?? -1, buffer.baseAddress.map { unsafe $0 + sent }, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            if count < 0 { throw SystemError("send", "", .current) }
            sent += count
        }
    }

    package func send(_ text: String) throws(SystemError) { try send(Array(text.utf8)) }

    /// Ends the client's direction; answers can still be read.
    package func shutdownWriting() { _ = shutdown(file?.descriptor.rawValue ?? -1, Int32(SHUT_WR)) }

    /// Closes the connection.
    package func close() { socket.update { $0 = nil } }

    /// Breaks the connection off (a reset).
    package func reset() {
        var option = linger(l_onoff: 1, l_linger: 0)
        _ = unsafe setsockopt(file?.descriptor.rawValue ?? -1, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        close()
    }

    /// Some bytes; empty at the end.
    package func receiveSome() throws(SystemError) -> [UInt8] {
        let kept = buffer.withLock { buffer in
            defer { buffer = [] }
            return buffer
        }
        if !kept.isEmpty { return kept }
        let file = file
        var bytes = [UInt8](repeating: 0, count: 64 << 10)
        let count = unsafe bytes.withUnsafeMutableBytes { buffer in unsafe recv(file?.descriptor.rawValue ?? -1, buffer.baseAddress, buffer.count, 0) }
        if count < 0 { throw SystemError("receive", "", .current) }
        return Array(bytes[..<count])
    }

    /// Everything until the server ends the connection.
    package func receiveAll() throws(SystemError) -> [UInt8] {
        var all: [UInt8] = []
        while true {
            let some = try receiveSome()
            if some.isEmpty { return all }
            all += some
        }
    }

    /// Exactly so many bytes; fewer where the connection ends before.
    package func receive(_ byteCount: Int) throws(SystemError) -> [UInt8] {
        if byteCount == 0 { return [] }
        var bytes: [UInt8] = []
        while bytes.count < byteCount {
            let some = try receiveSome()
            if some.isEmpty { break }
            bytes += some
        }
        buffer.withLock { $0 = Array(bytes.dropFirst(byteCount)) }
        return Array(bytes.prefix(byteCount))
    }

    /// One answer, its end found by Content-Length; nil where the connection has ended.
    ///
    /// - Parameter hasBody: false after a HEAD request.
    package func receiveAnswer(hasBody: Bool = true) throws(SystemError) -> RawAnswer? {
        var bytes: [UInt8] = []
        while true {
            if let end = Self.headEnd(bytes) {
                let head = String(decoding: bytes[..<end], as: UTF8.self)
                var answer = RawAnswer(head: head, body: [])
                let length = hasBody ? answer.header("Content-Length").flatMap { Int($0) } ?? 0 : 0
                buffer.withLock { $0 = Array(bytes[end...]) }
                answer.body = try receive(length)
                return answer
            }
            let some = try receiveSome()
            if some.isEmpty { return bytes.isEmpty ? nil : RawAnswer(head: String(decoding: bytes, as: UTF8.self), body: []) }
            bytes += some
        }
    }

    private static func headEnd(_ bytes: [UInt8]) -> Int? {
        guard bytes.count >= 4 else { return nil }
        return (4...bytes.count).first { bytes[($0 - 4)..<$0].elementsEqual([13, 10, 13, 10]) }
    }
}

/// An answer as it came.
package struct RawAnswer: Sendable {
    /// Status line and header lines, with the empty line at the end.
    package let head: String
    package var body: [UInt8]

    /// The three digits of the first line; 0 where it has none.
    package var status: Int { Int(head.dropFirst(9).prefix(3)) ?? 0 }
    package var text: String { String(decoding: body, as: UTF8.self) }

    /// The value of a header line; nil where it is absent.
    package func header(_ name: String) -> String? {
        let wanted = name.lowercased() + ":"
        // CR LF is one character of Swift.
        for line in head.split(separator: "\r\n") where line.lowercased().hasPrefix(wanted) {
            return String(line.dropFirst(wanted.count).drop { $0 == " " })
        }
        return nil
    }
}
