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
    /// - Returns: what is wrong, a sentence each: with the database, with the storage, with an address; where something is not made yet,
    ///   that it could not be. Nothing is made.
    package static func findings(_ configuration: Configuration, listen: [ListenAddress], log: Logger) -> [String] {
        var findings: [String] = []
        func look(_ check: () throws -> Void) {
            do { try check() } catch { findings.append("\(error)\(Runner.advice(error))") }
        }
        look {
            if let path = configuration.database.path, !File.exists(path) { return try checkCanBeMade(path) }
            if try !missingSteps(configuration, log: log).isEmpty {
                log.notice("the database's schema is older than this release: --mode db-migrations brings it up to date, and so does --mode monolithic")
            }
        }
        look {
            if let s3 = configuration.s3 { return try checkBucket(s3, log: log) }
            guard File.exists(configuration.storagePath) else { return try checkCanBeMade(configuration.storagePath) }
            let store = try LocalChunkStore(path: configuration.storagePath, forServing: false, log: log)
            try store.ping()
        }
        for address in listen {
            look {
                if try address.check() == .isTaken {
                    log.notice("somebody listens on \(address) already: a server of this configuration, most likely")
                }
            }
        }
        return findings
    }

    /// Steps of the schema that the database lacks. A server's database is only looked at, so that nothing is made in it.
    private static func missingSteps(_ configuration: Configuration, log: Logger) throws(DatabaseError) -> [String] {
        if configuration.database.path == nil { return try Catalog.missingSteps(of: configuration.database) }
        let catalog = try openCatalog(configuration, log: log)
        defer { catalog.close() }
        return try catalog.pendingMigrations()
    }

    /// The nearest directory above that is there must let this process write.
    private static func checkCanBeMade(_ path: String) throws(SystemError) {
        var above = File.parent(of: path)
        while above != "/" && above != "." && !File.exists(above) { above = File.parent(of: above) }
        if try File.status(above).kind != .directory { throw SystemError("make", "\(path) below \(above)", .notDirectory) }
        if !File.isReadableAndWritable(above) { throw SystemError("make", "\(path) in \(above)", .accessDenied) }
    }
}
