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
        var records: [AccessRecord] = []
        var lostRecords = 0
        var thread: ThreadHandle?
    }

    private let state = Monitor(State())
    private let context: Context
    private let sweeper: Sweeper?
    private let sweepInterval: Duration

    /// How often last access times are written.
    private static let flushInterval = Duration.seconds(5)
    /// How often the access log is written.
    private static let logInterval = Duration.milliseconds(250)
    /// Requests that wait to be logged at most; those beyond are counted, not kept.
    private static let recordsMax = 50_000

    /// - Parameter sweepIntervalSeconds: 0 leaves collection to another process.
    package init(_ context: Context, sweepIntervalSeconds: Int64) {
        self.context = context
        sweepInterval = .seconds(sweepIntervalSeconds)
        sweeper = sweepIntervalSeconds == 0 ? nil : Sweeper(
            catalog: context.catalog, store: context.store,
            defaultRetentionSeconds: context.configuration.defaultRetentionSeconds,
            punchDelay: Sweeper.punchDelayBesideReaders, log: context.log)
    }

    package func start() {
        let thread = ThreadHandle(named: "upkeep") { [self] in run() }
        state.update { $0.thread = thread }
    }

    /// Takes the access records of a loop's turn. Thread: loop.
    package func note(_ records: [AccessRecord]) {
        state.peek { state in
            if state.records.count + records.count <= Upkeep.recordsMax {
                state.records += records
            } else {
                state.lostRecords += records.count
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
        var nextFlush = MonotonicTime.now + Upkeep.flushInterval
        var nextSweep = MonotonicTime.now + sweepInterval
        while true {
            let isStopping = state.wait(until: .now + Upkeep.logInterval) { $0.isStopping ? true : nil } ?? false
            writeAccessLog()
            let now = MonotonicTime.now
            if isStopping || now >= nextFlush {
                context.accessTimes.flush(to: context.catalog, log: context.log)
                nextFlush = now + Upkeep.flushInterval
            }
            if isStopping { return }
            if let sweeper, now >= nextSweep {
                sweep(sweeper)
                nextSweep = .now + sweepInterval
            }
        }
    }

    private func sweep(_ sweeper: Sweeper) {
        context.accessTimes.flush(to: context.catalog, log: context.log)
        do {
            let report = try sweeper.sweep(now: context.time.now())
            context.log.info("garbage collection: \(report)")
        } catch {
            context.log.error("garbage collection stopped, the next one goes on: \(error)")
        }
    }

    /// `GET /hello/nix-cache-info 200, 196 bytes, 0.3 ms, from 127.0.0.1, request 91f77ecadcb41164`. Headers are never
    /// logged: tokens are among them.
    private static func line(_ record: AccessRecord) -> String {
        let tenths = record.duration.wholeNanoseconds / 100_000
        return "\(record.method) \(record.target) \(record.status.code), \(record.sentByteCount) bytes, "
            + "\(tenths / 10).\(tenths % 10) ms, from \(record.remoteAddress), request \(record.requestID)"
            + (record.isComplete ? "" : ", not sent whole")
    }

    private func writeAccessLog() {
        let (records, lost) = state.peek { state in
            defer {
                state.records.removeAll(keepingCapacity: true)
                state.lostRecords = 0
            }
            return (state.records, state.lostRecords)
        }
        for record in records { context.log.info("\(Upkeep.line(record))") }
        if lost > 0 { context.log.warning("\(lost) requests were not logged: the log could not keep up") }
    }
}
