import Database
import HTTPServer
import Logging
import Platform

/// What comes round by time: others' changes, on a thread that waits for nothing else (`watch`); last access times and the access log,
/// each soon after its time (`upkeep`); and garbage collection, which takes minutes (`collection`).
package final class Upkeep: Sendable {
    private struct State {
        var isStopping = false
        /// A change of others was seen, and could not be followed yet.
        var isBehind = false
        var heartbeat: Heartbeat?
        var threads: [ThreadHandle] = []
    }

    /// What is to be written into the access log. Only upkeep waits for it.
    private struct Log {
        var answered = AccessBatch()
        var lostRecords = 0
        var isStopping = false
    }

    private let state = Monitor(State())
    private let log = Monitor(Log())
    /// One at a time: who asks next must not hear that nothing has changed while the first is still at forgetting.
    private let looking = Monitor(())
    private let context: Context
    /// Nil where collection is left to another process.
    private let sweeper: Sweeper?
    private let puncher: Sweeper
    private let sweepInterval: Duration

    /// How often last access times are written.
    private static let flushInterval = Duration.seconds(5)
    /// How often other processes' changes are looked for. What is in memory counts for three times that (`Freshness.usualTime`), so that
    /// a look may be late without any harm.
    private static let lookInterval = Duration.milliseconds(500)
    /// How long noted accesses are settled at a stretch.
    private static let settleTime = Duration.milliseconds(200)
    /// How often the access log is written at least, and the rest of upkeep's work looked at.
    private static let logInterval = Duration.milliseconds(250)
    /// How long nothing is collected after the clock was set forward: time to set it right again.
    private static let clockHoldTime = Duration.seconds(3600)
    /// So many bytes of requests are written before their time: few enough to be in a core's own memory still.
    private static let writtenBytesMin = 128 << 10
    /// Bytes of requests that wait to be logged at most; those beyond are counted, not kept.
    private static let answeredBytesMax = 16 << 20

    /// - Parameter sweepIntervalSeconds: 0 leaves collection to another process.
    package init(_ context: Context, sweepIntervalSeconds: Int64) {
        self.context = context
        sweepInterval = .seconds(sweepIntervalSeconds)
        puncher = Sweeper(
            catalog: context.catalog, store: context.store,
            defaultRetentionSeconds: context.configuration.defaultRetentionSeconds,
            punchDelay: Sweeper.punchDelayBesideReaders, bytesToFree: context.bytesToFree,
            grace: .seconds(context.configuration.s3?.graceSeconds ?? 0), log: context.log)
        sweeper = sweepIntervalSeconds == 0 ? nil : puncher
    }

    /// - Parameter onRevocation: is called when other tokens are revoked than before.
    package func start(onRevocation: @escaping @Sendable () -> Void) {
        context.visitors.tellOfRevocations(onRevocation)
        let heartbeat = Heartbeat(context.configuration, context.catalog)
        let threads = [
            ThreadHandle(named: "watch") { [self] in watch() }, ThreadHandle(named: "upkeep") { [self] in run() },
            ThreadHandle(named: "collection") { [self] in collect() },
        ]
        state.update { state in
            state.threads = threads
            state.heartbeat = heartbeat
        }
    }

    /// Takes the answers of a loop's turn. Thread: loop.
    package func note(_ answered: AccessBatch) {
        let isDue = log.withLock { log in
            let before = log.answered.byteCount
            if before + answered.byteCount <= Upkeep.answeredBytesMax {
                log.answered.append(answered)
            } else {
                log.lostRecords += answered.records.count
            }
            return before < Upkeep.writtenBytesMin && log.answered.byteCount >= Upkeep.writtenBytesMin
        }
        if isDue { log.wakeAll() }
    }

    /// Ends the threads, a collection with its next step, after a last flush.
    package func stop() {
        let (threads, heartbeat) = state.update { state in
            state.isStopping = true
            return (state.threads, state.heartbeat)
        }
        log.update { $0.isStopping = true }
        for thread in threads { thread.join() }
        heartbeat?.stop()
        context.visitors.tellOfRevocations {}
    }

    private var isStopping: Bool { state.withLock { $0.isStopping } }

    // MARK: Thread: watch

    private func watch() {
        repeat { noticeOthers() } while state.wait(until: .now + Upkeep.lookInterval, { $0.isStopping ? true : nil }) == nil
    }

    /// Where another process has changed the database (a collection, another server, atticadm), forgets the hot answers,
    /// lets go of packs that it removed, and learns which tokens were revoked. What is kept then counts for a while.
    ///
    /// - Returns: false where the database could not be asked. What is in memory is left, and soon counts for nothing.
    @discardableResult
    func noticeOthers() -> Bool { looking.withLock { _ in noticeOthersAlone() } }

    private func noticeOthersAlone() -> Bool {
        let begun = MonotonicTime.now
        do {
            let isBehind = state.withLock { $0.isBehind }
            if try context.catalog.seesOtherProcessesChange() || isBehind {
                state.withLock { $0.isBehind = true }
                context.hot.forgetAll()
                context.store.releaseRemovedFiles()
                try context.readRevocations()
                state.withLock { $0.isBehind = false }
            }
            context.freshness.looked(at: begun)
            return true
        } catch {
            context.troubles.tell("others' changes \(error.kind)", .warning, in: context.log) {
                "could not ask the database for others' changes, so nothing is answered from memory until that works again: \(error)"
            }
            return false
        }
    }

    // MARK: Thread: upkeep

    private func run() {
        var spare = AccessBatch()
        var isSettling = false
        var nextFlush = MonotonicTime.now + Upkeep.flushInterval
        var nextTurn = MonotonicTime.now + Upkeep.logInterval
        while true {
            let isStopping = log.wait(until: nextTurn) { log -> Bool? in
                if log.isStopping { return true }
                return log.answered.byteCount >= Upkeep.writtenBytesMin ? false : nil
            } ?? false
            writeAccessLog(&spare)
            let now = MonotonicTime.now
            // A busy server's log is written more often, and nothing else is done more often for that.
            if !isStopping && now < nextTurn { continue }
            defer { nextTurn = .now + Upkeep.logInterval }
            if isStopping || now >= nextFlush {
                context.accessTimes.flush(to: context.catalog, log: context.log)
                isSettling = true
                nextFlush = now + Upkeep.flushInterval
            }
            // What is noted in the database waits there for the next start.
            if isStopping { return }
            if isSettling { isSettling = settleAccesses() }
        }
    }

    /// Moves for a while what requests noted in the database into the objects' times; whether there is more.
    func settleAccesses() -> Bool {
        let end = MonotonicTime.now + Upkeep.settleTime
        do {
            return try !context.catalog.settleAccesses {
                MonotonicTime.now < end && !isStopping
            }
        } catch {
            context.log.warning("could not settle last access times, will try again: \(error)")
            return false
        }
    }

    /// - Parameter spare: an empty batch, whose memory takes turns with that which is filled.
    private func writeAccessLog(_ spare: inout AccessBatch) {
        let lost = log.withLock { log in
            defer { log.lostRecords = 0 }
            swap(&log.answered, &spare)
            return log.lostRecords
        }
        var lines = AccessLog()
        for record in spare.records { lines.add(record, request: spare.request(of: record)) }
        lines.write()
        spare.removeAll()
        if lost > 0 { context.log.warning("\(lost) requests were not logged: the log could not keep up") }
    }

    // MARK: Thread: collection

    private func collect() {
        var times = CollectionTimes(every: sweepInterval, from: .now + sweepInterval)
        var nextPunch = MonotonicTime.now + Sweeper.punchDelayBesideReaders
        var clock = ClockWatch(wall: context.time.now())
        var recheck = Recheck()
        while true {
            let next = sweeper == nil ? nextPunch : min(nextPunch, times.next)
            if state.wait(until: next, { $0.isStopping ? true : nil }) != nil { return }
            if let step = clock.step(wall: context.time.now()) {
                // How long bytes have been dead, and paths unused, is counted by that clock.
                nextPunch = .now + Sweeper.punchDelayBesideReaders
                if step > .zero { times.hold(until: .now + Upkeep.clockHoldTime) }
                tell(clockStep: step)
                continue
            }
            if MonotonicTime.now >= nextPunch {
                look(again: &recheck)
                punch()
                nextPunch = .now + Sweeper.punchDelayBesideReaders
                continue
            }
            if let sweeper, times.isDue(at: .now) {
                times.begin(at: .now)
                sweep(sweeper) { times.failed(at: .now) }
            }
        }
    }

    private func tell(clockStep step: Duration) {
        let seconds = step.components.seconds
        let consequence = seconds > 0 && sweeper != nil
            ? ": nothing is collected for \(Upkeep.clockHoldTime.components.seconds) seconds, so that no path goes for a clock that is wrong" : ""
        context.log.warning("the system's clock was set \(seconds > 0 ? "forward" : "back") by \(abs(seconds)) seconds\(consequence)")
    }

    /// Reads some of what is marked as damaged, which may be whole again.
    private func look(again recheck: inout Recheck) {
        do { try recheck.run(context) { !isStopping } } catch {
            context.troubles.tell("recheck", .warning, in: context.log) {
                "could not look at what is marked as damaged, will try again: \(error)"
            }
        }
    }

    /// Gives back the space of what was collected a while ago, by this process or another.
    func punch() {
        do {
            guard let lock = try context.catalog.beginCollection(waitingAtMost: .zero).lock else { return }
            // Whose collection made the bytes dead must not matter.
            guard noticeOthers() else { return }
            let report = try puncher.punch(now: context.time.now()) { !isStopping && lock.isHeld }
            if report.freedBytes > 0 || report.failures > 0 { context.log.info("garbage collection: \(report)") }
        } catch {
            context.log.warning("could not give back the space of dead chunks, will try again: \(error)")
        }
    }

    /// Collects garbage, unless another process is at it; what fails is for the log, and for the next one.
    ///
    /// - Parameter failed: is called where the next one should come soon.
    /// - Returns: nil where nothing was collected, or not all that was to be.
    @discardableResult
    func sweep(_ sweeper: Sweeper, failed: () -> Void = {}) -> Sweeper.Report? {
        context.accessTimes.flush(to: context.catalog, log: context.log)
        do {
            let turn = try context.catalog.beginCollection(waitingAtMost: .seconds(5))
            guard let lock = turn.lock else {
                context.log.notice("garbage collection: another process is at it\(turn.holder)")
                return nil
            }
            guard noticeOthers() else {
                failed()
                return nil
            }
            let report = try sweeper.sweep(
                now: context.time.now(), rowsRemoved: { context.hot.forgetAll() }, while: { !isStopping && lock.isHeld })
            context.log.info("garbage collection: \(report)")
            // Without its lock it ends early, as where the database was started again.
            if report.isStopped && !isStopping { failed() }
            Opening.reserveLog(of: context.catalog, log: context.log)
            return report
        } catch {
            failed()
            context.log.error("garbage collection stopped, the next one goes on: \(error)")
            return nil
        }
    }
}
