import Database
import Logging
import Platform

/// Garbage collection in a process that serves, on a thread of its own, `collection`, since it takes minutes. Every minute it also gives
/// back the space of what was collected a while ago, and looks again at what is marked as damaged; a server that leaves collection to
/// another process does only that.
final class CollectionLoop: Sendable {
    private let isStopping = Monitor(false)
    private let context: Context
    private let watch: ForeignCommitWatch
    private let sweeper: Sweeper
    private let interval: Duration?

    /// - Parameters:
    ///   - watch: is asked for others' changes before anything goes.
    ///   - interval: nil leaves collection to another process.
    init(_ context: Context, _ watch: ForeignCommitWatch, every interval: Duration?) {
        self.context = context
        self.watch = watch
        self.interval = interval
        sweeper = Sweeper(
            catalog: context.catalog, store: context.store,
            defaultRetentionSeconds: context.configuration.defaultRetentionSeconds,
            punchDelay: Sweeper.punchDelayBesideReaders, bytesToFree: context.bytesToFree,
            grace: .seconds(context.configuration.s3?.graceSeconds ?? 0), log: context.log)
    }

    /// Lets `run` return, with a collection's next step.
    func stop() { isStopping.update { $0 = true } }

    /// Collects until `stop`. Thread: collection.
    func run() {
        var schedule = CollectionSchedule(
            every: interval, from: .now + (interval ?? .zero), clock: ClockWatch(wall: context.time.now()), log: context.log)
        var nextPunch = MonotonicTime.now + Sweeper.punchDelayBesideReaders
        var recheck = Recheck()
        while isStopping.wait(until: min(nextPunch, schedule.next ?? nextPunch), { $0 ? true : nil }) == nil {
            if schedule.seesClockSet(wall: context.time.now()) {
                // How long bytes have been dead is counted by that clock.
                nextPunch = .now + Sweeper.punchDelayBesideReaders
            } else if MonotonicTime.now >= nextPunch {
                look(again: &recheck)
                punch()
                nextPunch = .now + Sweeper.punchDelayBesideReaders
            } else if schedule.begin() {
                schedule.end(Result { try sweep(sweeper) })
            }
        }
    }

    private var goesOn: Bool { isStopping.withLock { !$0 } }

    /// Reads some of what is marked as damaged, which may be whole again.
    private func look(again recheck: inout Recheck) {
        do { try recheck.run(context) { goesOn } } catch {
            context.troubles.tell("recheck", .warning, in: context.log) {
                "could not look at what is marked as damaged, will try again: \(error)"
            }
        }
    }

    /// Gives back the space of what was collected a while ago, by this process or another; what fails is for the log, and for the next
    /// time.
    func punch() {
        do {
            guard let lock = try context.catalog.beginCollection(waitingAtMost: .zero).lock else { return }
            // Whose collection made the bytes dead must not matter.
            guard watch.look() else { return }
            let report = try sweeper.punch(now: context.time.now()) { goesOn && lock.isHeld }
            if report.freedBytes > 0 || report.failures > 0 { context.log.info("garbage collection: \(report)") }
        } catch {
            context.log.warning("could not give back the space of dead chunks, will try again: \(error)")
        }
    }

    /// Collects garbage once, unless another process is at it.
    ///
    /// - Throws: what ended it; the next one goes on.
    func sweep(_ sweeper: Sweeper) throws -> CollectionSchedule.Outcome {
        context.accessTimes.flush(to: context.catalog, log: context.log)
        let attempt = try context.catalog.beginCollection(waitingAtMost: .seconds(5))
        guard let lock = attempt.lock else { return .leftToAnother(attempt.holder) }
        guard watch.look() else { return .troubleWasTold }
        // Without its lock it ends early, as where the database was started again.
        let report = try sweeper.sweep(
            time: context.time, rowsRemoved: { context.hot.forgetAll() }, while: { goesOn && lock.isHeld })
        Opening.reserveLog(of: context.catalog, log: context.log)
        return .ended(report)
    }
}
