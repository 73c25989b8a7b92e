import Database
import Logging
import Platform
import Storage

/// What a configuration names, opened and found fit for this release: the database, and what chunks are kept in. Every program that works
/// with either of them begins here.
enum Opening {
    /// Who has no clients reads one thing after another; the second connection is for what is asked meanwhile.
    private static let readersOfTool = 2

    /// Opens the database of a configuration; makes its directory, as that of the storage is made.
    ///
    /// - Parameters:
    ///   - forServing: with as many connections as clients may need.
    ///   - mayBeReadOnly: takes also a file that this user may only read, as that of a backup; each write is refused then.
    static func catalog(
        _ configuration: Configuration, forServing: Bool = false, mayBeReadOnly: Bool = false, log: Logger
    ) throws(DatabaseError) -> Catalog {
        var options = Catalog.Options()
        if let path = configuration.database.path {
            do throws(SystemError) {
                try Directory.make(File.parent(of: path), permissions: 0o700, isDurable: true)
                // SQLite opens what it may only read, and would say so at the first push.
                if forServing { try requireWritable(database: path) }
                options.isReadOnly = mayBeReadOnly && File.exists(path) && !isWritable(database: path)
            } catch {
                throw DatabaseError(.cannotOpen, "open the database", path, "\(error)")
            }
        }
        options.readerPatience = .seconds(configuration.databaseAcquireSeconds)
        // Connections to a file cost next to nothing; those to a server it has few of, and has them of all processes together.
        let most = configuration.database.path == nil
            ? configuration.databaseConnectionsMax - Catalog.otherConnections : max(4, Processors.count * 2)
        return try Catalog(
            configuration.database, readers: forServing ? most : min(most, readersOfTool), log: log, options: options)
    }

    /// Makes sure that this user may change an SQLite database, and make the files beside it.
    static func requireWritable(database path: String) throws(SystemError) {
        try File.requireReadableAndWritable(File.parent(of: path))
        for file in [path, path + "-wal", path + "-shm"] where File.exists(file) { try File.requireReadableAndWritable(file) }
    }

    private static func isWritable(database path: String) -> Bool {
        do throws(SystemError) { try requireWritable(database: path) } catch { return false }
        return true
    }

    /// As `catalog`, for those who do not bring the schema up to date themselves (`requireSchema`).
    static func readyCatalog(
        _ configuration: Configuration, forServing: Bool = false, mayBeReadOnly: Bool = false, log: Logger
    ) throws -> Catalog {
        let catalog = try Opening.catalog(configuration, forServing: forServing, mayBeReadOnly: mayBeReadOnly, log: log)
        do {
            try requireSchema(of: catalog)
            return catalog
        } catch {
            catalog.close()
            throw error
        }
    }

    /// Turns away a database whose schema is older than this release; one that is newer was refused when it was opened. Only the
    /// monolithic mode and `db-migrations` change it: of several servers each would, and those of the other release would break.
    static func requireSchema(of catalog: Catalog) throws {
        guard let missing = try catalog.pendingMigrations().first else { return }
        throw RunnerError(
            "the database's schema is older than this release (it lacks the step \"\(missing)\"): end the servers of the release before, "
                + "then bring it up to date with atticd --mode db-migrations")
    }

    /// Brings the database to this release's schema.
    ///
    /// - Parameter report: told the title of each step before it runs.
    /// - Throws: `StorageError` where a server has the storage directory: it would find another schema under it. Who shares a bucket
    ///   cannot be seen.
    static func migrate(_ configuration: Configuration, log: Logger, report: (String) -> Void) throws {
        let isMade = configuration.s3 == nil && File.exists(configuration.storagePath)
        // The lock alone: what this user wrote there, the server's might not be able to read.
        let lock = isMade ? try LocalChunkStore.lockDirectory(configuration.storagePath) : nil
        if isMade && lock == nil { throw StorageError("lock", configuration.storagePath, .inUse) }
        defer { withExtendedLifetime(lock) {} }
        let catalog = try Opening.catalog(configuration, log: log)
        defer { catalog.close() }
        try catalog.migrate(report: report)
    }

    /// Opens what a configuration keeps its chunks in.
    ///
    /// - Parameters:
    ///   - catalog: where the names of packs in a bucket are written down.
    ///   - forServing: whether uploads come.
    /// - Throws: `StorageError`, naming what cannot be opened.
    static func store(
        _ configuration: Configuration, _ catalog: Catalog, openFilesMax: Int = 256, forServing: Bool, log: Logger
    ) throws(StorageError) -> any ChunkStore {
        guard let s3 = configuration.s3 else {
            let store = try LocalChunkStore(
                path: configuration.storagePath, openFilesMax: openFilesMax, forServing: forServing, log: log)
            // A file has one server; on a database server another may be at work with its directory, and have stored nothing yet.
            try DirectoryIdentity.check(
                store.id, at: configuration.storagePath, catalog, forServing: forServing, replacesUnused: configuration.database.path != nil)
            return store
        }
        let store = try S3ChunkStore(
            s3.bucket, s3.credentials, readFrom: s3.credentialsFile, limits: s3.limits,
            journal: CatalogPackJournal(catalog, time: .system, log: log),
            forServing: forServing, log: log)
        try BucketIdentity.check(store, at: configuration.storageName, catalog, forServing: forServing)
        return store
    }

    /// Cuts off what a crash left behind: bytes at the end of open packs that no row names.
    static func recover(_ store: LocalChunkStore, _ catalog: Catalog, log: Logger) throws {
        // The storage directory is locked for this process: whoever began an upload before is gone, with its holds.
        let afterAll = WallTime(milliseconds: .max)
        while try !catalog.write({ session throws(DatabaseError) in
            try session.expireUploads(at: afterAll, limit: 500).isFinished
        }) {}
        let living = try catalog.read { session throws(DatabaseError) in try session.unsealedPacks() }.compactMap { pack in
            PackName(pack.name).map { RecoverablePack(name: $0, byteCount: pack.byteCount) }
        }
        // Nobody else makes packs meanwhile.
        let named = Set(try catalog.read { session throws(DatabaseError) in try session.packNames() }.compactMap { PackName($0) })
        let report = try store.recover(unsealed: living) { named.contains($0) }
        if report.foundLoss {
            log.error("bytes are missing from the storage; is [storage] path the right one? What they belong to is answered 503 until it is pushed again: \(report)")
        } else if report != RecoveryReport() {
            log.notice("the storage was put in order after an unclean stop: \(report)")
        }
    }

    /// Takes room for the database's log, where the disk has it; else the next collection may.
    static func reserveLog(of catalog: Catalog, log: Logger) {
        do { try catalog.reserveLog() } catch {
            log.notice("\(error): where this disk is full, a collection may find no room to write down what it deletes")
        }
    }
}
