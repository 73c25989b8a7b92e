import Logging
import Platform
import Testing

@testable import AtticServer

@Suite("Trouble that keeps coming back")
struct TroubleLogTests {
    @Test("is told at once, then now and then with how often it was, each kind by itself")
    func bounded() {
        let lines = Monitor<[String]>([])
        let log = Logger(label: "test") { _ in LineHandler(lines: lines) }
        let troubles = TroubleLog()
        let start = MonotonicTime(nanoseconds: 1_000_000_000_000)
        for step in 0..<1000 { troubles.tell("full", .error, at: start + .milliseconds(step), in: log) { "full \(step)" } }
        troubles.tell("other", .error, at: start + .seconds(1), in: log) { "other" }
        troubles.tell("full", .error, at: start + TroubleLog.quietTime, in: log) { "full again" }
        troubles.tell("full", .error, at: start + TroubleLog.quietTime * 3, in: log) { "full for a third time" }
        #expect(lines.withLock { $0 } == [
            "full 0", "other", "full again (and 999 like it since the last such line)", "full for a third time",
        ])
    }
}
