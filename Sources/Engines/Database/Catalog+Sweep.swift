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

extension Catalog {
    /// How often a batch of expired objects is tried again where new accesses were noted, and how many notes are settled each
    /// time.
    private static let settlingTriesMax = 5
    private static let settledNotesMax = 2 * waitingNotesMax
    /// Build logs of one step are this part of its rows: to delete one is to free all pages of its body.
    private static let rowsOfBuildLog = 10
    /// Realisations younger than this stay without the object of their output path, which may be on its way.
    package static let realisationGrace = Duration.seconds(24 * 3600)

    /// Deletes all rows that nothing keeps: the levels of `Queries/Sweep.swift` in order, each in short transactions between
    /// which uploads go on. The bytes are the caller's afterwards: `deadExtents`, `emptyPacks`.
    ///
    /// - Parameters:
    ///   - defaultRetentionSeconds: for caches without a period of their own; 0: objects never go by age.
    ///   - batch: rows a transaction, so that a writer waits less than 50 ms for it.
    ///   - between: is called after each transaction, with what is gone until then.
    package func sweepRows(
        at now: WallTime, defaultRetentionSeconds: Int64, batch: Int = 500, between: (SweepReport) -> Void = { _ in }
    ) throws(DatabaseError) -> SweepReport {
        precondition(batch > 0, "a batch has at least one row")
        var report = SweepReport()
        try sweep(&report, \.uploadCount, between) { session throws(DatabaseError) in
            try session.expireUploads(at: now, limit: batch)
        }
        try sweep(&report, \.fileCount, between) { session throws(DatabaseError) in
            try session.releaseReceivedFiles(at: now, limit: batch)
        }
        try sweep(&report, \.objectCount, between) { session throws(DatabaseError) in
            try session.purgeDestroyedCaches(limit: batch)
        }
        for cache in try read({ session throws(DatabaseError) in try session.listCaches() }) {
            if cache.cutoff(defaultRetentionSeconds, at: now) == nil { continue }
            let isDone = try deleteExpiredObjects(of: cache, now, defaultRetentionSeconds, batch, &report, between)
            if !isDone { report.postponedCacheCount += 1 }
            try sweep(&report, \.buildLogCount, between) { session throws(DatabaseError) in
                try session.deleteExpiredBuildLogs(
                    of: cache.name, defaultRetentionSeconds: defaultRetentionSeconds, at: now,
                    limit: max(batch / Catalog.rowsOfBuildLog, 1))
            }
        }
        try sweep(&report, \.realisationCount, between) { session throws(DatabaseError) in
            try session.deleteUnkeptRealisations(putBy: now - Catalog.realisationGrace, limit: batch)
        }
        try sweep(&report, \.narCount, between) { session throws(DatabaseError) in
            try session.deleteOrphanNars(limit: batch)
        }
        try sweep(&report, \.chunkCount, between) { session throws(DatabaseError) in
            try session.deleteOrphanChunks(limit: batch, at: now).step
        }
        return report
    }

    /// Deletes what has expired in a cache; false where accesses are noted faster than they can be settled, and the rest has to
    /// wait for the next sweep.
    private func deleteExpiredObjects(
        of cache: CacheRecord, _ now: WallTime, _ defaultRetentionSeconds: Int64, _ batch: Int,
        _ report: inout SweepReport, _ between: (SweepReport) -> Void
    ) throws(DatabaseError) -> Bool {
        // Before the search, since what is in use keeps what it refers to.
        guard try settleAccesses(report, between) else { return false }
        let ids = try read { session throws(DatabaseError) in
            try session.expiredObjects(of: cache, defaultRetentionSeconds: defaultRetentionSeconds, at: now)
        }
        for start in stride(from: 0, to: ids.count, by: batch) {
            let some = Array(ids[start..<min(start + batch, ids.count)])
            var tries = 0
            while true {
                let count = try write { session throws(DatabaseError) -> Int? in
                    // The period may have been made longer meanwhile.
                    guard let cache = try session.findCache(cache.name) else { return 0 }
                    return try session.deleteObjects(
                        some, of: cache, defaultRetentionSeconds: defaultRetentionSeconds, at: now)
                }
                if let count {
                    report.objectCount += count
                    between(report)
                    break
                }
                tries += 1
                if tries > Catalog.settlingTriesMax { return false }
                _ = try settleAccesses(report, between)
            }
        }
        return true
    }

    /// Settles what was noted, and a bounded number of what is noted meanwhile; whether none is left.
    private func settleAccesses(_ report: SweepReport, _ between: (SweepReport) -> Void) throws(DatabaseError) -> Bool {
        var left = Catalog.settledNotesMax
        return try settleAccesses {
            between(report)
            left -= 1
            return left >= 0
        }
    }

    private func sweep(
        _ report: inout SweepReport, _ count: WritableKeyPath<SweepReport, Int>, _ between: (SweepReport) -> Void,
        _ step: @escaping @Sendable (CatalogSession) throws(DatabaseError) -> SweepStep
    ) throws(DatabaseError) {
        while true {
            let done = try write(step)
            report[keyPath: count] += done.deletedCount
            between(report)
            if done.isFinished { return }
        }
    }
}
