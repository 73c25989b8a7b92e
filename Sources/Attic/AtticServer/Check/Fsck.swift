import Database
import Logging
import Platform
import Storage

/// A check of what a configuration names, beside whatever server is running: `atticadm fsck`.
package enum Fsck {
    /// Checks, and puts right what it is told to.
    ///
    /// - Parameters:
    ///   - tell: is given each finding, when it is settled.
    ///   - move: is told how far it has come, often.
    ///   - goesOn: is asked often; false ends it with what was found until then.
    /// - Throws: what could not be opened or read, in a sentence; that is no damage yet.
    package static func run(
        _ configuration: Configuration, _ options: CheckOptions, log: Logger, tell: @escaping (Finding) -> Void,
        move: @escaping (CheckProgress) -> Void, goesOn: @escaping () -> Bool
    ) throws -> CheckReport {
        let (catalog, store) = try open(configuration, mayBeReadOnly: !options.repairs, log: log)
        defer { catalog.close() }
        return try Checker(catalog, store, options, tell: tell, move: move, goesOn: goesOn).run()
    }

    /// Opens database and storage, which must be there: nothing is made, or all packs of a disk that is not mounted would seem lost.
    ///
    /// - Parameter mayBeReadOnly: whether it does to read them, as on a medium that takes nothing.
    static func open(
        _ configuration: Configuration, mayBeReadOnly: Bool = false, log: Logger
    ) throws -> (catalog: Catalog, store: any ChunkStore) {
        if let path = configuration.database.path, !File.exists(path) {
            throw RunnerError("there is no database \(path), which the configuration names: correct it, or start atticd once")
        }
        guard configuration.s3 != nil || LocalChunkStore.exists(at: configuration.storagePath) else {
            throw RunnerError("there is no storage in \(configuration.storagePath), which the configuration names: correct it, or mount the disk that it is on")
        }
        let catalog = try Opening.readyCatalog(configuration, mayBeReadOnly: mayBeReadOnly, log: log)
        do {
            return (catalog, try Opening.store(configuration, catalog, forServing: false, log: log))
        } catch {
            catalog.close()
            throw error
        }
    }
}
