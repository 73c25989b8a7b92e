import Database
import Logging
import Platform

/// The mode `garbage-collector`: collects garbage at its interval, and is the one process that does. Thread: main.
struct Collector {
    private let configuration: Configuration
    private let catalog: Catalog
    private let manager: ServiceManager
    private let log: Logger
    private var right: CollectorRight
    private var schedule: CollectionSchedule
    /// A signal to end has come.
    private var isTold = false

    /// - Throws: also where another process is the collector, with its name.
    private init(_ configuration: Configuration, _ catalog: Catalog, _ manager: ServiceManager, _ log: Logger) throws {
        self.configuration = configuration
        self.catalog = catalog
        self.manager = manager
        self.log = log
        right = try CollectorRight(catalog, log)
        schedule = CollectionSchedule(every: .seconds(configuration.garbageCollectionIntervalSeconds), from: .now, log: log)
    }

    /// Collects until a signal says that it is enough.
    ///
    /// - Throws: `RunnerError` where another process is the collector, or has become it.
    static func run(_ configuration: Configuration, _ manager: ServiceManager, _ log: Logger) throws {
        let interval = configuration.garbageCollectionIntervalSeconds
        guard interval > 0 else {
            throw RunnerError("garbage-collection.interval is 0 in the configuration: nothing would ever be collected")
        }
        let catalog = try Opening.readyCatalog(configuration, log: log)
        let heartbeat = Heartbeat(configuration, catalog)
        defer {
            heartbeat?.stop()
            catalog.close()
        }
        var collector = try Collector(configuration, catalog, manager, log)
        Terminal.say("Collecting garbage every \(interval) seconds...")
        manager.tell("READY=1\nSTATUS=Collecting garbage every \(interval) seconds")
        try collector.run()
        manager.tell("STOPPING=1")
    }

    private mutating func run() throws {
        while true {
            manager.tell("WATCHDOG=1")
            let isCollector = try right.isHeld()
            // Last, since the right may take a while to ask for.
            if !schedule.seesClockSet(), isCollector, schedule.begin() {
                schedule.end(Result { .ended(try SingleCollection.run(configuration, catalog, log: log) { goesOn() }) })
            }
            if isTold { return }
            // SIGHUP is none to end: there is nothing to read again.
            let signal = Signals.wait(atMost: schedule.pause(at: .now, watchdog: manager.watchdogTime))
            if let signal, signal != .hangUp { return }
        }
    }

    /// Asked before each step, which as a rule takes a fraction of a second.
    private mutating func goesOn() -> Bool {
        manager.tell("WATCHDOG=1")
        if let signal = Signals.wait(atMost: .zero), signal != .hangUp { isTold = true }
        return !isTold && (try? right.isHeld()) == true
    }
}
