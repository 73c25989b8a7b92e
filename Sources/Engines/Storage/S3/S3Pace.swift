import Platform

/// How fast a bucket is asked: requests are spread over each second, and tries that follow trouble wait longer each time.
///
/// Thread: any.
final class S3Pace: Sendable {
    private let next = Monitor(MonotonicTime(nanoseconds: 0))
    private let interval: Duration
    private let limits: S3Limits
    private let sleep: @Sendable (Duration) -> Void
    /// Requests that may begin at once after a quiet time.
    private static let burst = 64

    init(_ limits: S3Limits, sleep: @escaping @Sendable (Duration) -> Void) {
        self.limits = limits
        self.sleep = sleep
        interval = .nanoseconds(1_000_000_000 / Int64(max(1, limits.requestsPerSecondMax)))
    }

    /// Waits until another request may begin.
    func admit() {
        let now = MonotonicTime.now
        let earliest = now + .nanoseconds(-interval.wholeNanoseconds * Int64(S3Pace.burst))
        let turn = next.withLock { next in
            next = max(next, earliest) + interval
            return next
        }
        if turn > now { sleep(turn - now) }
    }

    /// Waits after trouble: a random time, so that many who met it do not come back together.
    ///
    /// - Parameter tries: how often it was tried in a row.
    func rest(after tries: Int) {
        let most = min(limits.backoffMax.wholeNanoseconds, limits.backoff.wholeNanoseconds << Int64(min(tries - 1, 16)))
        sleep(.nanoseconds(Int64.random(in: most / 2...max(most / 2, most))))
    }
}
