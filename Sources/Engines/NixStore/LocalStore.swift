import Nix
import Platform

/// Finds the Nix store of this machine, and a user's paths in it.
package enum LocalStore {
    /// Where Nix keeps logs unless it is told otherwise.
    package static let defaultLogDirectory = "/nix/var/log/nix"

    /// Where Nix keeps things, as its environment variables say (nix/src/libstore/globals.cc), and then the store's URI
    /// (nix/src/libstore/local-fs-store.hh).
    package struct Places: Sendable, Hashable {
        /// What paths are named by: NIX_STORE_DIR, else NIX_STORE, else `/nix/store`.
        package var storeDirectory = StorePath.defaultStoreDirectory
        /// Where the paths are in the file system: the same directory, in a chroot store below its root.
        package var physicalStoreDirectory = StorePath.defaultStoreDirectory
        /// NIX_STATE_DIR, else `/nix/var/nix`.
        package var stateDirectory = "/nix/var/nix"
        /// NIX_LOG_DIR, else `/nix/var/log/nix`; build logs are in `drvs` below it.
        package var logDirectory = LocalStore.defaultLogDirectory
        /// NIX_DB_DIR, else `db` in the state directory; `db.sqlite` in it.
        package var database: String
        /// NIX_DAEMON_SOCKET_PATH, else `daemon-socket/socket` in the state directory.
        package var daemonSocket: String
        /// Which of them is asked.
        package var way = StoreURI.Way.auto
        /// `nix/root` in the user's data directory, which Nix takes for a chroot store where a user who is not root finds no
        /// `/nix` at all; nil where variables place the store elsewhere.
        var homeRoot: String?

        /// - Parameters:
        ///   - environment: the variables, or nil for those of this process.
        ///   - uri: which store is meant; nil for that of NIX_REMOTE, else `auto`.
        /// - Throws: `.noStore` where NIX_REMOTE names one that cannot be read from here.
        package init(environment: [String: String]? = nil, uri: StoreURI? = nil) throws(NixStoreError) {
            func value(_ name: String) -> String? {
                let text = environment.map { $0[name] } ?? ProcessEnvironment.value(name)
                return text?.isEmpty == false ? text : nil
            }
            func directory(_ text: String) -> String { LocalStore.normalized(text) }
            if let text = value("NIX_STORE_DIR") ?? value("NIX_STORE") { storeDirectory = directory(text) }
            if let text = value("NIX_STATE_DIR") { stateDirectory = directory(text) }
            if let text = value("NIX_LOG_DIR") { logDirectory = directory(text) }
            physicalStoreDirectory = storeDirectory
            database = directory(value("NIX_DB_DIR") ?? "\(stateDirectory)/db") + "/db.sqlite"
            daemonSocket = directory(value("NIX_DAEMON_SOCKET_PATH") ?? "\(stateDirectory)/daemon-socket/socket")
            if value("NIX_STORE_DIR") == nil && value("NIX_STATE_DIR") == nil {
                homeRoot = (value("XDG_DATA_HOME") ?? value("HOME").map { "\($0)/.local/share" }).map { "\($0)/nix/root" }
            }
            if let uri { take(uri) } else { take(try StoreURI(parsing: value("NIX_REMOTE") ?? "")) }
        }

        private mutating func take(_ uri: StoreURI) {
            way = uri.way
            if case .daemon(let socket?) = uri.way { daemonSocket = LocalStore.normalized(socket) }
            if uri != StoreURI() { homeRoot = nil }
            if let directory = uri.storeDirectory {
                storeDirectory = directory
                physicalStoreDirectory = directory
            }
            if let root = uri.root { moveBelow(root) }
            if let directory = uri.stateDirectory {
                stateDirectory = directory
                database = "\(directory)/db/db.sqlite"
            }
            if let directory = uri.logDirectory { logDirectory = directory }
            if let directory = uri.physicalStoreDirectory { physicalStoreDirectory = directory }
        }

        /// Makes it a chroot store below `root`. Its directories have Nix's usual names there, whatever variables say.
        mutating func moveBelow(_ root: String) {
            physicalStoreDirectory = "\(root)/nix/store"
            stateDirectory = "\(root)/nix/var/nix"
            logDirectory = "\(root)/nix/var/log/nix"
            database = "\(stateDirectory)/db/db.sqlite"
        }
    }

    /// Opens the store as Nix would (nix/src/libstore/store-api.cc, `openFromNonUri`): the database for those who may
    /// write the store's state, as root in a single-user installation; else the daemon; else the database read-only.
    ///
    /// - Throws: `.noStore` with what to do, or what the chosen way says.
    package static func open(_ places: Places) throws(NixStoreError) -> any StoreReader {
        switch places.way {
        case .local: return try openDatabase(places)
        case .daemon: return try openDaemon(places)
        case .auto:
            if File.isReadableAndWritable(places.stateDirectory) && File.exists(places.database) {
                return try openDatabase(places)
            }
            if File.exists(places.daemonSocket) {
                do throws(NixStoreError) {
                    return try openDaemon(places)
                } catch {
                    // A daemon that is not running leaves its socket behind; reading needs none.
                    guard case .system = error, File.isReadable(places.database) else { throw error }
                }
            }
            if let root = places.homeRoot, !File.exists(places.stateDirectory), File.exists(root) {
                var home = places
                home.moveBelow(root)
                return try openDatabase(home)
            }
            return try openDatabase(places)
        }
    }

    private static func openDatabase(_ places: Places) throws(NixStoreError) -> any StoreReader {
        guard File.exists(places.database) else {
            let lack = places.way == .auto
                ? "neither the database \(places.database) nor the daemon's socket \(places.daemonSocket) exists"
                : "the database \(places.database) does not exist"
            throw .noStore(reason: "there is no Nix store here: \(lack); install Nix, or name the store by --store or NIX_REMOTE")
        }
        return try StoreDatabase(
            path: places.database, storeDirectory: places.storeDirectory, physicalStoreDirectory: places.physicalStoreDirectory,
            logDirectory: places.logDirectory)
    }

    private static func openDaemon(_ places: Places) throws(NixStoreError) -> any StoreReader {
        try NixDaemon(
            socket: places.daemonSocket, storeDirectory: places.storeDirectory,
            physicalStoreDirectory: places.physicalStoreDirectory, logDirectory: places.logDirectory)
    }
}
