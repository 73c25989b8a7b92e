import Platform

/// The deletion of a cache's expired objects.
///
/// What the search found may come to be needed while the deletion goes on: somebody asks for an object, or pushes one that refers
/// to it. Then its whole closure must stay. So objects go before what they refer to, and one goes only where no object refers
/// to it any more: whatever stays keeps its closure, without anybody looking for it.
extension Catalog {
    /// How often a batch of expired objects is tried again where new accesses were noted, and how many notes are settled each
    /// time.
    private static let settlingTriesMax = 5
    private static let settledNotesMax = 2 * waitingNotesMax
    /// Objects that one search gives at most: 4 MB of their numbers.
    private static let foundMax = 500_000

    /// Deletes what has expired in a cache; false where accesses are noted faster than they can be settled, and the rest has to
    /// wait for the next sweep.
    func deleteExpiredObjects(
        of cache: CacheRecord, _ run: SweepRun, at now: WallTime, _ defaultRetentionSeconds: Int64
    ) throws(DatabaseError) -> Bool {
        while run.goesOn {
            // Before the search, since what is in use keeps what it refers to.
            guard try settleAccesses(run) else { return false }
            // What refers is pushed after what it refers to, as a rule: the newest first.
            let found = try read { session throws(DatabaseError) in
                try session.expiredObjects(
                    of: cache, defaultRetentionSeconds: defaultRetentionSeconds, at: now, limit: Catalog.foundMax)
            }
            let countBefore = run.report.objectCount
            var left = found
            var count = -1
            while !left.isEmpty, count != run.report.objectCount, run.goesOn {
                count = run.report.objectCount
                guard let blocked = try delete(left, .unreferenced, of: cache, run, at: now, defaultRetentionSeconds) else { return false }
                // Those that were pushed in another order go from the other end.
                left = blocked.reversed()
            }
            if left.isEmpty {
                if found.count < Catalog.foundMax { return true }
            } else if run.report.objectCount == countBefore, run.goesOn {
                // Nothing else refers to these, and none can go first: they refer to each other in a ring. No valid store path does.
                guard try delete(left, .unreferencedByLiving, of: cache, run, at: now, defaultRetentionSeconds) != nil else { return false }
                if found.count < Catalog.foundMax || run.report.objectCount == countBefore { return true }
            }
        }
        return true
    }

    /// Deletes objects in their order; those that are still there, or nil where accesses are noted too fast.
    private func delete(
        _ ids: [Int64], _ condition: ExpiryCondition, of cache: CacheRecord, _ run: SweepRun, at now: WallTime,
        _ defaultRetentionSeconds: Int64
    ) throws(DatabaseError) -> [Int64]? {
        var blocked: [Int64] = []
        var start = 0
        var tries = 0
        while start < ids.count, run.goesOn {
            let begin = start
            let deletion = try run.step({ session, rows throws(DatabaseError) -> ObjectDeletion? in
                // The period may have been made longer meanwhile.
                guard let cache = try session.findCache(cache.name) else { return ObjectDeletion(triedCount: ids.count - begin) }
                return try session.deleteObjects(
                    Array(ids[begin..<min(begin + rows, ids.count)]), where: condition, of: cache,
                    defaultRetentionSeconds: defaultRetentionSeconds, at: now)
            }, count: { deletion, report in report.objectCount += deletion?.deletedCount ?? 0 })
            if let deletion {
                start += deletion.triedCount
                blocked += deletion.blockedIDs
                tries = 0
                continue
            }
            tries += 1
            if tries > Catalog.settlingTriesMax { return nil }
            _ = try settleAccesses(run)
        }
        return blocked
    }

    /// Settles what was noted, and a bounded number of what is noted meanwhile; whether none is left.
    private func settleAccesses(_ run: SweepRun) throws(DatabaseError) -> Bool {
        guard try read({ session throws(DatabaseError) in try session.hasAccessNotes() }) else { return true }
        for _ in 0..<Catalog.settledNotesMax where run.goesOn {
            let step = try run.step({ session, _ throws(DatabaseError) in try session.settleAccesses() }, count: { _, _ in })
            if step.isFinished { return true }
        }
        return false
    }
}
