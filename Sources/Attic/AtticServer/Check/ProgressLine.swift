import Platform

/// How far something has come, on standard error: one line that is drawn again on a terminal, a line now and then elsewhere.
///
/// Thread: one.
package final class ProgressLine {
    /// How often it is drawn for a person, and written into a file.
    private static let drawInterval = Duration.milliseconds(100)
    private static let lineInterval = Duration.seconds(10)

    private let program: String
    private let isDrawn: Bool
    private var next: MonotonicTime
    private var isOnScreen = false

    /// - Parameter program: what lines begin with.
    package init(program: String, environment: [String: String]) {
        self.program = program
        isDrawn = Terminal.isTerminal(Terminal.standardError) && environment["TERM"] != "dumb"
        // Who is done soon has nothing to tell.
        next = .now + (isDrawn ? ProgressLine.drawInterval : ProgressLine.lineInterval)
    }

    package func show(_ progress: CheckProgress) {
        let now = MonotonicTime.now
        guard now >= next else { return }
        next = now + (isDrawn ? ProgressLine.drawInterval : ProgressLine.lineInterval)
        if isDrawn {
            let width = (Terminal.size(Terminal.standardError)?.columns ?? 80) - 1
            Terminal.put("\r\u{1B}[K\(ProgressLine.drawn(progress, width: width))", on: Terminal.standardError)
            isOnScreen = true
        } else {
            Terminal.say("\(program): \(ProgressLine.words(progress))")
        }
    }

    /// Clears the line, so that others can be written.
    package func clear() {
        if isOnScreen { Terminal.put("\r\u{1B}[K", on: Terminal.standardError) }
        isOnScreen = false
    }

    /// `contents: 1200 of 4800 bytes; to go on here after a stop: --from 17`
    static func words(_ progress: CheckProgress) -> String {
        var text = "\(progress.part): \(progress.done)"
        if let total = progress.total { text += " of \(total) bytes" }
        if let next = progress.next { text += "; to go on here after a stop: --from \(next)" }
        return text
    }

    /// `contents [=====>      ]  25%`, or the words where there is no end to see.
    static func drawn(_ progress: CheckProgress, width: Int) -> String {
        guard let total = progress.total, total > 0 else { return String(words(progress).prefix(width)) }
        let share = min(Double(progress.done) / Double(total), 1)
        let percent = "\(Int(share * 100))%"
        let inner = min(40, width - progress.part.count - 10)
        guard inner >= 5 else { return String("\(progress.part) \(percent)".prefix(width)) }
        let full = Int(Double(inner - 1) * share)
        let bar = String(repeating: "=", count: full) + ">" + String(repeating: " ", count: inner - 1 - full)
        return "\(progress.part) [\(bar)] \(percent)"
    }
}
