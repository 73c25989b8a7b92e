import Glibc
import Platform

/// What the simulation's own servers do with sockets, each on one thread that waits for all of them.
enum Sockets {
    /// Waits until one of them has something to read, or has ended; which ones, by their places.
    static func wait(for descriptors: [Int32]) -> [Int] {
        var watched = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        let count = nfds_t(watched.count)
        _ = unsafe poll(&watched, count, -1)
        return watched.indices.filter { watched[$0].revents != 0 }
    }

    /// What is there now, 64 KiB at most; nil where the other side has ended.
    static func receive(from socket: borrowing FileDescriptor) -> [UInt8]? {
        let raw = socket.rawValue
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        let count = unsafe buffer.withUnsafeMutableBytes { unsafe recv(raw, $0.baseAddress, $0.count, 0) }
        if count <= 0 { return nil }
        buffer.removeLast(buffer.count - count)
        return buffer
    }

    /// False where the other side has ended.
    static func send(_ bytes: [UInt8], to socket: borrowing FileDescriptor) -> Bool {
        let raw = socket.rawValue
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe Glibc.send(raw, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno == EAGAIN {
                var full = pollfd(fd: raw, events: Int16(POLLOUT), revents: 0)
                _ = unsafe poll(&full, 1, -1)
            } else {
                return false
            }
        }
        return true
    }
}
