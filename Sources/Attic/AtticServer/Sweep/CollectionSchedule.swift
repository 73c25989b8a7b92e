import Logging
import Platform

/// When a process collects garbage, and what its log says of that: at an interval, soon after a collection that failed, and for a while
/// not at all after the system's clock was set forward. A server's thread (`CollectionLoop`) and a process that does nothing else
/// (`Collector`) both go by it; each waits in its own way.
struct CollectionSchedule {
    /// What became of a collection that was begun, where it did not throw.
    enum Outcome {
        case ended(Sweeper.Report)
        /// Another process is at it; with its name, as it stands in a sentence.
        case leftToAnother(String)
        /// It could not be; the log knows why already.
        case troubleWasTold
    }

    /// How long after one that failed the next begins: what was away may be back, and an interval may be a day.
    static let retryTime = Duration.seconds(60)
    /// How long nothing is collected after the clock was set forward: time to set it right again.
    static let clockHoldTime = Duration.seconds(3600)
    /// How often a collector looks whether it still has the right to be one: so long after a restart of the database another could
    /// take that.
    static let lookInterval = Duration.seconds(10)

    private let interval: Duration?
    /// When the next collection begins; nil where that is left to another process.
    private(set) var next: MonotonicTime?
    private var clock: ClockWatch
    private let log: Logger

    /// - Parameter interval: nil leaves collection to another process.
    init(every interval: Duration?, from first: MonotonicTime, clock: ClockWatch = ClockWatch(), log: Logger) {
        self.interval = interval
        next = interval == nil ? nil : first
        self.clock = clock
        self.log = log
    }

    /// Whether the clock was set since this was asked last, which the log hears. Asked before each `begin`: how long nobody has pulled a
    /// path is counted by that clock, so where it was set forward nothing is due for a while.
    mutating func seesClockSet(
        wall: WallTime = .now, elapsed: MonotonicTime = .sinceBoot, at now: MonotonicTime = .now
    ) -> Bool {
        guard let step = clock.step(wall: wall, elapsed: elapsed) else { return false }
        let seconds = step.components.seconds
        let holdTime = CollectionSchedule.clockHoldTime
        var consequence = ""
        if step > .zero, let next {
            self.next = max(next, now + holdTime)
            consequence = ": nothing is collected for \(holdTime.components.seconds) seconds, so that no path goes for a clock that is wrong"
        }
        log.warning("the system's clock was set \(seconds > 0 ? "forward" : "back") by \(abs(seconds)) seconds\(consequence)")
        return true
    }

    /// Begins a collection where one is due; else false. What becomes of it `end` is told.
    mutating func begin(at now: MonotonicTime = .now) -> Bool {
        guard let interval, isDue(at: now) else { return false }
        next = now + interval
        return true
    }

    /// A collection that was begun is over. What failed is for the log, and for the next one.
    mutating func end(_ outcome: Result<Outcome, any Error>, at now: MonotonicTime = .now) {
        switch outcome {
        case .success(.ended(let report)):
            log.info("garbage collection: \(report)")
            if report.isStopped { retrySoon(now) }
        case .success(.leftToAnother(let holder)): log.notice("garbage collection: another process is at it\(holder)")
        case .success(.troubleWasTold): retrySoon(now)
        case .failure(let error):
            log.error("garbage collection stopped, the next one goes on: \(error)")
            retrySoon(now)
        }
    }

    /// How long a collector may sleep: until the next, and no longer than between two looks. One that is due and cannot begin waits
    /// for a look, too.
    ///
    /// - Parameter watchdog: how often the service manager wants to hear from it.
    func pause(at now: MonotonicTime, watchdog: Duration?) -> Duration {
        let look = min(CollectionSchedule.lookInterval, watchdog.map { $0 / 3 } ?? CollectionSchedule.lookInterval)
        guard let next, !isDue(at: now) else { return look }
        return min(next - now, look)
    }

    private func isDue(at now: MonotonicTime) -> Bool { next.map { $0 <= now } ?? false }

    private mutating func retrySoon(_ now: MonotonicTime) { next = next.map { min($0, now + CollectionSchedule.retryTime) } }
}
