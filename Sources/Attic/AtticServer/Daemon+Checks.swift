import Database
import HTTPServer
import Logging
import Platform
import Storage

// What is looked at before anything is served: that the database's schema is this release's, and for `check-config` all that a
// configuration names.

extension Daemon {
    /// Turns away a database whose schema is older than this release; one that is newer was refused when it was opened. Only the
    /// monolithic mode and `db-migrations` change it: of several servers each would, and those of the other release would break.
    static func requireSchema(of catalog: Catalog) throws {
        guard let missing = try catalog.pendingMigrations().first else { return }
        throw RunnerError(
            "the database's schema is older than this release (it lacks the step \"\(missing)\"): end the servers of the release before, "
                + "then bring it up to date with atticd --mode db-migrations")
    }

    /// Opens what a configuration names, and lets go of it again; for `check-config`.
    ///
    /// - Parameter listen: the addresses of the configuration, or of the command line.
    /// - Returns: what is wrong, a sentence each: with the database, with the storage, also that it is none of that database's, with an address; where something is not made yet,
    ///   that it could not be. Nothing is made.
    package static func findings(_ configuration: Configuration, listen: [ListenAddress], log: Logger) -> [String] {
        var findings: [String] = []
        func look(_ check: () throws -> Void) {
            do { try check() } catch { findings.append("\(error)\(Runner.advice(error))") }
        }
        // A database that is not there yet will know of no storage.
        var storage: StorageOutline? = .empty
        look {
            if let path = configuration.database.path, !File.exists(path) { return try checkCanBeMade(path) }
            storage = nil
            let outline = try outline(configuration, log: log)
            storage = outline.storage
            if !outline.missingSteps.isEmpty {
                log.notice("the database's schema is older than this release: --mode db-migrations brings it up to date, and so does --mode monolithic")
            }
        }
        look { try checkStorage(configuration, storage, log: log) }
        for address in listen {
            look {
                if try address.check() == .isTaken {
                    log.notice("somebody listens on \(address) already: a server of this configuration, most likely")
                }
            }
        }
        return findings
    }

    /// What the database says. A server's is only looked at, so that nothing is made in it.
    private static func outline(_ configuration: Configuration, log: Logger) throws(DatabaseError) -> Catalog.Outline {
        if configuration.database.path == nil { return try Catalog.outline(of: configuration.database) }
        let catalog = try openCatalog(configuration, log: log)
        defer { catalog.close() }
        return try catalog.outline()
    }
}
