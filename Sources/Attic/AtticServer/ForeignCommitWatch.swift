import Database
import Logging
import Platform

/// Looks for what other processes commit (a collection, another server, atticadm), and has this one forget what it answers from memory.
/// Its thread, `watch`, waits for nothing else: what is in memory counts for a while after each look, and for nothing later.
final class ForeignCommitWatch: Sendable {
    private struct State {
        var isStopping = false
        /// A change of others was seen, and could not be followed yet.
        var isBehind = false
    }

    private let state = Monitor(State())
    /// One at a time: who asks next must not hear that nothing has changed while the first is still at forgetting.
    private let looking = Monitor(())
    private let context: Context

    /// How often other processes' changes are looked for. What is in memory counts for three times that (`Freshness.usualTime`), so that
    /// a look may be late without any harm.
    private static let lookInterval = Duration.milliseconds(500)

    init(_ context: Context) { self.context = context }

    /// Looks until `stop`. Thread: watch.
    func run() {
        repeat { look() } while state.wait(until: .now + ForeignCommitWatch.lookInterval, { $0.isStopping ? true : nil }) == nil
    }

    /// Lets `run` return.
    func stop() { state.update { $0.isStopping = true } }

    /// Where another process has changed the database, forgets the hot answers, lets go of packs that it removed, and learns which tokens
    /// were revoked. What is kept then counts for a while. Thread: any that may block.
    ///
    /// - Returns: false where the database could not be asked. What is in memory is left, and soon counts for nothing.
    @discardableResult
    func look() -> Bool { looking.withLock { _ in lookAlone() } }

    private func lookAlone() -> Bool {
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
}
