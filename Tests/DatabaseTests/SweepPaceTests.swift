import Platform
import Testing

@testable import Database

@Suite struct SweepPaceTests {
    @Test func `steps grow while they are short, up to the most`() {
        var pace = SweepPace(rowsMax: 500)
        #expect(pace.rows == 50)
        var sizes: [Int] = []
        for _ in 0..<5 {
            pace.note(.milliseconds(1))
            sizes.append(pace.rows)
        }
        #expect(sizes == [100, 200, 400, 500, 500])
        pace.note(SweepPace.stepTime)
        #expect(pace.rows == 500, "as long as wanted")
    }

    @Test func `a step that was long makes the next as much shorter, and none has no row`() {
        var pace = SweepPace(rowsMax: 500)
        pace.note(SweepPace.stepTime * 5)
        #expect(pace.rows == 10)
        pace.note(SweepPace.stepTime * 5000)
        #expect(pace.rows == 1)
        pace.note(.zero)
        #expect(pace.rows == 2)
    }

    @Test func `no step has more rows than were asked for`() {
        #expect(SweepPace(rowsMax: 7).rows == 7)
        var pace = SweepPace(rowsMax: 1)
        pace.note(.zero)
        #expect(pace.rows == 1)
    }

    @Test func `a rest is as long as the step, within bounds`() {
        #expect(SweepPace.rest(after: .milliseconds(20)) == .milliseconds(20))
        #expect(SweepPace.rest(after: .seconds(20)) == .milliseconds(200))
    }
}
