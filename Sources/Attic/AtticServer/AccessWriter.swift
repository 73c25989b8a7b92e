import Database
import HTTPServer
import Logging
import Platform

/// Writes down what was answered, each soon after its time: the access log, and when objects were last pulled. Its thread, `accesses`, does
/// nothing that takes long.
final class AccessWriter: Sendable {
    /// What is to be written into the access log. Only this thread waits for it.
    private struct State {
        var answered = AccessBatch()
        var lostRecords = 0
        var isStopping = false
    }

    private let state = Monitor(State())
    private let context: Context

    /// How often the access log is written at least, and the rest of the work looked at.
    private static let logInterval = Duration.milliseconds(250)
    /// So many bytes of requests are written before their time: few enough to be in a core's own memory still.
    private static let writtenBytesMin = 128 << 10
    /// Bytes of requests that wait to be logged at most; those beyond are counted, not kept.
    private static let answeredBytesMax = 16 << 20
    /// How often last access times are written.
    private static let flushInterval = Duration.seconds(5)
    /// How long noted accesses are settled at a stretch.
    private static let settleTime = Duration.milliseconds(200)

    init(_ context: Context) { self.context = context }

    /// Takes the answers of a loop's turn. Thread: loop.
    func note(_ answered: AccessBatch) {
        let isDue = state.withLock { state in
            let before = state.answered.byteCount
            if before + answered.byteCount <= AccessWriter.answeredBytesMax {
                state.answered.append(answered)
            } else {
                state.lostRecords += answered.records.count
            }
            return before < AccessWriter.writtenBytesMin && state.answered.byteCount >= AccessWriter.writtenBytesMin
        }
        if isDue { state.wakeAll() }
    }

    /// Lets `run` return, after a last flush.
    func stop() { state.update { $0.isStopping = true } }

    /// Writes until `stop`. Thread: accesses.
    func run() {
        var spare = AccessBatch()
        var isSettling = false
        var nextFlush = MonotonicTime.now + AccessWriter.flushInterval
        var nextTurn = MonotonicTime.now + AccessWriter.logInterval
        while true {
            let isStopping = state.wait(until: nextTurn) { state -> Bool? in
                if state.isStopping { return true }
                return state.answered.byteCount >= AccessWriter.writtenBytesMin ? false : nil
            } ?? false
            writeLog(&spare)
            let now = MonotonicTime.now
            // A busy server's log is written more often, and nothing else is done more often for that.
            if !isStopping && now < nextTurn { continue }
            defer { nextTurn = .now + AccessWriter.logInterval }
            if isStopping || now >= nextFlush {
                context.accessTimes.flush(to: context.catalog, log: context.log)
                isSettling = true
                nextFlush = now + AccessWriter.flushInterval
            }
            // What is noted in the database waits there for the next start.
            if isStopping { return }
            if isSettling { isSettling = settle() }
        }
    }

    /// Moves for a while what requests noted in the database into the objects' times; whether there is more.
    func settle() -> Bool {
        let end = MonotonicTime.now + AccessWriter.settleTime
        do {
            return try !context.catalog.settleAccesses {
                MonotonicTime.now < end && !state.withLock { $0.isStopping }
            }
        } catch {
            context.log.warning("could not settle last access times, will try again: \(error)")
            return false
        }
    }

    /// - Parameter spare: an empty batch, whose memory takes turns with that which is filled.
    private func writeLog(_ spare: inout AccessBatch) {
        let lost = state.withLock { state in
            defer { state.lostRecords = 0 }
            swap(&state.answered, &spare)
            return state.lostRecords
        }
        var lines = AccessLog()
        for record in spare.records { lines.add(record, request: spare.request(of: record)) }
        lines.write()
        spare.removeAll()
        if lost > 0 { context.log.warning("\(lost) requests were not logged: the log could not keep up") }
    }
}
