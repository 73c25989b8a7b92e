import Platform

/// Where the client talks: messages for people to standard error, results that a script reads to standard output.
/// While uploads run and a person looks on, their bars stand below the last message.
///
/// Threads share it; each line is written in one piece.
package final class Console: Sendable {
    /// What is drawn at most this often.
    private static let drawInterval = Duration.milliseconds(100)

    private struct State {
        var board = ProgressBoard()
        /// Lines of bars on the screen now.
        var drawnCount = 0
        var lastDraw: MonotonicTime?
    }

    /// How the bars are drawn; nil where there are none, in a pipe.
    private let style: ProgressBoard.Style?
    private let state = Monitor(State())

    /// - Parameter environment: `NO_COLOR` (no-color.org: any value but the empty one) and `TERM` count.
    package init(environment: [String: String]) {
        let hasBars = Terminal.isTerminal(Terminal.standardError) && environment["TERM"] != "dumb"
        let usesColor = environment["NO_COLOR", default: ""].isEmpty
        style = hasBars ? ProgressBoard.Style(usesColor: usesColor) : nil
    }

    /// Says one or more lines to the person. Other control characters than the ends of its lines are written out.
    package func say(_ text: String) {
        let text = text.escapingControls(keepingLineEnds: true)
        state.withLock { state in
            let erase = Self.erase(state.drawnCount)
            let bars = style.map { draw(&state, $0, at: .now) } ?? ""
            Terminal.put("\(erase)\(text)\n\(bars)", on: Terminal.standardError)
        }
    }

    /// Gives a result, one or more lines, in the same way.
    package func result(_ text: String) {
        Terminal.put("\(text.escapingControls(keepingLineEnds: true))\n", on: Terminal.standardOutput)
    }

    /// Asks the person, and gives the line that was typed; nil at the end of the input. Where no person sits at the input nothing is said,
    /// and its next line is the answer.
    ///
    /// - Parameter explanation: lines above the question.
    package func ask(_ question: String, below explanation: String) -> String? {
        guard Terminal.isTerminal(Terminal.standardInput) else { return Terminal.readLine(Terminal.standardInput) }
        say(explanation)
        Terminal.put(question, on: Terminal.standardError)
        let answer = Terminal.readLine(Terminal.standardInput)
        // Nobody pressed return: what comes next would stand behind the question.
        if answer == nil { Terminal.put("\n", on: Terminal.standardError) }
        return answer
    }

    // MARK: Bars

    package func beginBar(_ slot: Int, name: String, byteCount: Int64) {
        change { $0.begin(slot: slot, name: name, byteCount: byteCount, at: .now) }
    }

    package func moveBar(_ slot: Int, to sentByteCount: Int64) { change { $0.move(slot: slot, to: sentByteCount) } }

    /// Takes the bar away; it is gone from the screen when that is drawn next.
    package func endBar(_ slot: Int) { state.withLock { $0.board.end(slot: slot) } }

    /// Takes the bar away, and says what came of it in its place.
    package func endBar(_ slot: Int, saying text: String) {
        endBar(slot)
        say(text)
    }

    private func change(_ body: (inout ProgressBoard) -> Void) {
        guard let style else { return }
        state.withLock { state in
            body(&state.board)
            let now = MonotonicTime.now
            if let last = state.lastDraw, now - last < Self.drawInterval { return }
            let erase = Self.erase(state.drawnCount)
            Terminal.put(erase + draw(&state, style, at: now), on: Terminal.standardError)
        }
    }

    /// The bars as text, and the note that they are on the screen.
    private func draw(_ state: inout State, _ style: ProgressBoard.Style, at now: MonotonicTime) -> String {
        state.lastDraw = now
        // The window may have another size than last time.
        let size = Terminal.size(Terminal.standardError) ?? Terminal.Size(columns: 80, rows: 24)
        let lines = state.board.lines(in: size, at: now, style: style)
        state.drawnCount = lines.count
        return lines.map { "\($0)\n" }.joined()
    }

    /// Goes up to the first bar and clears all from there (ECMA-48: CUU, ED).
    private static func erase(_ lineCount: Int) -> String { lineCount == 0 ? "" : "\u{1B}[\(lineCount)A\u{1B}[J" }
}
