import Platform

/// Sees when the calendar's clock is set, by one that only goes on: what counts by the calendar (how long nobody has pulled a path)
/// must not be believed at once.
struct ClockWatch {
    /// A step of less is an ordinary correction.
    static let stepMin = Duration.seconds(60)

    private var wall: WallTime
    private var elapsed: MonotonicTime

    init(wall: WallTime = .now, elapsed: MonotonicTime = .sinceBoot) {
        self.wall = wall
        self.elapsed = elapsed
    }

    /// By how much the clock was set since this was asked last, above zero where it was set forward; nil where it only went on.
    mutating func step(wall: WallTime = .now, elapsed: MonotonicTime = .sinceBoot) -> Duration? {
        let shown = Duration.milliseconds(wall.milliseconds - self.wall.milliseconds)
        let step = shown - (elapsed - self.elapsed)
        (self.wall, self.elapsed) = (wall, elapsed)
        return step >= ClockWatch.stepMin || step <= .zero - ClockWatch.stepMin ? step : nil
    }
}
