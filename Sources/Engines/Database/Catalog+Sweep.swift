import Platform

/// What a sweep of the rows deleted.
package struct SweepReport: Sendable, Hashable {
    package var uploadCount = 0
    /// Files of plain Nix whose narinfo never came.
    package var fileCount = 0
    package var objectCount = 0
    package var narCount = 0
    package var chunkCount = 0
    package var buildLogCount = 0
    package var realisationCount = 0
    /// Caches whose expired objects were left for the next sweep: their paths were asked for faster than the accesses could be
    /// settled.
    package var postponedCacheCount = 0
    package init() {}
}

/// Who watches a sweep: is told between its steps, and asked whether it goes on.
struct SweepWatch {
    let between: (SweepReport) -> Void
    let goesOn: () -> Bool
}

/// A sweep while it runs. Thread: its caller's.
final class SweepRun {
    var report = SweepReport()
    /// Nil where each step is of as many rows as may be, and none rests.
    private var pace: SweepPace?
    private let rowsMax: Int
    private let catalog: Catalog
    private let watch: SweepWatch

    /// - Parameter isPaced: false for a sweep that must do the same each time: it does not look at how long things take.
    init(_ catalog: Catalog, rowsMax: Int, isPaced: Bool, _ watch: SweepWatch) {
        self.catalog = catalog
        self.watch = watch
        self.rowsMax = rowsMax
        pace = isPaced ? SweepPace(rowsMax: rowsMax) : nil
    }

    /// Whether there is to be another step.
    var goesOn: Bool { watch.goesOn() }

    /// One transaction of as many rows as it is given, and a rest.
    ///
    /// - Parameter count: what it adds to the report.
    func step<Result: Sendable>(
        _ body: @escaping @Sendable (CatalogSession, _ rows: Int) throws(DatabaseError) -> Result,
        count: (Result, inout SweepReport) -> Void
    ) throws(DatabaseError) -> Result {
        let rows = pace?.rows ?? rowsMax
        let begin = MonotonicTime.now
        let (result, duration) = try catalog.write { session throws(DatabaseError) in
            let begin = MonotonicTime.now
            let result = try body(session, rows)
            return (result, MonotonicTime.now - begin)
        }
        pace?.note(duration)
        count(result, &report)
        watch.between(report)
        if pace != nil { MonotonicTime.sleep(SweepPace.rest(after: .now - begin)) }
        return result
    }

    /// Steps until one says that nothing is left.
    func steps(
        _ count: WritableKeyPath<SweepReport, Int>,
        _ body: @escaping @Sendable (CatalogSession, _ rows: Int) throws(DatabaseError) -> SweepStep
    ) throws(DatabaseError) {
        while goesOn {
            let done = try step(body) { done, report in report[keyPath: count] += done.deletedCount }
            if done.isFinished { return }
        }
    }
}

extension Catalog {
    /// Build logs of one step are this part of its rows: to delete one is to free all pages of its body.
    private static let rowsOfBuildLog = 10
    /// Realisations younger than this stay without the object of their output path, which may be on its way.
    package static let realisationGrace = Duration.seconds(24 * 3600)

    /// Deletes all rows that nothing keeps: the levels of `Queries/Sweep.swift` in order, each in short transactions with rests
    /// between them, in which uploads go on. The bytes are the caller's afterwards: `deadExtents`, `emptyPacks`.
    ///
    /// - Parameters:
    ///   - time: what is old is judged by when it begins; places are dead from when their chunks go, which may be minutes later.
    ///   - defaultRetentionSeconds: for caches without a period of their own; 0: objects never go by age.
    ///   - rowsMax: of a transaction at most; fewer where they take long (`SweepPace`).
    ///   - isPaced: as with `SweepRun`.
    ///   - between: is called after each transaction, with what is gone until then.
    ///   - goesOn: is asked between transactions; where it says no, the next sweep goes on.
    package func sweepRows(
        time: TimeSource, defaultRetentionSeconds: Int64, rowsMax: Int = 500, isPaced: Bool = true,
        between: (SweepReport) -> Void = { _ in }, while goesOn: () -> Bool = { true }
    ) throws(DatabaseError) -> SweepReport {
        try withoutActuallyEscaping(between) { between throws(DatabaseError) in
            try withoutActuallyEscaping(goesOn) { goesOn throws(DatabaseError) in
                let run = SweepRun(self, rowsMax: rowsMax, isPaced: isPaced, SweepWatch(between: between, goesOn: goesOn))
                try sweepRows(run, time, defaultRetentionSeconds)
                return run.report
            }
        }
    }

    private func sweepRows(
        _ run: SweepRun, _ time: TimeSource, _ defaultRetentionSeconds: Int64
    ) throws(DatabaseError) {
        let now = time.now()
        try run.steps(\.uploadCount) { session, rows throws(DatabaseError) in try session.expireUploads(at: now, limit: rows) }
        try run.steps(\.fileCount) { session, rows throws(DatabaseError) in
            try session.releaseReceivedFiles(at: now, limit: rows)
        }
        try run.steps(\.objectCount) { session, rows throws(DatabaseError) in try session.purgeDestroyedCaches(limit: rows) }
        for cache in try read({ session throws(DatabaseError) in try session.listCaches() }) where run.goesOn {
            if cache.cutoff(defaultRetentionSeconds, at: now) == nil { continue }
            let isDone = try deleteExpiredObjects(of: cache, run, at: now, defaultRetentionSeconds)
            if !isDone && run.goesOn { run.report.postponedCacheCount += 1 }
            try run.steps(\.buildLogCount) { session, rows throws(DatabaseError) in
                try session.deleteExpiredBuildLogs(
                    of: cache.name, defaultRetentionSeconds: defaultRetentionSeconds, at: now,
                    limit: max(rows / Catalog.rowsOfBuildLog, 1))
            }
        }
        try run.steps(\.realisationCount) { session, rows throws(DatabaseError) in
            try session.deleteUnkeptRealisations(putBy: now - Catalog.realisationGrace, limit: rows)
        }
        try run.steps(\.narCount) { session, rows throws(DatabaseError) in try session.deleteOrphanNars(limit: rows) }
        try run.steps(\.chunkCount) { session, rows throws(DatabaseError) in
            try session.deleteOrphanChunks(limit: rows, at: time.now())
        }
    }

    /// Forgets a pack and its dead extents in short steps, where no chunk lies in it; false where one does.
    ///
    /// To be called as `forgetPack`. A pack of small chunks has a hundred thousand extents.
    ///
    /// - Parameters:
    ///   - isPaced: as with `SweepRun`.
    ///   - until: of a pack in a bucket, how long it stays there as a loose one; nil for a file, which goes at once.
    package func forgetEmptyPack(_ name: String, isPaced: Bool = true, until: WallTime? = nil) throws(DatabaseError) -> Bool {
        let run = SweepRun(self, rowsMax: 1000, isPaced: isPaced, SweepWatch(between: { _ in }, goesOn: { true }))
        while true {
            let left = try run.step({ session, rows throws(DatabaseError) in
                try session.forgetDeadExtents(ofEmptyPack: name, limit: rows)
            }, count: { _, _ in })
            if left == .isUsed { return false }
            if left == .none { break }
        }
        return try write { session throws(DatabaseError) in
            guard let until else { return try session.forgetPack(name) }
            return try session.loosenPack(name, until: until)
        }
    }
}
