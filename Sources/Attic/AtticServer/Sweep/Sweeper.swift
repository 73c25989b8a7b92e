import AtticAPI
import Database
import Logging
import Platform
import Storage

/// Garbage collection ("sweep" here, because collection means something else in Swift), on three levels: objects of a
/// cache by age, then NARs that no object names, then chunks that no NAR names, whose space is freed.
///
/// It works from what was deleted, in short transactions, beside running servers and from another process. Whatever it
/// cannot delete is counted, stays recorded, and is tried again by the next run.
package struct Sweeper: Sendable {
    /// What one run did.
    package struct Report: Sendable, Equatable, CustomStringConvertible {
        package var objects = 0
        package var nars = 0
        package var chunks = 0
        package var packs = 0
        package var buildLogs = 0
        package var realisations = 0
        /// Bytes given back to the file system.
        package var freedBytes: Int64 = 0
        /// Deletions that failed and will be tried again.
        package var failures = 0

        package var description: String {
            func count(_ number: Int, _ word: String) -> String { "\(number) \(word)\(number == 1 ? "" : "s")" }
            let documents = [(buildLogs, "build log"), (realisations, "realisation")].filter { $0.0 > 0 }
                .map { ", " + count($0.0, $0.1) }.joined()
            return "\(count(objects, "object")), \(count(nars, "NAR")), \(count(chunks, "chunk")) and \(count(packs, "pack"))\(documents) removed, "
                + "\(freedBytes) bytes freed" + (failures > 0 ? ", \(count(failures, "deletion")) failed and will be tried again" : "")
        }
    }

    /// How long bytes of dead chunks stay where downloads may be running: the NARs were unused for a retention period,
    /// so only a download that began in the collection's last moments can still be reading them.
    package static let punchDelayBesideReaders = Duration.seconds(60)

    private let catalog: Catalog
    private let store: any ChunkStore
    private let defaultRetentionSeconds: Int64
    private let punchDelay: Duration
    private let log: Logger

    /// How long objects may be gone before those who answer from memory hear of it; more often, a long collection would leave
    /// them nothing to answer from.
    private static let tellInterval = Duration.milliseconds(500)
    /// Packs or extents that one look-up gives at most.
    private static let batchCount = 500

    /// - Parameters:
    ///   - defaultRetentionSeconds: for caches without a retention period of their own; 0 is for ever.
    ///   - punchDelay: how long an extent must have been dead before its bytes are given back. Who began to download a NAR
    ///     just before it was collected reads on; zero where no server is running.
    package init(
        catalog: Catalog, store: any ChunkStore, defaultRetentionSeconds: Int64, punchDelay: Duration, log: Logger
    ) {
        self.catalog = catalog
        self.store = store
        self.defaultRetentionSeconds = defaultRetentionSeconds
        self.punchDelay = punchDelay
        self.log = log
    }

    /// Runs one collection.
    ///
    /// - Parameters:
    ///   - now: objects are expired that were not created, pushed or pulled within their cache's retention period before
    ///     this moment.
    ///   - rowsRemoved: is called when the first objects are gone, then every half second while more go, and when all rows are gone
    ///     and before files are touched: whoever answers from memory forgets.
    ///   - meanwhile: is called after every short step; a collection of much takes minutes.
    /// - Throws: `DatabaseError` where the database fails; what was collected until then stays collected.
    package func sweep(
        now: WallTime, rowsRemoved: () -> Void = {}, meanwhile: () -> Void = {}
    ) throws(DatabaseError) -> Report {
        let rows: SweepReport
        var toldCount = 0
        var nextTelling = MonotonicTime.now
        do throws(DatabaseError) {
            rows = try catalog.sweepRows(at: now, defaultRetentionSeconds: defaultRetentionSeconds) { rows in
                Faults.pass(.rowsSwept)
                meanwhile()
                guard rows.objectCount > toldCount, MonotonicTime.now >= nextTelling else { return }
                rowsRemoved()
                toldCount = rows.objectCount
                nextTelling = .now + Sweeper.tellInterval
            }
        } catch {
            rowsRemoved()
            throw error
        }
        if rows.objectCount + rows.narCount + rows.chunkCount > 0 { rowsRemoved() }
        var report = Report()
        report.objects = rows.objectCount
        report.nars = rows.narCount
        report.chunks = rows.chunkCount
        report.buildLogs = rows.buildLogCount
        report.realisations = rows.realisationCount
        if rows.postponedCacheCount > 0 {
            report.failures += rows.postponedCacheCount
            log.warning(
                "left the expired objects of \(rows.postponedCacheCount) caches to the next collection: clients ask for paths faster than the times of that can be written")
        }
        try removeEmptyPacks(&report, meanwhile)
        try punchDeadExtents(now, &report, meanwhile)
        try removeUnnamedPacks(&report, meanwhile)
        return report
    }

    /// Gives back the bytes of extents that have been dead for long enough, and nothing else; cheap where there are none.
    ///
    /// - Parameter meanwhile: as with `sweep`.
    package func punch(now: WallTime, meanwhile: () -> Void = {}) throws(DatabaseError) -> Report {
        var report = Report()
        try punchDeadExtents(now, &report, meanwhile)
        return report
    }

    // MARK: The space

    /// Removes packs in which nothing lives: the cheapest way to free space, so it comes first. Whoever reads one has it
    /// open, and reads on.
    private func removeEmptyPacks(_ report: inout Report, _ meanwhile: () -> Void) throws(DatabaseError) {
        var last = ""
        while true {
            let after = last
            let names = try catalog.write { session throws(DatabaseError) in
                try session.emptyPacks(limit: Sweeper.batchCount, after: after)
            }
            guard let end = names.last else { return }
            last = end
            for text in names {
                meanwhile()
                // The store holds the pack's lock while it asks: no upload can be writing there now, and none that
                // committed is overlooked.
                remove(text, &report) { [catalog] in
                    let isForgotten = try catalog.write { session throws(DatabaseError) in try session.forgetPack(text) }
                    Faults.pass(.packForgotten)
                    return isForgotten
                }
                Faults.pass(.packRemoved)
            }
        }
    }

    /// Removes files that no row names: what an upload left behind that was killed.
    private func removeUnnamedPacks(_ report: inout Report, _ meanwhile: () -> Void) throws(DatabaseError) {
        let names: [PackName]
        do { names = try store.packNames() } catch {
            report.failures += 1
            log.warning("could not list the packs: \(error)")
            return
        }
        // After the files, so that a pack which was made in between has its row here, or its writer's lock.
        let named = Set(try catalog.read { session throws(DatabaseError) in try session.packNames() }.compactMap { PackName($0) })
        for text in names.filter({ !named.contains($0) }).map(\.text) {
            meanwhile()
            remove(text, &report) { [catalog] in
                // Asked again under the pack's lock: its upload may have committed in between.
                try !catalog.read { session throws(DatabaseError) in try session.packExists(text) }
            }
        }
    }

    /// Removes a pack's file, where `ifStill` agrees under the pack's lock; a failure is counted and tried again next time.
    private func remove(_ text: String, _ report: inout Report, ifStill: () throws -> Bool) {
        guard let name = PackName(text) else { return }
        do {
            let byteCount = try store.packByteCount(name) ?? 0
            guard try store.removePack(name, ifStill: ifStill) else { return }
            report.packs += 1
            report.freedBytes += byteCount
        } catch {
            report.failures += 1
            log.warning("could not remove pack \(text), will try again: \(error)")
        }
    }

    /// Gives the space of dead chunks back where their pack lives on.
    private func punchDeadExtents(_ now: WallTime, _ report: inout Report, _ meanwhile: () -> Void) throws(DatabaseError) {
        let cutoff = punchDelay == .zero ? nil : now - punchDelay
        while true {
            let dead = try catalog.read { session throws(DatabaseError) in
                try session.deadExtents(limit: Sweeper.batchCount, before: cutoff)
            }
            var punched: [Int64] = []
            for extent in dead {
                meanwhile()
                if punch(extent, &report) { punched.append(extent.id) }
            }
            Faults.pass(.extentsPunched)
            let done = punched
            if !done.isEmpty {
                try catalog.write { session throws(DatabaseError) in try session.forgetDeadExtents(done) }
            }
            // Those that failed would be given again at once: they wait for the next run.
            if dead.count < Sweeper.batchCount || done.count < dead.count { return }
        }
    }

    /// Punches one extent; false where it must be tried again.
    private func punch(_ dead: DeadExtent, _ report: inout Report) -> Bool {
        let place = dead.extent
        guard let extent = Extent(place) else { return true }
        do {
            try store.punch([extent])
            report.freedBytes += place.byteCount
            return true
        } catch {
            // A file system that cannot give parts of a file back: the space goes with the pack.
            if error.cause == .unsupported { return true }
            report.failures += 1
            log.warning("could not free bytes of pack \(place.pack), will try again: \(error)")
            return false
        }
    }
}
