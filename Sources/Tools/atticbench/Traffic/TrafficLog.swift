import Platform

/// What was asked when, and how long it took. Threads share it.
final class TrafficLog: Sendable {
    private struct Line: Sendable {
        let kind: StaticString
        let begin: WallTime
        let microseconds: Int64
    }

    private let lines = Monitor<[Line]>([])
    /// Failures that are said on standard error; all are counted as lines.
    private static let saidFailuresMax = 5
    private let failures = Monitor(0)

    /// Runs a request, and notes it where it does not throw.
    func time(_ kind: StaticString, _ request: () throws -> Void) rethrows {
        let (begin, clock) = (WallTime.now, MonotonicTime.now)
        try request()
        let line = Line(kind: kind, begin: begin, microseconds: (MonotonicTime.now - clock).wholeNanoseconds / 1000)
        lines.withLock { $0.append(line) }
    }

    func fail(_ failure: BenchFailure) {
        lines.withLock { $0.append(Line(kind: "failed", begin: .now, microseconds: 0)) }
        let count = failures.update { count in
            count += 1
            return count
        }
        if count <= TrafficLog.saidFailuresMax { Terminal.say("atticbench: \(failure.sentence)") }
    }

    /// Writes all lines to standard output: kind, beginning, duration, with tabs between.
    func print() throws(BenchFailure) {
        let text = lines.withLock { lines in
            lines.map { "\($0.kind)\t\($0.begin.milliseconds)\t\($0.microseconds)\n" }.joined()
        }
        try unsafe Array(text.utf8).span.withUnsafeBytes { bytes throws(BenchFailure) in try unsafe StandardStream.write(bytes) }
    }
}
