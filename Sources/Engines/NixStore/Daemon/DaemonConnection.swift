import Crypto
import Nix
import Platform

/// One connection to a Nix daemon: the worker protocol as its client (nix/src/libstore/worker-protocol-connection.cc).
///
/// Thread: one at a time. Everything is 64-bit little-endian words; a string is its length, its bytes, and zeros to the
/// next multiple of 8, as in a NAR. After any thrown error the connection is of no further use.
final class DaemonConnection {
    /// The oldest protocol that is spoken: that of Nix 2.3.
    static let oldestMinor = 21
    /// The newest that is announced: 1.38 (Nix 2.24) exchanges lists of features, of which none is needed here. A newer
    /// daemon answers in what was announced.
    static let newestMinor = 38
    /// Requests that are sent before the first answer is read: a few KiB, which a socket's buffer holds, so that
    /// neither side waits for the other to read.
    static let requestsAheadMax = 64

    private static let clientMagic: UInt64 = 0x6e69_7863
    private static let daemonMagic: UInt64 = 0x6478_696f

    private let wire: DaemonWire
    private let storeDirectory: String
    /// The version both speak: 1.`minor`.
    private(set) var minor = 0

    /// Connects and shakes hands.
    ///
    /// - Throws: `.system` where nobody listens, `.daemonTooOld`, `.daemonProtocol`, or `.daemon` where it wants us not.
    convenience init(socket: String, storeDirectory: String) throws(NixStoreError) {
        let connection: FileDescriptor
        do throws(SystemError) { connection = try LocalSocket.connect(socket) } catch { throw .system(error) }
        try self.init(over: DaemonWire(connection, subject: socket), storeDirectory: storeDirectory)
    }

    /// Shakes hands over a connection that is there.
    init(over wire: DaemonWire, storeDirectory: String) throws(NixStoreError) {
        self.wire = wire
        self.storeDirectory = storeDirectory
        wire.put(Self.clientMagic)
        try wire.send()
        guard try wire.word() == Self.daemonMagic else {
            throw .daemonProtocol(reason: "\(wire.subject) does not answer as a Nix daemon does")
        }
        let version = try wire.word()
        guard version >> 8 & 0xff == 1 else {
            throw .daemonProtocol(reason: "it speaks protocol \(version >> 8 & 0xff), and 1 is known here")
        }
        let daemonMinor = Int(version & 0xff)
        if daemonMinor < Self.oldestMinor { throw .daemonTooOld(minor: daemonMinor) }
        minor = min(daemonMinor, Self.newestMinor)
        wire.put(UInt64(1 << 8 | Self.newestMinor))
        if minor >= 38 {
            // No features; the daemon's own are read and forgotten.
            wire.put(0)
            try wire.send()
            _ = try wire.strings()
        }
        // No CPU affinity, no space reserved: both obsolete, both still read.
        wire.put(0)
        wire.put(0)
        try wire.send()
        // The daemon's version of Nix, and whether it trusts us.
        if minor >= 33 { _ = try wire.string() }
        if minor >= 35 { _ = try wire.word() }
        try takeMessages()
    }

    // MARK: Questions

    /// What the daemon knows of each path; nil where the path is not valid.
    func pathInfos(of paths: [StorePath]) throws(NixStoreError) -> [PathInfo?] {
        var infos: [PathInfo?] = []
        infos.reserveCapacity(paths.count)
        var asked = 0
        while infos.count < paths.count {
            // Half the window is refilled at once, so that not every answer costs a send.
            if asked < paths.count && asked - infos.count <= Self.requestsAheadMax / 2 {
                let end = min(paths.count, infos.count + Self.requestsAheadMax)
                for path in paths[asked..<end] {
                    wire.put(Operation.queryPathInfo.rawValue)
                    wire.put(path.absolute(in: storeDirectory))
                }
                asked = end
                try wire.send()
            }
            try takeMessages()
            infos.append(try wire.word() == 0 ? nil : try pathInfo(of: paths[infos.count]))
        }
        return infos
    }

    /// Those of `paths` that are valid, in no order.
    func validPaths(among paths: [StorePath]) throws(NixStoreError) -> [StorePath] {
        wire.put(Operation.queryValidPaths.rawValue)
        wire.put(UInt64(paths.count))
        for path in paths { wire.put(path.absolute(in: storeDirectory)) }
        // Nothing is to be substituted.
        if minor >= 27 { wire.put(0) }
        try wire.send()
        try takeMessages()
        var valid: [StorePath] = []
        for text in try wire.strings() { valid.append(try storePath(text)) }
        return valid
    }

