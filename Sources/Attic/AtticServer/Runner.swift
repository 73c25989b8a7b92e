import HTTPServer
import Logging
import Platform

/// This release.
package enum Release {
    package static let version = "0.1.0"
    #if DEBUG
        package static let build = "debug"
    #else
        package static let build = "release"
    #endif
}

/// What `atticd` can be started as.
package enum Mode: String, CaseIterable, Sendable {
    /// API server and garbage collector in one process, with the first-run set-up and migrations.
    case monolithic
    /// The API only.
    case apiServer = "api-server"
    /// Collects garbage at its interval.
    case garbageCollector = "garbage-collector"
    /// Brings the database's schema up to date, and ends.
    case dbMigrations = "db-migrations"
    /// Collects garbage once, beside whatever is running, and ends.
    case garbageCollectorOnce = "garbage-collector-once"
    /// Reads the configuration, opens what it names, and says what is wrong.
    case checkConfig = "check-config"
}

/// How a tool ended, as the shell sees it.
package enum ExitStatus: Int32, Sendable {
    case done = 0
    case failed = 1
    case usage = 2
    // 3 to 5 are the client's: not permitted, unreachable, partly done.
    /// Something was wrong, and all of it is put right.
    case repaired = 6
    /// Something is wrong, and is left.
    case damaged = 7
}

