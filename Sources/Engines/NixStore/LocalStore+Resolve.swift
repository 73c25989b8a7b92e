import Nix
import Platform

// Which store path a user means.
extension LocalStore {
    /// The store path that a user means: `./result`, `/nix/store/HASH-NAME/bin/tool`, a profile.
    ///
    /// Links are followed until the path is in the store, and no further: what is in a store path belongs to it, and a
    /// store path that is a link is itself meant (nix/src/libstore/store-api.cc, `followLinksToStore`; unlike there,
    /// links are also followed in the middle of a path, so that `result/bin/tool` is found).
    ///
    /// - Parameters:
    ///   - physicalStoreDirectory: where a chroot store's paths are: they may be named by that place, too.
    ///   - workingDirectory: what a relative path starts from; nil for that of this process.
    /// - Throws: `.notInStore` or `.notThere`, `.noStorePath` for a name in the store that is none, `.system` where a
    ///   link cannot be read. Whether a path in the store exists or is valid is not asked.
    package static func resolve(
        _ userPath: String, storeDirectory: String = StorePath.defaultStoreDirectory, physicalStoreDirectory: String? = nil,
        workingDirectory: String? = nil
    ) throws(NixStoreError) -> StorePath {
        var path: String
        if userPath.utf8.first == UInt8(ascii: "/") {
            path = normalized(userPath)
        } else {
            let start: String
            do throws(SystemError) {
                start = if let workingDirectory { workingDirectory } else { try File.workingDirectory() }
            } catch { throw .system(error) }
            path = normalized("\(start)/\(userPath)")
        }
        // As many links as the kernel follows in one path.
        for _ in 0..<40 {
            if let found = try storePath(at: path, storeDirectory) { return found }
            if let place = physicalStoreDirectory, let found = try storePath(at: path, place) { return found }
            guard let next = try followingFirstLink(in: path) else { break }
            path = next
        }
        if userPath.isEmpty || (try? File.linkStatus(path)) == nil { throw .notThere(path: userPath) }
        throw .notInStore(path: userPath, storeDirectory: storeDirectory)
    }

    /// The store path that `path` is, or is in, by its text.
    private static func storePath(at path: String, _ storeDirectory: String) throws(NixStoreError) -> StorePath? {
        let prefix = "\(storeDirectory)/"
        guard path.utf8.starts(with: prefix.utf8) else { return nil }
        let rest = path.utf8.dropFirst(prefix.utf8.count)
        let name = String(decoding: rest.prefix { $0 != UInt8(ascii: "/") }, as: UTF8.self)
        do { return try StorePath(baseName: name) } catch { throw .noStorePath(path: path, reason: error.reason) }
    }

    /// The path with its first symbolic link replaced by what that names; nil where there is none.
    private static func followingFirstLink(in path: String) throws(NixStoreError) -> String? {
        let parts = path.utf8.split(separator: UInt8(ascii: "/")).map { String(decoding: $0, as: UTF8.self) }
        var above = ""
        for (index, part) in parts.enumerated() {
            let here = "\(above)/\(part)"
            // What does not exist cannot be a link; the store may name what is not there.
            guard let status = try? File.linkStatus(here) else { return nil }
            if status.kind == .symbolicLink {
                let target: String
                do { target = try File.linkTarget(here) } catch { throw .system(error) }
                let start = target.utf8.first == UInt8(ascii: "/") ? target : "\(above)/\(target)"
                return normalized(([start] + parts[(index + 1)...]).joined(separator: "/"))
            }
            above = here
        }
        return nil
    }

    /// The absolute path without `.`, `..` and doubled slashes, by its text alone (Nix's `canonPath`).
    static func normalized(_ path: String) -> String {
        var parts: [String] = []
        for part in path.utf8.split(separator: UInt8(ascii: "/")) {
            switch String(decoding: part, as: UTF8.self) {
            case ".": continue
            case "..": _ = parts.popLast()
            case let name: parts.append(name)
            }
        }
        return "/" + parts.joined(separator: "/")
    }
}
