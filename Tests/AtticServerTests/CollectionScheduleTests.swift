import Logging
import Platform
import Testing

@testable import AtticServer

@Suite("When the next collection begins")
struct CollectionScheduleTests {
    private let start = MonotonicTime(nanoseconds: 1_000_000_000_000)
    private let wall = WallTime(milliseconds: 1_800_000_000_000)
    private let interval = Duration.seconds(43_200)
    private let lines = Monitor<[String]>([])

    private func schedule(every interval: Duration?) -> CollectionSchedule {
        let lines = lines
        return CollectionSchedule(
            every: interval, from: start, clock: ClockWatch(wall: wall, elapsed: start),
            log: Logger(label: "test") { _ in LineHandler(lines: lines) })
    }

    private struct Failure: Error {}

    private func ended(_ report: Sweeper.Report = Sweeper.Report()) -> Result<CollectionSchedule.Outcome, any Error> {
        .success(.ended(report))
    }

    @Test func `is an interval after the last began, and at once for the first`() {
        var schedule = schedule(every: interval)
        #expect(schedule.begin(at: start) == true)
        schedule.end(ended(), at: start + .seconds(600))
        #expect(schedule.begin(at: start + .seconds(43_199)) == false)
        #expect(schedule.begin(at: start + interval) == true)
    }

    @Test func `is a minute after one that failed, or the interval where that is shorter`() {
        var stopped = Sweeper.Report()
        stopped.isStopped = true
        let failures: [Result<CollectionSchedule.Outcome, any Error>] = [.failure(Failure()), .success(.troubleWasTold), ended(stopped)]
        let end = start + .seconds(600)
        for failure in failures {
            var schedule = schedule(every: interval)
            #expect(schedule.begin(at: start) == true)
            schedule.end(failure, at: end)
            #expect(schedule.next == end + .seconds(60))
        }
        var short = schedule(every: .seconds(1))
        #expect(short.begin(at: start) == true)
        short.end(.failure(Failure()), at: start)
        #expect(short.next == start + .seconds(1))
    }

    @Test func `is an interval after one that another process did`() {
        var schedule = schedule(every: interval)
        #expect(schedule.begin(at: start) == true)
        schedule.end(.success(.leftToAnother(" (other)")), at: start)
        #expect(schedule.next == start + interval)
        #expect(lines.withLock { $0 } == ["garbage collection: another process is at it (other)"])
    }

    @Test func `is not before an hour after the clock was set forward, whatever becomes of it then`() {
        var schedule = schedule(every: .seconds(1))
        let day = Duration.seconds(86_400)
        #expect(schedule.seesClockSet(wall: wall + day, elapsed: start, at: start) == true)
        #expect(schedule.begin(at: start) == false)
        // Being set right is a step, too, and no reason to go on earlier.
        #expect(schedule.seesClockSet(wall: wall + .seconds(10), elapsed: start + .seconds(10), at: start + .seconds(10)) == true)
        #expect(schedule.begin(at: start + .seconds(3599)) == false)
        #expect(schedule.seesClockSet(wall: wall + .seconds(3600), elapsed: start + .seconds(3600), at: start + .seconds(3600)) == false)
        #expect(schedule.begin(at: start + .seconds(3600)) == true)
        #expect(lines.withLock { $0 } == [
            "the system's clock was set forward by 86400 seconds: nothing is collected for 3600 seconds, so that no path goes for a clock that is wrong",
            "the system's clock was set back by 86400 seconds",
        ])
    }

    @Test func `is no earlier for a clock that was set forward`() {
        var schedule = schedule(every: interval)
        #expect(schedule.begin(at: start) == true)
        #expect(schedule.seesClockSet(wall: wall + .seconds(86_400), elapsed: start, at: start) == true)
        #expect(schedule.next == start + interval)
    }

    @Test func `is never where another process collects`() {
        var schedule = schedule(every: nil)
        #expect(schedule.begin(at: start + interval) == false)
        #expect(schedule.next == nil)
        // And nothing is promised of what it does.
        #expect(schedule.seesClockSet(wall: wall + .seconds(100), elapsed: start, at: start) == true)
        #expect(schedule.next == nil)
        #expect(lines.withLock { $0 } == ["the system's clock was set forward by 100 seconds"])
    }

    @Test func `is slept for in short stretches, so that the right to collect is looked after`() {
        var schedule = schedule(every: interval)
        // Due, and it could not begin.
        #expect(schedule.pause(at: start, watchdog: nil) == .seconds(10))
        #expect(schedule.begin(at: start) == true)
        #expect(schedule.pause(at: start, watchdog: nil) == .seconds(10))
        #expect(schedule.pause(at: start, watchdog: .seconds(60)) == .seconds(10))
        #expect(schedule.pause(at: start, watchdog: .seconds(6)) == .seconds(2))
        #expect(schedule.pause(at: start + interval + .seconds(-3), watchdog: nil) == .seconds(3))
    }
}
