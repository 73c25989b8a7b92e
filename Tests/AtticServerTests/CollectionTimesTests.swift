import Platform
import Testing

@testable import AtticServer

@Suite("When the next collection begins")
struct CollectionTimesTests {
    private let start = MonotonicTime(nanoseconds: 1_000_000_000_000)
    private let interval = Duration.seconds(43_200)

    @Test func `is an interval after the last began, and at once for the first`() {
        var times = CollectionTimes(every: interval, from: start)
        #expect(times.isDue(at: start))
        times.begin(at: start)
        #expect(!times.isDue(at: start + .seconds(43_199)) && times.isDue(at: start + interval))
    }

    @Test func `is a minute after one that failed, or the interval where that is shorter`() {
        var times = CollectionTimes(every: interval, from: start)
        times.begin(at: start)
        let end = start + .seconds(600)
        times.failed(at: end)
        #expect(times.next == end + .seconds(60))
        var short = CollectionTimes(every: .seconds(1), from: start)
        short.begin(at: start)
        short.failed(at: start)
        #expect(short.next == start + .seconds(1))
    }

    @Test func `is not before the end of a hold`() {
        var times = CollectionTimes(every: interval, from: start)
        times.hold(until: start + .seconds(3600))
        times.hold(until: start)
        #expect(times.next == start + .seconds(3600))
    }

    @Test func `is slept for in short stretches, so that the right to collect is looked after`() {
        var times = CollectionTimes(every: interval, from: start)
        // Due, and it could not begin.
        #expect(times.pause(at: start, watchdog: nil) == .seconds(10))
        times.begin(at: start)
        #expect(times.pause(at: start, watchdog: nil) == .seconds(10))
        #expect(times.pause(at: start, watchdog: .seconds(60)) == .seconds(10))
        #expect(times.pause(at: start, watchdog: .seconds(6)) == .seconds(2))
        #expect(times.pause(at: start + interval + .seconds(-3), watchdog: nil) == .seconds(3))
    }
}
