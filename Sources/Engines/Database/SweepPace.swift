import Platform

/// How much a step of the sweep does, and how long the sweep rests after it. Pure.
///
/// What a row costs differs a hundredfold: its pages are in memory, or each is a read of a slow disk. So steps are measured, and
/// the next does as much as takes about `stepTime`. After each the sweep rests for as long as it took: whoever waits for the
/// database's one lock, in this process or another, gets it then.
struct SweepPace {
    /// Writers wait for a step at most, or, where it turned out larger than those before it, for one.
    static let stepTime = Duration.milliseconds(15)
    /// A step that had to wait itself (for a disk, for others) is no reason to rest for long.
    private static let restMax = Duration.milliseconds(200)
    /// Rows of the first step, of which nothing is known.
    private static let rowsAtFirst = 50

    private let rowsMax: Int
    /// What the next step does.
    private(set) var rows: Int

    /// - Parameter rowsMax: at least one.
    init(rowsMax: Int) {
        precondition(rowsMax > 0, "a step has at least one row")
        self.rowsMax = rowsMax
        rows = min(rowsMax, SweepPace.rowsAtFirst)
    }

    /// Notes how long the rows of a step took.
    mutating func note(_ duration: Duration) {
        if duration > SweepPace.stepTime {
            rows = max(1, Int(Double(rows) * (SweepPace.stepTime / duration)))
        } else if duration < SweepPace.stepTime / 2 {
            rows = min(rowsMax, rows * 2)
        }
    }

    /// How long to rest after a step that was asked for so long ago.
    static func rest(after duration: Duration) -> Duration { min(duration, restMax) }
}
