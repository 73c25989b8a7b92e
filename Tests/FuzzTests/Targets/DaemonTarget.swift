import Glibc
import Nix
import Platform

@testable import NixStore

extension FuzzTarget {
    /// All that a Nix daemon says: the handshake, and the answers to both questions.
    static let daemon = FuzzTarget("daemon") { try checkDaemon($0) }
}

private func checkDaemon(_ bytes: [UInt8]) throws {
    let paths = [
        try StorePath(baseName: "00000000000000000000000000000000-a"), try StorePath(baseName: "11111111111111111111111111111111-b"),
    ]
    var far: OpenFile?
    defer { withExtendedLifetime(far) {} }
    let near = try scriptedDaemon(bytes, &far)
    do {
        let connection = try DaemonConnection(
            over: DaemonWire(near, subject: "a daemon"), storeDirectory: StorePath.defaultStoreDirectory)
        try rule((DaemonConnection.oldestMinor...DaemonConnection.newestMinor).contains(connection.minor), "a version that is spoken")
        for (path, info) in zip(paths, try connection.pathInfos(of: paths)) {
            guard let info else { continue }
            try rule(info.path == path && info.narSize > 0, "an answer is about what was asked for")
            try rule(info.references == info.references.sorted(), "references are sorted")
        }
        _ = try connection.validPaths(among: paths)
    } catch NixStoreError.daemon(let message) {
        let isText = message.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) }
        try rule(isText, "a message is text: \(message.debugDescription)")
    } catch let error as BrokenRule { throw error } catch {}
}

/// The near end of a connection whose far end has said all this, and will say no more; and the far end, to be kept open.
private func scriptedDaemon(_ bytes: [UInt8], _ far: inout OpenFile?) throws -> FileDescriptor {
    var ends: [Int32] = [0, 0]
    let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    if unsafe socketpair(AF_UNIX, kind, 0, &ends) != 0 { throw SystemError("make", "a pair of sockets", .current) }
    let near = FileDescriptor(owning: ends[0])
    let end = OpenFile(FileDescriptor(owning: ends[1]))
    far = end
    // Some thousand bytes fit into a socket; what is asked goes into the other's, and nobody reads it.
    try unsafe bytes.span.withUnsafeBytes { bytes throws(Errno) in try unsafe end.descriptor.writeAll(bytes) }
    shutdown(end.descriptor.rawValue, Int32(SHUT_WR))
    return near
}
