import Platform
import Testing

@testable import HTTPServer

@Suite struct DeadlinesTests {
    private func time(_ milliseconds: Int64) -> MonotonicTime { MonotonicTime(nanoseconds: milliseconds * 1_000_000) }

    private func expect(_ deadlines: inout Deadlines, _ now: MonotonicTime, _ isRight: (Int?) -> Bool) {
        let slot = deadlines.takeExpired(now: now)
        #expect(isRight(slot), "slot \(slot.map(String.init) ?? "none") at \(now.nanoseconds)")
    }

    private func deadlines() -> Deadlines {
        var limits = Limits()
        limits.idleTime = .milliseconds(100)
        limits.headTime = .milliseconds(10)
        return Deadlines(limits: limits)
    }

    @Test func whatWasSetFirstExpiresFirstAndEachOnce() {
        var deadlines = deadlines()
        deadlines.set(5, .idle, now: time(0))
        deadlines.set(2, .idle, now: time(1))
        deadlines.set(9, .head, now: time(50))
        #expect(deadlines.earliest == time(60))
        expect(&deadlines, time(59), { $0 == nil })
        expect(&deadlines, time(60), { $0 == 9 })
        expect(&deadlines, time(60), { $0 == nil })
        expect(&deadlines, time(200), { $0 == 5 })
        expect(&deadlines, time(200), { $0 == 2 })
        expect(&deadlines, time(200), { $0 == nil })
        #expect(deadlines.earliest == nil)
    }

    @Test func aDeadlineThatIsSetAgainMovesToTheEnd() {
        var deadlines = deadlines()
        for slot in 0..<3 { deadlines.set(slot, .idle, now: time(0)) }
        deadlines.set(1, .idle, now: time(20))
        deadlines.set(0, .head, now: time(100))
        deadlines.remove(2)
        #expect(deadlines.kind(of: 0) == .head)
        #expect(deadlines.kind(of: 2) == nil)
        #expect(deadlines.earliest == time(110))
        expect(&deadlines, time(130), { $0 != nil })
        expect(&deadlines, time(130), { $0 != nil })
        expect(&deadlines, time(130), { $0 == nil })
    }

    @Test func manyDeadlinesAgreeWithASortedList() {
        var deadlines = deadlines()
        var expected: [Int: (Int64, DeadlineClass)] = [:]
        var generator = SystemRandomNumberGenerator()
        for step in 0..<2000 {
            let slot = Int.random(in: 0..<50, using: &generator)
            let kind = DeadlineClass.allCases.randomElement(using: &generator) ?? .idle
            if Int.random(in: 0..<3, using: &generator) == 0 {
                deadlines.remove(slot)
                expected[slot] = nil
            } else {
                deadlines.set(slot, kind, now: time(Int64(step)))
                expected[slot] = (Int64(step) + kind.duration(limits).wholeNanoseconds / 1_000_000, kind)
            }
            #expect(deadlines.earliest == expected.values.map(\.0).min().map(time))
        }
    }

    private var limits: Limits {
        var limits = Limits()
        limits.idleTime = .milliseconds(100)
        limits.headTime = .milliseconds(10)
        return limits
    }
}
