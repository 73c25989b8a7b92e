import Database
import Logging
import Platform
import Storage

/// One collection by a process that serves nothing, beside whatever does.
enum SingleCollection {
    /// Opens what a configuration names, and collects once; the mode `garbage-collector-once`.
    ///
    /// - Parameter goesOn: is asked between short steps.
    /// - Throws: also where another process is at it.
    static func run(
        _ configuration: Configuration, log: Logger, while goesOn: () -> Bool = { true }
    ) throws -> Sweeper.Report {
        let catalog = try Opening.readyCatalog(configuration, log: log)
        let heartbeat = Heartbeat(configuration, catalog)
        defer {
            heartbeat?.stop()
            catalog.close()
        }
        return try run(configuration, catalog, log: log, while: goesOn)
    }

    /// Collects once from a catalog that is open, perhaps for days: its schema may have changed meanwhile.
    ///
    /// - Throws: also where another process is at it.
    static func run(
        _ configuration: Configuration, _ catalog: Catalog, log: Logger, while goesOn: () -> Bool
    ) throws -> Sweeper.Report {
        try catalog.requireKnownSchema()
        try Opening.requireSchema(of: catalog)
        let store = try Opening.store(configuration, catalog, forServing: false, log: log)
        let attempt = try catalog.beginCollection(waitingAtMost: .seconds(5))
        guard let lock = attempt.lock else {
            throw RunnerError("another collection is at work\(attempt.holder): it does what this one would; try again when it has ended")
        }
        let take: @Sendable () throws(StorageError) -> OpenFile? = { [path = configuration.storagePath] () throws(StorageError) in
            try LocalChunkStore.lockDirectory(path)
        }
        let sweeper = Sweeper(
            catalog: catalog, store: store, defaultRetentionSeconds: configuration.defaultRetentionSeconds, punchDelay: .zero,
            takeDirectory: store.packKind == .file ? take : nil,
            grace: .seconds(configuration.s3?.graceSeconds ?? 0), log: log)
        return try sweeper.sweep(time: .system, while: { goesOn() && lock.isHeld })
    }
}
