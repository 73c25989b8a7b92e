import Platform

/// What comes round by time beside requests, each on a thread that does nothing else: others' changes (`watch`), what was answered
/// (`accesses`), and garbage collection (`collection`). Starts them together, and ends them together.
final class Upkeep: Sendable {
    private struct Running {
        var heartbeat: Heartbeat?
        var threads: [ThreadHandle] = []
    }

    let watch: ForeignCommitWatch
    let accesses: AccessWriter
    let collection: CollectionLoop
    private let running = Monitor(Running())
    private let context: Context

    /// - Parameter interval: between two collections; nil leaves collection to another process.
    init(_ context: Context, collectsEvery interval: Duration?) {
        self.context = context
        watch = ForeignCommitWatch(context)
        accesses = AccessWriter(context)
        collection = CollectionLoop(context, watch, every: interval)
    }

    /// - Parameter onRevocation: is called when other tokens are revoked than before.
    func start(onRevocation: @escaping @Sendable () -> Void) {
        context.visitors.tellOfRevocations(onRevocation)
        let heartbeat = Heartbeat(context.configuration, context.catalog)
        let threads = [
            ThreadHandle(named: "watch") { [watch] in watch.run() },
            ThreadHandle(named: "accesses") { [accesses] in accesses.run() },
            ThreadHandle(named: "collection") { [collection] in collection.run() },
        ]
        running.update { running in
            running.threads = threads
            running.heartbeat = heartbeat
        }
    }

    /// Ends the threads, a collection with its next step, after a last flush.
    func stop() {
        let (threads, heartbeat) = running.withLock { ($0.threads, $0.heartbeat) }
        // All of them before the first is waited for: a database that does not answer holds up each of them.
        watch.stop()
        accesses.stop()
        collection.stop()
        for thread in threads { thread.join() }
        heartbeat?.stop()
        context.visitors.tellOfRevocations {}
    }
}
