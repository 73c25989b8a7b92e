import AtticAPI
import Database
import HTTPServer
import Logging
import Platform
import Storage

/// The whole server: built from a configuration in one order, stopped in the reverse.
package final class Daemon: Sendable {
    private let context: Context
    private let server: Server
    private let upkeep: Upkeep

    /// Loops never wait, so they have heard of freed bytes long before.
    private static let breakOffTimeout = Duration.seconds(5)

    /// Opens database and storage, and listens; nothing is served before `start`.
    ///
    /// - Parameters:
    ///   - listen: addresses to serve on.
    ///   - collects: whether this process also collects garbage by time.
    /// - Throws: `DatabaseError`, `StorageError` or `SystemError`, each naming what could not be opened.
    package init(_ configuration: Configuration, listen: [ListenAddress], collects: Bool, log: Logger) throws {
        let catalog = try Daemon.openReadyCatalog(configuration, forServing: true, log: log)
        let openFilesMax = OpenFileLimit.raise()
        // A quarter for packs that somebody reads, a quarter for those of NARs that loops know; the rest are written to, or
        // belong to the database.
        let packsMax = max(1, Limits.forFiles(openFilesMax: openFilesMax) / 4)
        let store = try Daemon.openStore(configuration, catalog, openFilesMax: packsMax, forServing: true, log: log)
        // A bucket may have other servers; what a crash left there has a time that runs out.
        if let directory = store as? LocalChunkStore { try Daemon.recover(directory, catalog, log: log) }
        Daemon.reserveLog(of: catalog, log: log)
        let press = Press(
            threadCount: Processors.count, kind: configuration.compressionKind, level: configuration.compressionLevel)
        context = Context(
            configuration: configuration, catalog: catalog, store: store,
            access: Access(key: configuration.tokenKey, rules: configuration.tokenRules),
            hot: HotAnswers(filesMax: packsMax), accessTimes: AccessTimes(), press: press, time: .system, log: log)
        try context.readRevocations()
        let upkeep = Upkeep(
            context, sweepIntervalSeconds: collects ? configuration.garbageCollectionIntervalSeconds : 0)
        self.upkeep = upkeep
        let limits = Limits(configuration, openFilesMax: openFilesMax)
        let wanted = configuration.limits.connectionsMax
        if limits.connectionsMax < wanted {
            log.warning("this process may have \(openFilesMax) files open (ulimit -Hn; LimitNOFILE= of a systemd unit), so \(limits.connectionsMax) connections are taken at most; \(Limits.openFilesEnough(connectionsMax: wanted)) are enough for all \(wanted)")
        }
        let noteAccess: @Sendable (AccessBatch) -> Void = { upkeep.note($0) }
        server = try Server(
            listen: listen, limits: limits, handler: Application(context), loopCount: Processors.count,
            log: log, accessLog: configuration.logsAccess ? noteAccess : nil)
    }

    /// The addresses in use, with the ports that were bound.
    package var boundAddresses: [String] { server.boundAddresses }

    package func start() {
        context.bytesToFree.use { [server] in server.permitsChanged(waitingAtMost: Daemon.breakOffTimeout) }
        upkeep.start { [server] in server.permitsChanged() }
        context.health.start(context.catalog, context.store, context.log)
        server.start()
    }

    /// Whether the loops go round, and none hangs.
    package func isAlive(within patience: Duration) -> Bool { server.isAlive(within: patience) }

    /// Tells whoever asks for the server's health that it is about to end; it goes on serving.
    package func leave() { context.health.leave() }

    /// Stops in order: no new requests, those in flight finish, then what they worked with.
    package func stop() {
        leave()
        server.drain(timeout: .seconds(context.configuration.limits.drainSeconds))
        context.health.stop()
        upkeep.stop()
        context.press.close()
        context.catalog.close()
    }

    /// Who has no clients reads one thing after another; the second connection is for what is asked meanwhile.
    private static let readersOfTool = 2

    /// Opens the database of a configuration; makes its directory, as that of the storage is made.
    ///
    /// - Parameter forServing: with as many connections as clients may need.
    package static func openCatalog(_ configuration: Configuration, forServing: Bool = false, log: Logger) throws(DatabaseError) -> Catalog {
        if let path = configuration.database.path {
            do throws(SystemError) { try Directory.make(File.parent(of: path), permissions: 0o700, isDurable: true) } catch {
                throw DatabaseError(.cannotOpen, "open the database", path, "\(error)")
            }
        }
        var options = Catalog.Options()
        options.readerPatience = .seconds(configuration.databaseAcquireSeconds)
        // Connections to a file cost next to nothing; those to a server it has few of, and has them of all processes together.
        let most = configuration.database.path == nil
            ? configuration.databaseConnectionsMax - Catalog.otherConnections : max(4, Processors.count * 2)
        return try Catalog(
            configuration.database, readers: forServing ? most : min(most, readersOfTool), log: log, options: options)
    }

    /// As `openCatalog`, for those who do not bring the schema up to date themselves (`requireSchema`).
    static func openReadyCatalog(_ configuration: Configuration, forServing: Bool = false, log: Logger) throws -> Catalog {
        let catalog = try openCatalog(configuration, forServing: forServing, log: log)
        do {
            try requireSchema(of: catalog)
            return catalog
        } catch {
            catalog.close()
            throw error
        }
    }

    /// Takes the right to be the one process that collects by time.
    ///
    /// - Throws: `RunnerError` where another one is, with its name.
    static func becomeCollector(_ catalog: Catalog) throws -> ExclusiveLock {
        let turn = try catalog.take(.collector, waitingAtMost: .seconds(1))
        guard let lock = turn.lock else {
            throw RunnerError("a garbage collector is running already\(turn.holder), and one is enough: stop it first, or collect once with --mode garbage-collector-once")
        }
        return lock
    }

    /// Takes room for the database's log, where the disk has it; else the next collection may.
    static func reserveLog(of catalog: Catalog, log: Logger) {
        do { try catalog.reserveLog() } catch {
            log.notice("\(error): where this disk is full, a collection may find no room to write down what it deletes")
        }
    }

    /// Brings the database to this release's schema.
    ///
    /// - Parameter report: told the title of each step before it runs.
    /// - Throws: `StorageError` where a server has the storage directory: it would find another schema under it. Who shares a bucket
    ///   cannot be seen.
    package static func migrate(_ configuration: Configuration, log: Logger, report: (String) -> Void) throws {
        let isMade = configuration.s3 == nil && File.exists(configuration.storagePath)
        // The lock alone: what this user wrote there, the server's might not be able to read.
        let lock = isMade ? try LocalChunkStore.lockDirectory(configuration.storagePath) : nil
        if isMade && lock == nil { throw StorageError("lock", configuration.storagePath, .inUse) }
        defer { withExtendedLifetime(lock) {} }
        let catalog = try openCatalog(configuration, log: log)
        defer { catalog.close() }
        try catalog.migrate(report: report)
    }

    /// One collection beside whatever server is running; the mode `garbage-collector-once`.
    ///
    /// - Parameter goesOn: is asked between short steps.
    package static func collectOnce(
        _ configuration: Configuration, log: Logger, while goesOn: () -> Bool = { true }
    ) throws -> Sweeper.Report {
        let catalog = try openReadyCatalog(configuration, log: log)
        let heartbeat = Heartbeat(configuration, catalog)
        defer {
            heartbeat?.stop()
            catalog.close()
        }
        return try collect(configuration, catalog, log: log, while: goesOn)
    }

    /// One collection of a catalog that is open, perhaps for days: its schema may have changed meanwhile.
    static func collect(
        _ configuration: Configuration, _ catalog: Catalog, log: Logger, while goesOn: () -> Bool
    ) throws -> Sweeper.Report {
        try catalog.requireKnownSchema()
        try requireSchema(of: catalog)
        let store = try openStore(configuration, catalog, forServing: false, log: log)
        let turn = try catalog.beginCollection(waitingAtMost: .seconds(5))
        guard let lock = turn.lock else {
            throw RunnerError("another collection is at work\(turn.holder): it does what this one would; try again when it has ended")
        }
        let take: @Sendable () throws(StorageError) -> OpenFile? = { [path = configuration.storagePath] () throws(StorageError) in
            try LocalChunkStore.lockDirectory(path)
        }
        let sweeper = Sweeper(
            catalog: catalog, store: store, defaultRetentionSeconds: configuration.defaultRetentionSeconds, punchDelay: .zero,
            takeDirectory: store.packKind == .file ? take : nil,
            grace: .seconds(configuration.s3?.graceSeconds ?? 0), log: log)
        return try sweeper.sweep(now: .now, while: { goesOn() && lock.isHeld })
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
}
