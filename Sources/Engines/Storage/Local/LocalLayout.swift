import Platform

/// Where things lie in a local storage directory:
///
///     VERSION                  one line, `tetryx storage 1`
///     LOCK                     locked (flock) by the one server that writes here
///     packs/ab/abcdef….pack    a pack, in a shard named after its first two characters
struct LocalLayout: Sendable {
    let root: String

    var version: String { "\(root)/VERSION" }
    var lock: String { "\(root)/LOCK" }
    var packs: String { "\(root)/packs" }

    /// The names that are ours in the directory itself; COLLECTION is a file that earlier releases locked.
    static let rootNames: Set<String> = ["VERSION", "LOCK", "COLLECTION", "packs"]

    func shard(of pack: PackName) -> String { "\(packs)/\(pack.text.prefix(2))" }
    func file(of pack: PackName) -> String { "\(shard(of: pack))/\(pack.text).pack" }

    /// The pack that a file in a shard directory is; nil for a stranger.
    static func pack(fileName: String, shard: String) -> PackName? {
        guard fileName.hasSuffix(".pack"), fileName.hasPrefix(shard) else { return nil }
        return PackName(fileName.dropLast(5))
    }

    /// Shards are named by two hexadecimal characters.
    static func isShard(_ name: String) -> Bool {
        name.utf8.count == 2 && PackName(String(repeating: name, count: 16)) != nil
    }

    /// `File.replace` names its temporary file so; one is left only by a crash.
    static func isTemporary(_ name: String) -> Bool { name.contains(".new-") }
}

/// The layout's version, as the VERSION file says it.
enum StorageVersion {
    static let current = "tetryx storage 1"

    /// Checks the VERSION file of a storage directory, and writes it into a new one.
    ///
    /// - Throws: `.unknownVersion` where another layout is there, or packs without any VERSION.
    static func check(_ layout: LocalLayout) throws(StorageError) {
        if File.exists(layout.version) { return try verify(layout) }
        // It is the first file written, so packs without it are not ours.
        if File.exists(layout.packs) {
            throw StorageError("open storage", layout.root, .unknownVersion("(there is no VERSION file)"))
        }
        try sorted { () throws(SystemError) in
            try File.replace(layout.version, with: Array("\(current)\n".utf8), permissions: 0o600)
        }
    }

    /// Checks the VERSION file of a storage directory, which is there.
    static func verify(_ layout: LocalLayout) throws(StorageError) {
        let bytes = try sorted { () throws(SystemError) in try File.readAll(layout.version, byteCountMax: 4096) }
        let found = String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        if found != current { throw StorageError("open storage", layout.root, .unknownVersion(found)) }
    }
}
