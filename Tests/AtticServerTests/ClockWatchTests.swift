import Platform
import Testing

@testable import AtticServer

@Suite("A clock that jumps")
struct ClockWatchTests {
    private let wall = WallTime(milliseconds: 1_800_000_000_000)
    private let elapsed = MonotonicTime(nanoseconds: 5_000_000_000_000)

    @Test("what only goes on, or is corrected a little, is no step", arguments: [0, 250, 59_000, -59_000])
    func ordinary(_ correction: Int64) {
        var watch = ClockWatch(wall: wall, elapsed: elapsed)
        let day = Duration.seconds(86_400)
        #expect(watch.step(wall: wall + day + .milliseconds(correction), elapsed: elapsed + day) == nil)
    }

    @Test("a day forward and a day back are seen, once each")
    func steps() {
        var watch = ClockWatch(wall: wall, elapsed: elapsed)
        let day = Duration.seconds(86_400)
        #expect(watch.step(wall: wall + day + .seconds(1), elapsed: elapsed + .seconds(1)) == day)
        #expect(watch.step(wall: wall + day + .seconds(2), elapsed: elapsed + .seconds(2)) == nil)
        #expect(watch.step(wall: wall + .seconds(3), elapsed: elapsed + .seconds(3)) == .zero - day)
        #expect(watch.step(wall: wall + .seconds(4), elapsed: elapsed + .seconds(4)) == nil)
    }
}
