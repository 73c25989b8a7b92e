import Nix
import Platform

/// Finds the Nix store of this machine, and a user's paths in it.
package enum LocalStore {
    /// Where Nix keeps things, as its environment variables say (nix/src/libstore/globals.cc).
    package struct Places: Sendable, Hashable {
        /// NIX_STORE_DIR, else NIX_STORE, else `/nix/store`.
        package var storeDirectory = StorePath.defaultStoreDirectory
        /// NIX_STATE_DIR, else `/nix/var/nix`.
        package var stateDirectory = "/nix/var/nix"
        /// NIX_DB_DIR, else `db` in the state directory; `db.sqlite` in it.
        package var database: String
        /// NIX_DAEMON_SOCKET_PATH, else `daemon-socket/socket` in the state directory.
        package var daemonSocket: String
        /// NIX_REMOTE; `auto` where it is empty.
        package var remote = "auto"

        /// - Parameter environment: the variables, or nil for those of this process.
        package init(environment: [String: String]? = nil) {
            func value(_ name: String) -> String? {
                let text = environment.map { $0[name] } ?? ProcessEnvironment.value(name)
                return text?.isEmpty == false ? text : nil
            }
            func directory(_ text: String) -> String { LocalStore.normalized(text) }
            if let text = value("NIX_STORE_DIR") ?? value("NIX_STORE") { storeDirectory = directory(text) }
            if let text = value("NIX_STATE_DIR") { stateDirectory = directory(text) }
            database = directory(value("NIX_DB_DIR") ?? "\(stateDirectory)/db") + "/db.sqlite"
            daemonSocket = directory(value("NIX_DAEMON_SOCKET_PATH") ?? "\(stateDirectory)/daemon-socket/socket")
            if let text = value("NIX_REMOTE") { remote = text }
        }
    }

    /// Opens the store as Nix would (nix/src/libstore/store-api.cc, `openFromNonUri`): the database for those who may
    /// write the store's state, as root in a single-user installation; else the daemon; else the database read-only.
    ///
    /// - Throws: `.noStore` with what to do, or what the chosen way says.
    package static func open(_ places: Places = Places()) throws(NixStoreError) -> any StoreReader {
        switch places.remote {
        case "auto":
            if File.isReadableAndWritable(places.stateDirectory) && File.exists(places.database) {
                return try openDatabase(places)
            }
            if File.exists(places.daemonSocket) {
                do throws(NixStoreError) {
                    return try NixDaemon(socket: places.daemonSocket, storeDirectory: places.storeDirectory)
                } catch {
                    // A daemon that is not running leaves its socket behind; reading needs none.
                    guard case .system = error, File.isReadable(places.database) else { throw error }
                }
            }
            return try openDatabase(places)
        case "local": return try openDatabase(places)
        case "daemon": return try NixDaemon(socket: places.daemonSocket, storeDirectory: places.storeDirectory)
        default:
            let scheme = "unix://"
            if places.remote.utf8.starts(with: scheme.utf8) {
                let socket = String(places.remote.dropFirst(scheme.count).prefix { $0 != "?" })
                return try NixDaemon(
                    socket: socket.isEmpty ? places.daemonSocket : socket, storeDirectory: places.storeDirectory)
            }
            throw .noStore(
                reason: "NIX_REMOTE is \(places.remote); only auto, local, daemon and unix://PATH can be used here")
        }
    }

    private static func openDatabase(_ places: Places) throws(NixStoreError) -> any StoreReader {
        guard File.exists(places.database) else {
            throw .noStore(
                reason: "there is no Nix store here: neither the database \(places.database) nor the daemon's socket "
                    + "\(places.daemonSocket) exists; install Nix, or set NIX_STATE_DIR")
        }
        return try StoreDatabase(path: places.database, storeDirectory: places.storeDirectory)
    }

    // MARK: Paths that users name

    /// The store path that a user means: `./result`, `/nix/store/HASH-NAME/bin/tool`, a profile.
    ///
    /// Links are followed until the path is in the store, and no further: what is in a store path belongs to it, and a
    /// store path that is a link is itself meant (nix/src/libstore/store-api.cc, `followLinksToStore`; unlike there,
    /// links are also followed in the middle of a path, so that `result/bin/tool` is found).
    ///
    /// - Parameter workingDirectory: what a relative path starts from; nil for that of this process.
    /// - Throws: `.notInStore` or `.notThere`, `.noStorePath` for a name in the store that is none, `.system` where a
    ///   link cannot be read. Whether a path in the store exists or is valid is not asked.
    package static func resolve(
        _ userPath: String, storeDirectory: String = StorePath.defaultStoreDirectory, workingDirectory: String? = nil
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
