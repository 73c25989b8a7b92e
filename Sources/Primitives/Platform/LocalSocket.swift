import Glibc

/// Connections within the machine, by sockets that have a path (unix(7)).
package enum LocalSocket {
    /// Bytes that the kernel takes of a path; it wants a NUL behind them.
    package static let pathByteCountMax = MemoryLayout.size(ofValue: sockaddr_un().sun_path) - 1

    /// Connects to the socket at `path`. The connection is blocking: reads and sends wait.
    package static func connect(_ path: String) throws(SystemError) -> FileDescriptor {
        let connection = try make("connect to", path, Int32(SOCK_STREAM.rawValue))
        do throws(Errno) { try connect(connection, path) } catch { throw SystemError("connect to", path, error) }
        return connection
    }

    /// Opens a non-blocking listener at `path`. A socket that an earlier process left there, and nobody listens at, is replaced.
    ///
    /// - Parameter permissions: who may connect needs to write (unix(7)); whatever the umask is.
    /// - Throws: "address in use" where somebody listens there; "file exists" where something else than a socket is there.
    package static func listen(_ path: String, permissions: UInt32) throws(SystemError) -> FileDescriptor {
        let listener = try make("listen on", path, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue))
        try removeStale(path)
        let raw = listener.rawValue
        do throws(Errno) {
            try unsafe withAddress(path) { address, size throws(Errno) in try retryingInterrupts { unsafe bind(raw, address, size) } }
            // Nobody is heard before this, so nobody comes in by what the umask left open.
            try retryingInterrupts { unsafe chmod(path, permissions) }
            try retryingInterrupts { Glibc.listen(raw, 4096) }
        } catch { throw SystemError("listen on", path, error) }
        return listener
    }

    private static func removeStale(_ path: String) throws(SystemError) {
        guard let there = try? File.linkStatus(path) else { return }
        guard there.isSocket else { throw SystemError("listen on", path, .fileExists) }
        // Non-blocking: one whose queue is full has somebody who listens.
        let probe = try make("listen on", path, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue))
        do throws(Errno) { try connect(probe, path) } catch {
            guard error == .connectionRefused else { throw SystemError("listen on", path, error == .wouldBlock ? .addressInUse : error) }
            return try File.remove(path)
        }
        throw SystemError("listen on", path, .addressInUse)
    }

    /// Sends one message to a socket that takes messages. A path that begins with `@` is a name in the kernel's own space (unix(7), "abstract").
    package static func send(_ message: String, to path: String) throws(SystemError) {
        let socket = try make("send to", path, Int32(SOCK_DGRAM.rawValue))
        let (raw, bytes) = (socket.rawValue, Array(message.utf8))
        do throws(Errno) {
            try unsafe withAddress(path) { address, size throws(Errno) in
                try retryingInterrupts { unsafe sendto(raw, bytes, bytes.count, Int32(MSG_NOSIGNAL), address, size) }
            }
        } catch { throw SystemError("send to", path, error) }
    }

    private static func make(_ operation: String, _ path: String, _ kind: Int32) throws(SystemError) -> FileDescriptor {
        FileDescriptor(owning: try attempt(operation, path) { socket(AF_UNIX, kind | Int32(SOCK_CLOEXEC.rawValue), 0) })
    }

    private static func connect(_ socket: borrowing FileDescriptor, _ path: String) throws(Errno) {
        let raw = socket.rawValue
        try unsafe withAddress(path) { address, size throws(Errno) in try retryingInterrupts { unsafe Glibc.connect(raw, address, size) } }
    }

    /// Lends the address of a path in the kernel's form.
    private static func withAddress(
        _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) throws(Errno) -> Void
    ) throws(Errno) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var name = Array(path.utf8)
        guard name.count <= pathByteCountMax else { throw Errno(ENAMETOOLONG) }
        let isAbstract = name.first == UInt8(ascii: "@")
        if isAbstract { name[0] = 0 }
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { bytes in unsafe bytes.copyBytes(from: name) }
        // An abstract name is as long as it is said to be.
        let size = isAbstract ? MemoryLayout<sa_family_t>.size + name.count : MemoryLayout<sockaddr_un>.size
        try unsafe withUnsafePointer(to: &address) { pointer throws(Errno) in
            try unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw throws(Errno) in try unsafe body(raw, socklen_t(size)) }
        }
    }
}

/// The file of a socket that is listened on, to be removed when that ends.
package struct SocketFile: Sendable {
    private let path: String
    private let inode: UInt64

    /// Of the socket that lies there now.
    package init(_ path: String) throws(SystemError) {
        self.path = path
        inode = try File.linkStatus(path).inode
    }

    /// Removes it, unless another process has put its own there since.
    package func remove() {
        guard let there = try? File.linkStatus(path), there.isSocket, there.inode == inode else { return }
        try? File.remove(path)
    }
}