/// `atticd` from its arguments on: finds the configuration, runs the mode, waits for the signal to stop.
///
/// Everything here is for people and goes to standard error. Thread: main.
package struct Runner: Sendable {
    let configurationPath: String?
    let listen: String?
    let mode: Mode

    package init(configurationPath: String?, listen: String?, mode: Mode) {
        self.configurationPath = configurationPath
        self.listen = listen
        self.mode = mode
    }

    /// Runs until done or told to stop. Errors are one line on standard error.
    package func run() -> ExitStatus {
        do {
            // Before any thread starts, so that every one of them leaves the signals to this one.
            Signals.block()
            // Signing keys lie in the database: what this process makes is for its user alone.
            File.keepToOwner()
            ProcessMemory.keepToItself()
            if mode != .checkConfig && mode != .garbageCollectorOnce {
                Terminal.say("Tetryx Server \(Release.version) (\(Release.build))\n")
            }
            let environment = Environment.all
            let configuration = try configuration(environment)
            Environment.hide(EnvironmentVariable.secrets)
            return try run(configuration, ServiceManager(environment: environment))
        } catch {
            Terminal.say("atticd: \(error)\(Runner.advice(error))")
            return .failed
        }
    }

    /// What to do about errors of the system that say only what happened.
    static func advice(_ error: any Error) -> String {
        guard let error = error as? SystemError, error.operation == "listen on" else { return "" }
        return switch error.errno {
        case .addressInUse: "; stop what listens there, or name another address with -l or \"listen\""
        case .accessDenied: "; ports below 1024 are for root: name another one with -l or \"listen\""
        default: "; name an address of this machine with -l or \"listen\""
        }
    }

    /// The configuration of `-f`, the environment or the usual place; made by the first run where there is none.
    private func configuration(_ environment: [String: String]) throws -> Configuration {
        if let found = try Configuration.find(path: configurationPath, environment: environment) { return found }
        guard let locations = Locations(environment: environment) else {
            throw RunnerError("neither XDG_CONFIG_HOME nor HOME is set: name a configuration file with -f")
        }
        guard mode == .monolithic else {
            throw RunnerError("there is no configuration file \(locations.configurationPath): start atticd once to make one, or name another with -f")
        }
        // What is wrong with it is said before anything is made: the root token is shown only once.
        let port = try listenAddress(nil).port ?? 8080
        let firstRun = try FirstRun.setUp(locations, now: .now)
        Terminal.say(firstRun.welcome(port: Int(port)))
        guard let made = try Configuration.find(path: locations.configurationPath, environment: environment) else {
            throw RunnerError("the configuration file \(locations.configurationPath) vanished after it was written")
        }
        return made
    }

    private func listenAddress(_ configuration: Configuration?) throws -> ListenAddress {
        try ListenAddress(
            parsing: listen ?? configuration?.listen ?? "[::]:8080",
            permissions: configuration?.socketPermissions ?? ListenAddress.permissionsDefault)
    }

    /// The sockets that the process was started with, in place of what the configuration says; what `-l` says is listened on as well.
    private func listenAddresses(_ configuration: Configuration, _ manager: ServiceManager) throws -> [ListenAddress] {
        let passed = try manager.takeSockets().map { ListenAddress.passed($0) }
        return passed.isEmpty || listen != nil ? passed + [try listenAddress(configuration)] : passed
    }

    private func run(_ configuration: Configuration, _ manager: ServiceManager) throws -> ExitStatus {
        let log = Runner.logger()
        for warning in configuration.warnings { log.warning("\(warning)") }
        // It has the signing keys of all caches.
        if let path = configuration.database.path, let warning = Configuration.looseness(path) { log.warning("\(warning)") }
        switch mode {
        case .monolithic:
            try migrate(configuration, log)
            return try serve(configuration, collects: true, manager, log)
        case .apiServer:
            return try serve(configuration, collects: false, manager, log)
        case .garbageCollector:
            try Collector.run(configuration, manager, log)
            return .done
        case .dbMigrations:
            try migrate(configuration, log)
            return .done
        case .garbageCollectorOnce:
            let report = try collectOnce(configuration, log)
            Terminal.say("Garbage collection: \(report)")
            return report.failures == 0 && !report.isStopped ? .done : .failed
        case .checkConfig:
            let findings = ConfigurationCheck.findings(configuration, listen: [try listenAddress(configuration)], log: log)
            for finding in findings { Terminal.say("atticd: \(finding)") }
            if findings.isEmpty { Terminal.say("The configuration is good.") }
            return findings.isEmpty ? .done : .failed
        }
    }

    private func migrate(_ configuration: Configuration, _ log: Logger) throws {
        Terminal.say("Running migrations...")
        try Opening.migrate(configuration, log: log) { title in Terminal.say("* Migrating \(title)...") }
    }

    private func serve(_ configuration: Configuration, collects: Bool, _ manager: ServiceManager, _ log: Logger) throws -> ExitStatus {
        Terminal.say("Starting API server...")
        let daemon = try Daemon(configuration, listen: listenAddresses(configuration, manager), collects: collects, log: log)
        daemon.start()
        for address in daemon.boundAddresses { Terminal.say("Listening on \(address)...") }
        manager.tell("READY=1\nSTATUS=Serving")
        wait(daemon, manager)
        manager.tell("STOPPING=1\nSTATUS=Ending")
        if configuration.drainDelaySeconds > 0 {
            // Load balancers hear of it, and send no more; whoever is in a hurry sends a second signal.
            daemon.leave()
            Terminal.say("Serving for \(configuration.drainDelaySeconds) more seconds, until load balancers have heard of the end...")
            wait(daemon, manager, atMost: .seconds(configuration.drainDelaySeconds))
        }
        Terminal.say("Finishing the requests in flight...")
        daemon.stop()
        return .done
    }

    /// Waits for a signal to end, and meanwhile lets the service manager know that the server is not stuck. SIGHUP is none: there is
    /// nothing to read again, a changed configuration counts from the next start.
    private func wait(_ daemon: Daemon, _ manager: ServiceManager, atMost patience: Duration? = nil) {
        let end = patience.map { MonotonicTime.now + $0 }
        while true {
            var pause = end.map { $0 - .now }
            if let time = manager.watchdogTime { pause = min(pause ?? time / 3, time / 3) }
            let signal = if let pause { Signals.wait(atMost: max(pause, .zero)) } else { Signals.wait() }
            if let signal, signal != .hangUp { return }
            if let time = manager.watchdogTime, daemon.isAlive(within: time / 3) { manager.tell("WATCHDOG=1") }
            if let end, end <= .now { return }
        }
    }

    /// One collection, which a signal ends after its next step.
    private func collectOnce(_ configuration: Configuration, _ log: Logger) throws -> Sweeper.Report {
        var isTold = false
        return try SingleCollection.run(configuration, log: log) {
            if !isTold { isTold = Signals.wait(atMost: .zero) != nil }
            return !isTold
        }
    }

    private static func logger() -> Logger { OperatorLog.make("atticd") }
}

/// A sentence for the one who started the program.
struct RunnerError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
