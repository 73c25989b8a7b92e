import Platform

/// Where things lie in a local storage directory:
///
///     VERSION                  two lines: `tetryx storage 1`, and the directory's id
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

/// What the VERSION file says: the layout's version, and the directory's id, 32 hexadecimal digits, by which a database knows the
/// directory that it is of. Directories of the first releases have no id until a server opens them.
enum StorageVersion {
    static let current = "tetryx storage 1"
    private static let byteCountMax = 4096

    /// Checks the VERSION file of a storage directory, and writes it into a new one.
    ///
    /// - Parameters:
    ///   - id: of a directory that has none.
    ///   - forServing: gives an id to one that has none; else only to a new one.
    /// - Returns: the directory's id.
    /// - Throws: `.unknownVersion` where another layout is there, or packs without any VERSION.
    static func check(_ layout: LocalLayout, id: String, forServing: Bool) throws(StorageError) -> String? {
        let found = try find(layout)
        if found != nil || !forServing && File.exists(layout.version) { return found }
        try sorted { () throws(SystemError) in
            try File.replace(layout.version, with: Array("\(current)\n\(id)\n".utf8), permissions: 0o600)
        }
        return id
    }

    /// Checks the VERSION file of a storage directory, and makes nothing in a new one.
    ///
    /// - Returns: the directory's id; nil where it has none, or is new.
    /// - Throws: as `check`.
    static func find(_ layout: LocalLayout) throws(StorageError) -> String? {
        if File.exists(layout.version) { return try verify(layout) }
        // It is the first file written, so packs without it are not ours.
        if File.exists(layout.packs) { throw StorageError("open storage", layout.root, .unknownVersion("(there is no VERSION file)")) }
        return nil
    }

    /// Checks the VERSION file of a storage directory, which is there.
    ///
    /// - Returns: the directory's id; nil where it has none.
    @discardableResult
    static func verify(_ layout: LocalLayout) throws(StorageError) -> String? {
        let bytes = try sorted { () throws(SystemError) in try File.readAll(layout.version, byteCountMax: byteCountMax) }
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map { String(decoding: $0, as: UTF8.self) }
        let found = lines.first ?? ""
        if found != current { throw StorageError("open storage", layout.root, .unknownVersion(found)) }
        return lines.count > 1 && PackName(lines[1]) != nil ? lines[1] : nil
    }
}
