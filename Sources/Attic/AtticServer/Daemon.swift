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
        let catalog = try Opening.readyCatalog(configuration, forServing: true, log: log)
        let openFilesMax = OpenFileLimit.raise()
        // A quarter for packs that somebody reads, a quarter for those of NARs that loops know; the rest are written to, or
        // belong to the database.
        let packsMax = max(1, Limits.forFiles(openFilesMax: openFilesMax) / 4)
        let store = try Opening.store(configuration, catalog, openFilesMax: packsMax, forServing: true, log: log)
        // A bucket may have other servers; what a crash left there has a time that runs out.
        if let directory = store as? LocalChunkStore { try Opening.recover(directory, catalog, log: log) }
        Opening.reserveLog(of: catalog, log: log)
        let press = Press(
            threadCount: Processors.count, kind: configuration.compressionKind, level: configuration.compressionLevel)
        context = Context(
            configuration: configuration, catalog: catalog, store: store,
            access: Access(key: configuration.tokenKey, rules: configuration.tokenRules),
            hot: HotAnswers(filesMax: packsMax), accessTimes: AccessTimes(), press: press, time: .system, log: log)
        try context.readRevocations()
        let collectionSeconds = collects ? configuration.garbageCollectionIntervalSeconds : 0
        upkeep = Upkeep(context, collectsEvery: collectionSeconds == 0 ? nil : .seconds(collectionSeconds))
        let limits = Limits(configuration, openFilesMax: openFilesMax)
        let wanted = configuration.limits.connectionsMax
        if limits.connectionsMax < wanted {
            log.warning("this process may have \(openFilesMax) files open (ulimit -Hn; LimitNOFILE= of a systemd unit), so \(limits.connectionsMax) connections are taken at most; \(Limits.openFilesEnough(connectionsMax: wanted)) are enough for all \(wanted)")
        }
        let noteAccess: @Sendable (AccessBatch) -> Void = { [accesses = upkeep.accesses] in accesses.note($0) }
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
}