    private enum Operation: UInt64 {
        case queryPathInfo = 26
        case queryValidPaths = 31
    }

    /// `UnkeyedValidPathInfo` (nix/src/libstore/worker-protocol.cc).
    private func pathInfo(of path: StorePath) throws(NixStoreError) -> PathInfo {
        let deriverText = try wire.string()
        let deriver: StorePath? = deriverText.isEmpty ? nil : try storePath(deriverText)
        let hashText = try wire.string()
        let narHash: SHA256Digest
        do { narHash = try NixHash(parsing: "sha256:\(hashText)").digest } catch {
            throw .malformed(path: path.baseName, reason: error.description)
        }
        var references: [StorePath] = []
        for text in try wire.strings() { references.append(try storePath(text)) }
        _ = try wire.word()  // when it was registered
        let narSize = try wire.word()
        _ = try wire.word()  // whether it was built here
        let signatures = try wire.strings()
        let ca = try wire.string()
        guard let narSize = Int64(exactly: narSize), narSize > 0 else {
            throw .malformed(path: path.baseName, reason: "its size is not known; nix-store --verify finds it out")
        }
        return PathInfo(
            path: path, narHash: narHash, narSize: narSize, references: references.sorted(), deriver: deriver,
            signatures: signatures, ca: ca.isEmpty ? nil : ca)
    }

    private func storePath(_ text: String) throws(NixStoreError) -> StorePath {
        do { return try StorePath(absolute: text, storeDirectory: storeDirectory) } catch {
            throw .daemonProtocol(reason: error.description)
        }
    }

    // MARK: Messages before an answer

    /// Reads what the daemon says before it answers, up to the word that the answer follows. Log lines and progress are
    /// passed over.
    ///
    /// - Throws: `.daemon` with the daemon's words where it refuses.
    private func takeMessages() throws(NixStoreError) {
        while true {
            let word = try wire.word()
            guard let message = Message(rawValue: word) else {
                throw .daemonProtocol(reason: "an unknown message 0x\(String(word, radix: 16))")
            }
            switch message {
            case .last: return
            case .error: throw .daemon(message: try errorMessage())
            case .next: _ = try wire.string()
            case .startActivity:
                _ = try wire.word()
                _ = try wire.word()
                _ = try wire.word()
                _ = try wire.string()
                try skipFields()
                _ = try wire.word()
            case .stopActivity: _ = try wire.word()
            case .result:
                _ = try wire.word()
                _ = try wire.word()
                try skipFields()
            case .read, .write:
                throw .daemonProtocol(reason: "it wants to exchange data, which was not asked for")
            }
        }
    }

    /// The words that a message begins with (nix/src/libstore/include/nix/store/worker-protocol.hh, `STDERR_…`).
    private enum Message: UInt64 {
        case next = 0x6f6c_6d67
        case read = 0x6461_7461
        case write = 0x6461_7416
        case last = 0x616c_7473
        case error = 0x6378_7470
        case startActivity = 0x5354_5254
        case stopActivity = 0x5354_4f50
        case result = 0x5253_4c54
    }

    /// Fields of an activity: each a number or a string.
    private func skipFields() throws(NixStoreError) {
        for _ in 0..<(try wire.count()) {
            switch try wire.word() {
            case 0: _ = try wire.word()
            case 1: _ = try wire.string()
            case let kind: throw .daemonProtocol(reason: "an unknown kind of field, \(kind)")
            }
        }
    }

    /// The text of an error (nix/src/libutil/serialise.cc, `readError`; before 1.26 a string and a number).
    private func errorMessage() throws(NixStoreError) -> String {
        if minor < 26 {
            let text = try wire.string()
            _ = try wire.word()
            return DaemonText.plain(text)
        }
        _ = try wire.string()  // "Error"
        _ = try wire.word()  // verbosity
        _ = try wire.string()  // a name that is no longer used
        let text = try wire.string()
        _ = try wire.word()  // a position that is never sent
        var traces: [String] = []
        for _ in 0..<(try wire.count()) {
            _ = try wire.word()
            traces.append(DaemonText.plain(try wire.string()))
        }
        let message = DaemonText.plain(text)
        // The innermost circumstance comes last.
        return traces.isEmpty ? message : "\(message) (\(traces.joined(separator: "; ")))"
    }
}
