import Platform
import SQL

/// What is known of a server that is away: since when, and whether somebody is looking for it.
///
/// Who asks first waits for it, as it may be about to come back. Who asks later is refused at once, but for one at a time, who looks
/// again: a machine that is gone without a word is waited for by each who tries to connect, until the time for that is over.
///
/// Thread: any.
final class Absence: Sendable {
    private struct State {
        var since: MonotonicTime?
        /// Somebody tries to connect.
        var isTrying = false
        /// When somebody may try again.
        var nextTry = MonotonicTime.now
        var failure: SQLError?
    }

    /// How often it is looked for when nobody waits any more.
    private static let lookInterval = Duration.milliseconds(500)
    private static let pauseMax = Duration.milliseconds(500)

    private let patience: Duration
    private let state = Monitor(State())

    /// - Parameter patience: how long a server that went away is waited for.
    init(patience: Duration) { self.patience = patience }

    /// Connects again, as soon as the server is there.
    ///
    /// - Parameter connect: tries it once.
    /// - Throws: what the last try came to, where the server has been away for longer than one waits.
    func wait(connecting connect: () throws(SQLError) -> Void) throws(SQLError) {
        let begun = state.withLock { state in
            let begun = state.since ?? .now
            state.since = begun
            return begun
        }
        let deadline = begun + patience
        var pause = Duration.milliseconds(20)
        while true {
            if takeTurn() {
                do throws(SQLError) {
                    try connect()
                    found()
                    return
                } catch {
                    let isOver = error.kind != .disconnected || MonotonicTime.now + pause > deadline
                    failed(error, since: begun, pause: isOver ? Absence.lookInterval : pause)
                    if isOver { throw error }
                }
            } else if MonotonicTime.now + pause > deadline {
                throw refusal
            }
            MonotonicTime.sleep(pause)
            pause = min(pause * 2, Absence.pauseMax)
        }
    }

    private func takeTurn() -> Bool {
        state.withLock { state in
            guard !state.isTrying, MonotonicTime.now >= state.nextTry else { return false }
            state.isTrying = true
            return true
        }
    }

    /// It is back.
    private func found() { state.withLock { $0 = State() } }

    private func failed(_ failure: SQLError, since begun: MonotonicTime, pause: Duration) {
        state.withLock { $0 = State(since: $0.since ?? begun, isTrying: false, nextTry: .now + pause, failure: failure) }
    }

    private var refusal: SQLError {
        state.withLock { $0.failure } ?? SQLError(
            kind: .disconnected, code: "", operation: "connect to", subject: "the database's server", message: "it does not answer")
    }
}
