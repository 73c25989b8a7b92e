import Database
import HTTPServer
import Logging
import Platform
import Storage

/// What is wrong with all that a configuration names, looked at without making anything; the mode `check-config`.
enum ConfigurationCheck {
    /// Opens what a configuration names, and lets go of it again.
    ///
    /// - Parameter listen: the addresses of the configuration, or of the command line.
    /// - Returns: what is wrong, a sentence each: with the database, with the storage, also that it is none of that
    ///   database's, with an address; where something is not made yet, that it could not be. Nothing is made.
    static func findings(_ configuration: Configuration, listen: [ListenAddress], log: Logger) -> [String] {
        var findings: [String] = []
        func look(_ check: () throws -> Void) {
            do { try check() } catch { findings.append("\(error)\(Runner.advice(error))") }
        }
        // A database that is not there yet will know of no storage.
        var storage: StorageOutline? = .empty
        look {
            if let path = configuration.database.path {
                if !File.exists(path) { return try checkCanBeMade(path) }
                try Opening.requireWritable(database: path)
            }
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
        let catalog = try Opening.catalog(configuration, log: log)
        defer { catalog.close() }
        return try catalog.outline()
    }

    /// Asks the storage of a configuration something, and compares what it is with what the database says. Nothing is made.
    ///
    /// - Parameter database: what it says of its storage; nil where it cannot be asked, or is of an older release.
    private static func checkStorage(_ configuration: Configuration, _ database: StorageOutline?, log: Logger) throws {
        let isUsed = database?.namesPacks ?? false
        if let s3 = configuration.s3 {
            let store = try S3ChunkStore(
                s3.bucket, s3.credentials, limits: s3.limits, journal: nil, namesPacks: isUsed, forServing: false, log: log)
            guard let database, let refusal = try BucketIdentity(store, database).refusal else { return }
            throw StorageError("open storage", configuration.storageName, .refused(refusal))
        }
        let path = configuration.storagePath
        let id = try LocalChunkStore.id(at: path)
        if LocalChunkStore.exists(at: path) {
            for part in ["", "/LOCK", "/VERSION", "/packs"] where File.exists(path + part) { try File.requireReadableAndWritable(path + part) }
        } else {
            try checkCanBeMade(File.exists(path) ? path + "/VERSION" : path)
        }
        // As a server that starts would: a database on a server takes another directory as long as it names no packs.
        if isUsed || configuration.database.path != nil { try DirectoryIdentity.require(id, at: path, known: database?.storageID) }
    }

    /// The nearest directory above that is there must let this process write.
    private static func checkCanBeMade(_ path: String) throws(SystemError) {
        var above = File.parent(of: path)
        while above != "/" && above != "." && !File.exists(above) { above = File.parent(of: above) }
        if try File.status(above).kind != .directory { throw SystemError("make", "\(path) below \(above)", .notDirectory) }
        if !File.isReadableAndWritable(above) { throw SystemError("make", "\(path) in \(above)", .accessDenied) }
    }
}
