import Glibc

/// Connections within the machine, by sockets that have a path (unix(7)).
package enum LocalSocket {
    /// Connects to the socket at `path`. The connection is blocking: reads and sends wait.
    package static func connect(_ path: String) throws(SystemError) -> FileDescriptor {
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let connection = FileDescriptor(owning: try attempt("connect to", path) { socket(AF_UNIX, kind, 0) })
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let name = Array(path.utf8)
        // The kernel wants the NUL too.
        guard name.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw SystemError("connect to", path, Errno(ENAMETOOLONG))
        }
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { bytes in unsafe bytes.copyBytes(from: name) }
        let raw = connection.rawValue
        try attempt("connect to", path) {
            unsafe withUnsafePointer(to: &address) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe Glibc.connect(raw, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
        }
        return connection
    }
}
