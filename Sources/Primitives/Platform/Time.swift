import Glibc

/// A moment on the clock that never jumps (CLOCK_MONOTONIC), for deadlines and durations.
package struct MonotonicTime: Comparable, Hashable, Sendable {
    package let nanoseconds: Int64

    package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    package static var now: MonotonicTime { MonotonicTime(CLOCK_MONOTONIC) }

    /// As `now`, but it counts on while the machine sleeps (CLOCK_BOOTTIME); never to be compared with that.
    package static var sinceBoot: MonotonicTime { MonotonicTime(CLOCK_BOOTTIME) }

    private init(_ clock: clockid_t) {
        var time = Glibc.timespec()
        unsafe clock_gettime(clock, &time)
        self.init(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    /// Lets the calling thread sleep so long (nanosleep(2)); less where a signal comes.
    package static func sleep(_ duration: Duration) {
        let left = max(0, duration.wholeNanoseconds)
        var time = Glibc.timespec(tv_sec: Int(left / 1_000_000_000), tv_nsec: Int(left % 1_000_000_000))
        unsafe nanosleep(&time, nil)
    }

    package static func < (left: Self, right: Self) -> Bool { left.nanoseconds < right.nanoseconds }
    package static func - (left: Self, right: Self) -> Duration { .nanoseconds(left.nanoseconds - right.nanoseconds) }
    package static func + (left: Self, right: Duration) -> MonotonicTime {
        MonotonicTime(nanoseconds: left.nanoseconds + right.wholeNanoseconds)
    }

    var timespec: Glibc.timespec {
        Glibc.timespec(tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
    }
}

/// A moment of the calendar, in milliseconds since 1970 (CLOCK_REALTIME); what the database keeps. It may jump.
package struct WallTime: Comparable, Hashable, Sendable {
    package let milliseconds: Int64

    package init(milliseconds: Int64) { self.milliseconds = milliseconds }

    package var seconds: Int64 { milliseconds / 1000 }

    package static var now: WallTime {
        var time = Glibc.timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        return WallTime(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }

    package static func < (left: Self, right: Self) -> Bool { left.milliseconds < right.milliseconds }
    package static func + (left: Self, right: Duration) -> WallTime {
        WallTime(milliseconds: left.milliseconds + right.wholeNanoseconds / 1_000_000)
    }
    package static func - (left: Self, right: Duration) -> WallTime {
        WallTime(milliseconds: left.milliseconds - right.wholeNanoseconds / 1_000_000)
    }
}

/// The calendar's clock as something that is handed in, so that tests can set it.
package struct TimeSource: Sendable {
    package let now: @Sendable () -> WallTime
    package init(now: @escaping @Sendable () -> WallTime) { self.now = now }
    package static let system = TimeSource { .now }
}

extension Duration {
    /// The whole of it in nanoseconds; saturates at the ends of Int64 (292 years).
    package var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return seconds < 0 ? .min : .max }
        let (sum, carried) = scaled.addingReportingOverflow(attoseconds / 1_000_000_000)
        return carried ? (seconds < 0 ? .min : .max) : sum
    }
}
