import Crypto
import Platform

/// Hashes the NARs of an upload beside the thread that cuts them, batch after batch.
///
/// The digest of a NAR has to be computed in order, and a batch may be pressed in any: so one press thread after another takes the batch
/// that is next, hashes what it has of the NAR, lets the following batch be taken, and presses its own, which is in its core's memory by
/// then. An upload has one batch in the press's queue at a time; so uploads take turns there.
///
/// Thread: transfer adds batches and takes the digest; press does the work.
final class NarHasher: Sendable {
    private struct Order {
        /// Nobody has taken them yet; the oldest comes first.
        var waiting: [(batch: Cutter.Gathered, number: Int)] = []
        /// A press thread hashes a batch, or is about to take one.
        var isUnderWay = false
    }

    /// What the thread that hashes works with.
    private final class Running {
        var hash = SHA256()
    }

    private let press: Press
    private let work: @Sendable (Cutter.Gathered, Int, inout Press.Tools) -> Void
    private let order = Monitor(Order())
    private let running = Monitor(Running())

    /// - Parameter work: presses a batch that was hashed, which is of this number. Thread: press.
    init(_ press: Press, then work: @escaping @Sendable (Cutter.Gathered, Int, inout Press.Tools) -> Void) {
        self.press = press
        self.work = work
    }

    /// Adds the next batch. How many there are at once is bounded where they are let in (`StoredFiles.admit`).
    func add(_ batch: Cutter.Gathered, number: Int) {
        let isFirst = order.update { order in
            order.waiting.append((batch, number))
            defer { order.isUnderWay = true }
            return !order.isUnderWay
        }
        if isFirst { submit() }
    }

    /// The digest of the NAR under way, of which all batches were added; the next begins.
    ///
    /// - Parameter rest: its last bytes, which are in no batch yet.
    func finish(_ rest: UnsafeRawBufferPointer) -> SHA256Digest {
        order.wait { $0.isUnderWay ? nil : () }
        return running.withLock { running in
            unsafe running.hash.update(rest)
            return running.hash.finish()
        }
    }

    private func submit() { press.submit { [self] tools in takeNext(&tools) } }

    private func takeNext(_ tools: inout Press.Tools) {
        let (batch, number) = order.withLock { $0.waiting.removeFirst() }
        running.withLock { running in unsafe running.hash.update(batch.block.bytes(batch.narUnderWay)) }
        let goesOn = order.update { order in
            order.isUnderWay = !order.waiting.isEmpty
            return order.isUnderWay
        }
        if goesOn { submit() }
        work(batch, number, &tools)
    }
}
