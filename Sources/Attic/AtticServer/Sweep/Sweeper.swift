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
        /// Packs of a bucket whose chunks were copied into others.
        package var copiedPacks = 0
        package var buildLogs = 0
        package var realisations = 0
        /// Bytes given back to the file system.
        package var freedBytes: Int64 = 0
        /// Bytes of dead chunks that a server gives back, which has the storage directory.
        package var leftBytes: Int64 = 0
        /// Deletions that failed and will be tried again.
        package var failures = 0
        /// Whether it was told to stop: the next one goes on.
        package var isStopped = false

        package var description: String {
            func count(_ number: Int, _ word: String) -> String { "\(number) \(word)\(number == 1 ? "" : "s")" }
            let documents = [(buildLogs, "build log"), (realisations, "realisation")].filter { $0.0 > 0 }
                .map { ", " + count($0.0, $0.1) }.joined()
            return "\(count(objects, "object")), \(count(nars, "NAR")), \(count(chunks, "chunk")) and \(count(packs, "pack"))\(documents) removed, "
                + "\(freedBytes) bytes freed" + (leftBytes > 0 ? ", \(leftBytes) left to the running server, which frees them in the next minutes" : "")
                + (copiedPacks > 0 ? ", \(count(copiedPacks, "pack")) copied into others" : "")
                + (failures > 0 ? ", \(count(failures, "deletion")) failed and will be tried again" : "")
                + (isStopped ? "; stopped before the end, the next one goes on" : "")
        }
    }

    /// How much of the rows one step takes, and what lies between steps.
    package enum Steps: Sendable {
        /// As much as takes a short while, and rests between: servers are beside it.
        case paced
        /// So many rows each and no rests: always the same, however long they take.
        case alike(rows: Int)

        var isPaced: Bool {
            if case .paced = self { true } else { false }
        }

        /// Rows of a transaction at most.
        var rowsMax: Int {
            switch self {
            case .paced: 500
            case .alike(let rows): rows
            }
        }
    }

    /// How long bytes of dead chunks stay where downloads may be running: the NARs were unused for a retention period,
    /// so only a download that began in the collection's last moments can still be reading them. One that takes longer is
    /// broken off (`BytesToFree`).
    package static let punchDelayBesideReaders = Duration.seconds(60)

    let catalog: Catalog
    let store: any ChunkStore
    private let defaultRetentionSeconds: Int64
    let punchDelay: Duration
    let takeDirectory: (@Sendable () throws(StorageError) -> OpenFile?)?
    let bytesToFree: BytesToFree?
    let grace: Duration
    private let tellInterval: Duration
    let steps: Steps
    let log: Logger

    /// - Parameters:
    ///   - defaultRetentionSeconds: for caches without a retention period of their own; 0 is for ever.
    ///   - punchDelay: how long an extent must have been dead before its bytes are given back. Who began to download a NAR
    ///     just before it was collected reads on; zero where nobody reads.
    ///   - takeDirectory: takes the storage directory from servers while bytes are given back; nil where a server has it, which knows who
    ///     reads, and gives them back itself. For a collection outside of the server.
    ///   - bytesToFree: what knows who is being sent what; nil where nobody is.
    ///   - grace: how long a pack of a bucket stays when nothing lives in it any more.
    ///   - tellInterval: how long objects may be gone before those who answer from memory hear of it; more often, a long
    ///     collection would leave them nothing to answer from.
    package init(
        catalog: Catalog, store: any ChunkStore, defaultRetentionSeconds: Int64, punchDelay: Duration,
        takeDirectory: (@Sendable () throws(StorageError) -> OpenFile?)? = nil, bytesToFree: BytesToFree? = nil, grace: Duration = .seconds(900), tellInterval: Duration = .milliseconds(500), steps: Steps = .paced, log: Logger
    ) {
        self.catalog = catalog
        self.store = store
        self.defaultRetentionSeconds = defaultRetentionSeconds
        self.punchDelay = punchDelay
        self.takeDirectory = takeDirectory
        self.bytesToFree = bytesToFree
        self.grace = grace
        self.tellInterval = tellInterval
        self.steps = steps
        self.log = log
    }

    /// Runs one collection.
    ///
    /// - Parameters:
    ///   - time: objects are expired that were not created, pushed or pulled within their cache's retention period before this begins.
    ///   - rowsRemoved: is called when the first objects are gone, then every half second while more go, and when all rows are gone
    ///     and before files are touched: whoever answers from memory forgets.
    ///   - goesOn: is asked between short steps; a collection of much takes minutes. Where it says no, the next one goes on.
    /// - Throws: `DatabaseError` where the database fails; what was collected until then stays collected.
    package func sweep(
        time: TimeSource, rowsRemoved: () -> Void = {}, while goesOn: () -> Bool = { true }
    ) throws(DatabaseError) -> Report {
        let rows: SweepReport
        var toldCount = 0
        var nextTelling = MonotonicTime.now
        do throws(DatabaseError) {
            rows = try catalog.sweepRows(
                time: time, defaultRetentionSeconds: defaultRetentionSeconds, rowsMax: steps.rowsMax, isPaced: steps.isPaced,
                between: { rows in
                    Faults.pass(.rowsSwept)
                    guard rows.objectCount > toldCount, MonotonicTime.now >= nextTelling else { return }
                    rowsRemoved()
                    toldCount = rows.objectCount
                    nextTelling = .now + tellInterval
                }, while: goesOn)
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
        switch store.packKind {
        case .file:
            try removeEmptyPacks(time.now(), &report, while: goesOn)
            try punchDeadExtents(time.now(), &report, while: goesOn)
            try removeUnnamedPacks(&report, while: goesOn)
        case .object:
            try compactPacks(time.now(), &report, while: goesOn)
            // The copies took their time, and that of those who read the packs begins now.
            try removeEmptyPacks(time.now(), &report, while: goesOn)
            try removeLoosePacks(time.now(), &report, while: goesOn)
        }
        report.isStopped = !goesOn()
        return report
    }

    /// Gives back the bytes of extents that have been dead for long enough, or of packs that went as long ago, and nothing else;
    /// cheap where there are none.
    ///
    /// - Parameter goesOn: as with `sweep`.
    package func punch(now: WallTime, while goesOn: () -> Bool = { true }) throws(DatabaseError) -> Report {
        var report = Report()
        switch store.packKind {
        case .file: try punchDeadExtents(now, &report, while: goesOn)
        case .object: try removeLoosePacks(now, &report, while: goesOn)
        }
        return report
    }
}
