import Database
import HTTPServer
import Logging
import Platform

/// The thread that does what comes round by time: last access times, the access log, garbage collection.
///
/// Thread: its own, `upkeep`.
package final class Upkeep: Sendable {
    private struct State {
        var isStopping = false
        var answered = AccessBatch()
        var lostRecords = 0
        /// A change of others was seen, and could not be followed yet.
        var isBehind = false
        var thread: ThreadHandle?
    }

    /// What is attended to in between, however long the rest takes.
    private struct Turns {
        var answered = AccessBatch()
        var nextLook = MonotonicTime.now + Upkeep.lookInterval
    }

    private let state = Monitor(State())
    private let context: Context
    /// Nil where collection is left to another process.
    private let sweeper: Sweeper?
    private let puncher: Sweeper
    private let sweepInterval: Duration

    /// How often last access times are written.
    private static let flushInterval = Duration.seconds(5)
    /// How often other processes' changes are looked for: hot answers are right that long after them.
    private static let lookInterval = Duration.milliseconds(500)
    /// How long noted accesses are settled at a stretch.
    private static let settleTime = Duration.milliseconds(200)
    /// How often the access log is written.
    private static let logInterval = Duration.milliseconds(250)
    /// Bytes of requests that wait to be logged at most; those beyond are counted, not kept.
    private static let answeredBytesMax = 16 << 20

    /// - Parameter sweepIntervalSeconds: 0 leaves collection to another process.
    package init(_ context: Context, sweepIntervalSeconds: Int64) {
        self.context = context
        sweepInterval = .seconds(sweepIntervalSeconds)
        puncher = Sweeper(
            catalog: context.catalog, store: context.store,
            defaultRetentionSeconds: context.configuration.defaultRetentionSeconds,
            punchDelay: Sweeper.punchDelayBesideReaders, log: context.log)
        sweeper = sweepIntervalSeconds == 0 ? nil : puncher
    }

    package func start() {
        let thread = ThreadHandle(named: "upkeep") { [self] in run() }
        state.update { $0.thread = thread }
    }

    /// Takes the answers of a loop's turn. Thread: loop.
    package func note(_ answered: AccessBatch) {
        state.peek { state in
            if state.answered.byteCount + answered.byteCount <= Upkeep.answeredBytesMax {
                state.answered.append(answered)
            } else {
                state.lostRecords += answered.records.count
            }
        }
    }

    /// Ends the thread after a last flush.
    package func stop() {
        let thread = state.update { state in
            state.isStopping = true
            return state.thread
        }
        thread?.join()
    }

    private func run() {
        var turns = Turns()
        var isSettling = false
        var nextFlush = MonotonicTime.now + Upkeep.flushInterval
        var nextSweep = MonotonicTime.now + sweepInterval
        var nextPunch = MonotonicTime.now + Sweeper.punchDelayBesideReaders
        while true {
            let isStopping = state.wait(until: .now + Upkeep.logInterval) { $0.isStopping ? true : nil } ?? false
            attend(&turns)
            let now = MonotonicTime.now
            if isStopping || now >= nextFlush {
                context.accessTimes.flush(to: context.catalog, log: context.log)
                isSettling = true
                nextFlush = now + Upkeep.flushInterval
            }
            // What is noted in the database waits there for the next start.
            if isStopping { return }
            if isSettling { isSettling = settleAccesses() }
            if now >= nextPunch {
                punch(&turns)
                nextPunch = now + Sweeper.punchDelayBesideReaders
            }
            if let sweeper, now >= nextSweep {
                sweep(sweeper, &turns)
                nextSweep = .now + sweepInterval
            }
        }
    }

    /// Writes the access log, and looks for others' changes where it is time.
    private func attend(_ turns: inout Turns) {
        writeAccessLog(&turns.answered)
        let now = MonotonicTime.now
        guard now >= turns.nextLook else { return }
        noticeOthers()
        turns.nextLook = now + Upkeep.lookInterval
    }

    /// Where another process has changed the database (a collection, another server, atticadm), forgets the hot answers,
    /// lets go of packs that it removed, and learns which tokens were revoked.
    private func noticeOthers() {
        do {
            let isBehind = state.peek { $0.isBehind }
            guard try context.catalog.seesOtherProcessesChange() || isBehind else { return }
            state.peek { $0.isBehind = true }
            context.hot.forgetAll()
            context.store.releaseRemovedFiles()
            try context.readRevocations()
            state.peek { $0.isBehind = false }
        } catch {
            // Not known to be right any more, so they go.
            context.hot.forgetAll()
            context.log.warning("could not ask the database for others' changes, will try again: \(error)")
        }
    }

    /// Gives back the space of what was collected a while ago, by this process or another.
    private func punch(_ turns: inout Turns) {
        do {
            guard let lock = try context.store.beginCollection(waitingAtMost: .zero) else { return }
            defer { withExtendedLifetime(lock) {} }
            // Whose collection made the bytes dead must not matter.
            noticeOthers()
            let report = try puncher.punch(now: context.time.now()) { attend(&turns) }
            if report.freedBytes > 0 || report.failures > 0 { context.log.info("garbage collection: \(report)") }
        } catch {
            context.log.warning("could not give back the space of dead chunks, will try again: \(error)")
        }
    }

    /// Moves for a while what requests noted in the database into the objects' times; whether there is more.
    private func settleAccesses() -> Bool {
        let end = MonotonicTime.now + Upkeep.settleTime
        do {
            return try !context.catalog.settleAccesses {
                MonotonicTime.now < end && !state.peek { $0.isStopping }
            }
        } catch {
            context.log.warning("could not settle last access times, will try again: \(error)")
            return false
        }
    }

    private func sweep(_ sweeper: Sweeper, _ turns: inout Turns) {
        context.accessTimes.flush(to: context.catalog, log: context.log)
        do {
            guard let lock = try context.store.beginCollection(waitingAtMost: .seconds(5)) else {
                return context.log.notice("garbage collection: another process is at it")
            }
            defer { withExtendedLifetime(lock) {} }
            noticeOthers()
            let report = try sweeper.sweep(
                now: context.time.now(), rowsRemoved: { context.hot.forgetAll() }, meanwhile: { attend(&turns) })
            context.log.info("garbage collection: \(report)")
        } catch {
            context.log.error("garbage collection stopped, the next one goes on: \(error)")
        }
    }

    /// - Parameter spare: an empty batch, whose memory takes turns with that which is filled.
    private func writeAccessLog(_ spare: inout AccessBatch) {
        let lost = state.peek { state in
            defer { state.lostRecords = 0 }
            swap(&state.answered, &spare)
            return state.lostRecords
        }
        var log = AccessLog()
        for record in spare.records { log.add(record, request: spare.request(of: record)) }
        log.write()
        spare.removeAll()
        if lost > 0 { context.log.warning("\(lost) requests were not logged: the log could not keep up") }
    }
}
