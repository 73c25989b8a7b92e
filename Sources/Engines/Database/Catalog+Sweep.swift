import Platform

/// What a sweep of the rows deleted.
package struct SweepReport: Sendable, Hashable {
    package var uploadCount = 0
    package var objectCount = 0
    package var narCount = 0
    package var chunkCount = 0
    package init() {}
}

extension Catalog {
    /// Deletes all rows that nothing keeps: the levels of `Queries/Sweep.swift` in order, each in short transactions between
    /// which uploads go on. The bytes are the caller's afterwards: `deadExtents`, `emptyPacks`.
    ///
    /// - Parameters:
    ///   - defaultRetentionSeconds: for caches without a period of their own; 0: objects never go by age.
    ///   - batch: rows a transaction, so that a writer waits less than 50 ms for it.
    package func sweepRows(
        at now: WallTime, defaultRetentionSeconds: Int64, batch: Int = 500
    ) throws(DatabaseError) -> SweepReport {
        precondition(batch > 0, "a batch has at least one row")
        var report = SweepReport()
        try settleAccesses()
        report.uploadCount = try sweep { session throws(DatabaseError) in try session.expireUploads(at: now, limit: batch) }
        report.objectCount = try sweep { session throws(DatabaseError) in try session.purgeDestroyedCaches(limit: batch) }
        report.objectCount += try deleteExpiredObjects(now, defaultRetentionSeconds, batch)
        report.narCount = try sweep { session throws(DatabaseError) in try session.deleteOrphanNars(limit: batch) }
        report.chunkCount = try sweep { session throws(DatabaseError) in
            try session.deleteOrphanChunks(limit: batch, at: now).step
        }
        return report
    }

    /// Moves all accesses that were noted into their objects, a short transaction each.
    package func settleAccesses() throws(DatabaseError) {
        // Most often there is nothing, and who only looks need not wait for the writer.
        guard try read({ session throws(DatabaseError) in try session.hasAccessNotes() }) else { return }
        while try !write(surviving: .crash, { session throws(DatabaseError) in try session.settleAccesses().isFinished }) {}
    }

    private func deleteExpiredObjects(
        _ now: WallTime, _ defaultRetentionSeconds: Int64, _ batch: Int
    ) throws(DatabaseError) -> Int {
        var count = 0
        for cache in try read({ session throws(DatabaseError) in try session.listCaches() }) {
            let ids = try read { session throws(DatabaseError) in
                try session.expiredObjects(of: cache, defaultRetentionSeconds: defaultRetentionSeconds, at: now)
            }
            for start in stride(from: 0, to: ids.count, by: batch) {
                let some = Array(ids[start..<min(start + batch, ids.count)])
                count += try write { session throws(DatabaseError) in
                    // The period may have been made longer meanwhile.
                    guard let cache = try session.findCache(cache.name) else { return 0 }
                    return try session.deleteObjects(
                        some, of: cache, defaultRetentionSeconds: defaultRetentionSeconds, at: now)
                }
            }
        }
        return count
    }

    private func sweep(
        _ step: @escaping @Sendable (CatalogSession) throws(DatabaseError) -> SweepStep
    ) throws(DatabaseError) -> Int {
        var count = 0
        while true {
            let done = try write(step)
            count += done.deletedCount
            if done.isFinished { return count }
        }
    }
}
