import Platform
import Synchronization

/// Until when what this process has in memory of the database may be believed: others may have changed it since it was looked at
/// last. A look may come late (the database is busy, or cut off from here alone), so each makes it good for a while, and who comes
/// later asks the database. Thread: any.
package final class Freshness: Sendable {
    /// How long after a look began it counts. What was changed elsewhere is answered nowhere any more 2 s later, also by a loop whose
    /// turn began a while ago.
    package static let usualTime = Duration.milliseconds(1500)

    /// How long after a look began it counts.
    let time: Duration
    /// In nanoseconds of the clock that never jumps.
    private let answersEnd: Atomic<Int64>
    private let revocationsEnd: Atomic<Int64>

    /// Nothing is believed before the first look.
    ///
    /// - Parameter time: how long after a look began it counts.
    package convenience init(lasting time: Duration = Freshness.usualTime) { self.init(time, end: .min) }

    /// For who is alone with the database, or looks by hand.
    package static var endless: Freshness { Freshness(.zero, end: .max) }

    private init(_ time: Duration, end: Int64) {
        self.time = time
        answersEnd = Atomic(end)
        revocationsEnd = Atomic(end)
    }

    /// Whether `HotAnswers` has what the database says. Thread: loop; this is all that it costs.
    func ofAnswers(at now: MonotonicTime) -> Bool { now.nanoseconds < answersEnd.load(ordering: .acquiring) }

    /// Whether it is known which tokens are revoked.
    func ofRevocations(at now: MonotonicTime) -> Bool { now.nanoseconds < revocationsEnd.load(ordering: .acquiring) }

    /// A look that began then has found all that others had changed, and what they have was forgotten.
    func looked(at begun: MonotonicTime) {
        extend(answersEnd, from: begun)
        extend(revocationsEnd, from: begun)
    }

    /// The revocations were read, by a query that began then.
    func readRevocations(at begun: MonotonicTime) { extend(revocationsEnd, from: begun) }

    private func extend(_ end: borrowing Atomic<Int64>, from begun: MonotonicTime) {
        end.max((begun + time).nanoseconds, ordering: .acquiringAndReleasing)
    }
}
