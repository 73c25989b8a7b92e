import Nix
import Platform

/// Which store is meant, in the words of Nix's setting `store` and its option `--store`
/// (nix/src/libstore/store-api.cc, `openStore`): `auto`, `local`, `daemon`, a directory, `local?root=/mnt`,
/// `unix:///run/socket?root=/mnt`.
///
/// A directory is a *chroot store*: its paths are named `/nix/store/…` and lie below that directory.
package struct StoreURI: Hashable, Sendable {
    package enum Way: Hashable, Sendable {
        /// Whatever Nix would take here.
        case auto
        /// The database, read as a file.
        case local
        /// The daemon at this socket, nil for the usual one.
        case daemon(socket: String?)
    }

    package var way = Way.auto
    /// Below which directory everything lies; nil for `/`.
    package var root: String?
    /// What paths are named by, where it is not the usual directory.
    package var storeDirectory: String?
    package var stateDirectory: String?
    package var logDirectory: String?
    /// Where the paths are in the file system, where that is not what follows from the root.
    package var physicalStoreDirectory: String?

    package init() {}

    /// - Parameters:
    ///   - text: as a person or nix.conf wrote it; empty is `auto`.
    ///   - workingDirectory: what a relative directory starts from; nil for that of this process.
    /// - Throws: `.noStore` for what cannot be read from here, with what can.
    package init(parsing text: String, workingDirectory: String? = nil) throws(NixStoreError) {
        let parts = text.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let name = String(parts.first ?? "")
        if parts.count == 2 {
            for parameter in parts[1].split(separator: "&") { try take(parameter, of: text) }
        }
        switch name {
        case "", "auto": way = .auto
        case "local": way = .local
        case "daemon": way = .daemon(socket: nil)
        case _ where name.hasPrefix("unix://"):
            let socket = name.dropFirst("unix://".count)
            way = .daemon(socket: socket.isEmpty ? nil : String(socket))
        case _ where name.hasPrefix("local://"):
            way = .local
            if name != "local://" { root = LocalStore.normalized(String(name.dropFirst("local://".count))) }
        case _ where name.hasPrefix("/"):
            way = .local
            root = LocalStore.normalized(name)
        case _ where name.hasPrefix("./") || name.hasPrefix("../") || name == "." || name == "..":
            way = .local
            let start: String
            do throws(SystemError) {
                start = if let workingDirectory { workingDirectory } else { try File.workingDirectory() }
            } catch { throw .system(error) }
            root = LocalStore.normalized("\(start)/\(name)")
        default: throw Self.refusal(text)
        }
        // Below the root of everything is nowhere else.
        if root == "/" { root = nil }
    }

    /// A parameter `name=value` behind the question mark. Those that only say how Nix writes to a store, or how far it trusts
    /// it, are passed over.
    private mutating func take(_ parameter: Substring, of text: String) throws(NixStoreError) {
        let sides = parameter.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let name = String(sides[0])
        guard ["root", "store", "state", "log", "real"].contains(name) else { return }
        guard sides.count == 2, sides[1].hasPrefix("/"), !sides[1].contains("%") else {
            throw .noStore(reason: "the store \"\(text)\" cannot be used: its \(name) must be a whole path, without percent signs")
        }
        let directory = LocalStore.normalized(String(sides[1]))
        switch name {
        case "root": root = directory
        case "store": storeDirectory = directory
        case "state": stateDirectory = directory
        case "log": logDirectory = directory
        default: physicalStoreDirectory = directory
        }
    }

    private static func refusal(_ text: String) -> NixStoreError {
        .noStore(
            reason: "the store is \"\(text)\"; only auto, local, daemon, unix://SOCKET and the directory of a chroot store, "
                + "each also with ?root=DIRECTORY, can be pushed from")
    }
}
