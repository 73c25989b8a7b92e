import Platform

/// When the next collection begins, of those that come at an interval.
struct CollectionTimes {
    /// How long after one that failed the next begins: what was away may be back, and an interval may be a day.
    static let retryTime = Duration.seconds(60)
    /// How often a collector looks whether it still has the right to be one: so long after a restart of the database another could
    /// take that.
    static let lookInterval = Duration.seconds(10)

    private let interval: Duration
    private(set) var next: MonotonicTime

    init(every interval: Duration, from first: MonotonicTime) {
        self.interval = interval
        next = first
    }

    func isDue(at now: MonotonicTime) -> Bool { next <= now }

    /// One begins.
    mutating func begin(at now: MonotonicTime) { next = now + interval }

    /// One has failed.
    mutating func failed(at now: MonotonicTime) { next = min(next, now + CollectionTimes.retryTime) }

    /// None is to begin for a while.
    mutating func hold(until end: MonotonicTime) { next = max(next, end) }

    /// How long a collector may sleep: until the next, and no longer than between two looks. One that is due and cannot begin waits
    /// for a look, too.
    ///
    /// - Parameter watchdog: how often the service manager wants to hear from it.
    func pause(at now: MonotonicTime, watchdog: Duration?) -> Duration {
        let look = min(CollectionTimes.lookInterval, watchdog.map { $0 / 3 } ?? CollectionTimes.lookInterval)
        return isDue(at: now) ? look : min(next - now, look)
    }
}
