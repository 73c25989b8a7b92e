import AtticAPI
import Database
import HTTP
import HTTPServer
import Logging
import Platform
import Storage

/// Whether the server can do its work, for whoever shares requests out among servers (`GET /_health`): whether database and storage
/// answer, and whether it is about to end.
///
/// A thread asks them, loops answer from what it found, so nobody who asks makes any work. One that does not answer in time counts as
/// one that fails, though nobody knows what becomes of the question.
package final class Health: Sendable {
    /// What the server cannot work without.
    enum Part: String, CaseIterable, Sendable {
        case database, storage
    }

    private struct State {
        /// What did not answer when it was asked last, or not well.
        var failing: Set<Part> = []
        /// The question that is under way.
        var asking: (part: Part, since: MonotonicTime)?
        var lastRound = MonotonicTime.now
        /// When a client asked last.
        var lastAsked: MonotonicTime?
        var isWoken = false
        var isLeaving = false
        var isStopping = false
        var thread: ThreadHandle?
    }

    /// How often the parts are asked while somebody wants to know: an answer is hardly older.
    static let interval = Duration.seconds(1)
    /// The same where nobody does: a request to a bucket costs money, and a disk may want to sleep.
    static let idleInterval = Duration.seconds(30)
    /// For how long after its last request somebody counts as wanting to know: load balancers ask every few seconds.
    static let attention = Duration.seconds(60)
    /// How long a part may take to answer: far longer than any that works, and shorter than load balancers wait.
    static let patience = Duration.seconds(3)

    private let state = Monitor(State())

    /// Before the first round everything counts as well: the server has just opened it.
    package init() {}

    /// The answer to a client, from memory. Thread: any; a loop, as a rule.
    package func response(at now: MonotonicTime = .now) -> Response {
        let (problem, isFirst) = state.withLock { state -> (Problem?, Bool) in
            let isFirst = state.lastAsked.map { now - $0 > Health.attention } ?? true
            state.lastAsked = now
            if state.isLeaving { return (.notReady("The server is about to end."), isFirst) }
            var failing = state.failing
            if let asking = state.asking, now - asking.since > Health.patience { failing.insert(asking.part) }
            guard !failing.isEmpty else { return (nil, isFirst) }
            let names = Part.allCases.filter { failing.contains($0) }.map { "the \($0.rawValue)" }.joined(separator: " and ")
            return (.notReady("At the moment \(names) cannot be reached."), isFirst)
        }
        if isFirst { state.update { $0.isWoken = true } }
        return problem?.response ?? Health.good
    }

    private static let good = Response(
        .ok, headers: [("Content-Type", "application/json"), ("Cache-Control", "no-store")], body: .bytes(Array(#"{"status":"ok"}"#.utf8)))

    /// From now on the answer is that the server ends, though it goes on serving.
    package func leave() { state.update { $0.isLeaving = true } }

    /// Begins to ask.
    func start(_ catalog: Catalog, _ store: any ChunkStore, _ log: Logger) {
        let thread = ThreadHandle(named: "health") { [self] in
            while waitForTurn() {
                ask(.database, log) { try catalog.ping() }
                ask(.storage, log) { try store.ping() }
                state.withLock { $0.lastRound = .now }
            }
        }
        state.update { $0.thread = thread }
    }

    /// Ends the thread, when the question that is under way has its answer.
    func stop() {
        let thread = state.update { state -> ThreadHandle? in
            state.isStopping = true
            defer { state.thread = nil }
            return state.thread
        }
        thread?.join()
    }

    /// Waits until the parts are to be asked; false where the server ends.
    private func waitForTurn() -> Bool {
        while true {
            let due = state.withLock { state in
                state.isWoken = false
                let isWatched = state.lastAsked.map { MonotonicTime.now - $0 < Health.attention } ?? false
                return state.lastRound + (isWatched ? Health.interval : Health.idleInterval)
            }
            let isStopping = state.wait(until: due) { state -> Bool? in state.isStopping ? true : state.isWoken ? false : nil }
            if isStopping == true { return false }
            if MonotonicTime.now >= due { return true }
        }
    }

    /// Asks one part. What changes is told to the log, with what clients are not told.
    func ask(_ part: Part, _ log: Logger, at now: MonotonicTime = .now, _ question: () throws -> Void) {
        state.withLock { $0.asking = (part, now) }
        var trouble: (any Error)?
        do { try question() } catch { trouble = error }
        let isChange = state.withLock { state in
            state.asking = nil
            return trouble == nil ? state.failing.remove(part) != nil : state.failing.insert(part).inserted
        }
        guard isChange else { return }
        if let trouble {
            log.warning("the \(part.rawValue) does not answer, so /_health is 503: \(trouble)")
        } else {
            log.notice("the \(part.rawValue) answers again")
        }
    }
}
