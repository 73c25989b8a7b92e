import Database
import Logging
import Platform

/// The right to be the process that collects by time, and what becomes of it where the database lets go of it: it is taken again, as
/// soon as that can be.
struct CollectorRight {
    /// How long a right that was lost may be somebody else's before this process ends. Where the connection was cut without a word, our
    /// old session still has it: the server finds out about that by its keepalives, 30 s after the last that it heard
    /// (`PostgresLocation.greeting`); as long again is for a system that has others.
    static let refusalTime = Duration.seconds(60)

    private let catalog: Catalog
    private let log: Logger
    /// Let go of with the process.
    private var lock: ExclusiveLock
    /// The log has it that the right is lost.
    private var isLost = false
    /// Since when each who asks for it hears that another session has it.
    private var refusedSince: MonotonicTime?

    /// - Throws: also where another process is the collector, with its name.
    init(_ catalog: Catalog, _ log: Logger) throws {
        self.catalog = catalog
        self.log = log
        lock = try CollectorRight.take(catalog)
    }

    /// Whether this process is the collector. A database's server that was started again has let go of that, and then it is taken again.
    ///
    /// - Throws: `RunnerError` where another process was faster, and has kept it for a while.
    mutating func isHeld(at now: MonotonicTime = .now) throws -> Bool {
        if lock.isHeld { return true }
        do {
            lock = try CollectorRight.take(catalog)
            isLost = false
            refusedSince = nil
            log.notice("the database has let go of the right to be the collector, and has given it to this process again")
            return true
        } catch let error as RunnerError {
            let since = refusedSince ?? now
            refusedSince = since
            if now - since >= CollectorRight.refusalTime { throw error }
            lose("\(error)")
        } catch {
            refusedSince = nil
            lose("\(error)")
        }
        return false
    }

    private mutating func lose(_ reason: String) {
        if !isLost { log.warning("the database has let go of the right to be the collector, will try to take it again: \(reason)") }
        isLost = true
    }

    /// Takes the right.
    ///
    /// - Throws: `RunnerError` where another process is the collector, with its name.
    static func take(_ catalog: Catalog) throws -> ExclusiveLock {
        let attempt = try catalog.take(.collector, waitingAtMost: .seconds(1))
        guard let lock = attempt.lock else {
            throw RunnerError("a garbage collector is running already\(attempt.holder), and one is enough: stop it first, or collect once with --mode garbage-collector-once")
        }
        return lock
    }
}
