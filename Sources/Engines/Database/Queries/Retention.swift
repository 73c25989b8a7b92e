import Platform
import SQL

/// Which objects of a cache have expired, and their deletion.
extension CatalogSession {
    /// The objects that may go: not created, pushed or pulled within the retention period, and not in the closure of an
    /// object of the same cache that was.
    ///
    /// It looks at the expired objects and their references only, never at all living ones. An expired object stays where a
    /// living one refers to it directly, or an expired one that stays does; that is the closure of the living, seen from
    /// the other side. References to paths that the cache does not have lead nowhere.
    ///
    /// - Parameters:
    ///   - defaultRetentionSeconds: for caches without a period of their own; 0: never.
    /// - Returns: their ids, the highest first, at most `limit`; to be deleted in batches by `deleteObjects`.
    package func expiredObjects(
        of cache: CacheRecord, defaultRetentionSeconds: Int64, at now: WallTime, limit: Int = .max
    ) throws(DatabaseError) -> [Int64] {
        guard let cutoff = cache.cutoff(defaultRetentionSeconds, at: now) else { return [] }
        return try trying("find expired objects") { connection throws(SQLError) in
            try connection.query(
                CatalogSession.expiredObjectsSQL, [.integer(cache.id), .time(cutoff), .integer(Int64(limit))]
            ) { row throws(SQLError) in try row.integer(0) }
        }
    }

    /// NOT EXISTS, as PostgreSQL looks through all of `kept` for each row of a NOT IN whose list it takes for a long one.
    static let expiredObjectsSQL = """
        WITH RECURSIVE expired (id, path) AS (
            SELECT id, store_path_hash FROM object WHERE cache_id = $1 AND last_accessed_at < $2
        ), kept (path) AS (
            SELECT e.path FROM expired e WHERE EXISTS (
                SELECT 1 FROM object_reference r CROSS JOIN object o
                WHERE r.cache_id = $1 AND r.store_path_hash = e.path AND o.id = r.object_id AND o.last_accessed_at >= $2)
            UNION
            SELECT r.store_path_hash FROM kept k CROSS JOIN object o CROSS JOIN object_reference r
            WHERE o.cache_id = $1 AND o.store_path_hash = k.path AND o.last_accessed_at < $2 AND r.object_id = o.id
        )
        SELECT id FROM expired e WHERE NOT EXISTS (SELECT 1 FROM kept k WHERE k.path = e.path) ORDER BY id DESC
        LIMIT $3
        """

    /// Deletes those of the objects that are still expired and fulfil the condition, in their order. Needs `write`.
    ///
    /// Between the search and this, an object may have been pulled, pushed, or referred to by a new one: those stay.
    ///
    /// - Returns: nil, and nothing is deleted, where more than one note of accesses waits: they say what is in use, and
    ///   to settle them all here would keep other writers waiting.
    package func deleteObjects(
        _ ids: [Int64], where condition: ExpiryCondition = .unreferenced, of cache: CacheRecord, defaultRetentionSeconds: Int64,
        at now: WallTime
    ) throws(DatabaseError) -> ObjectDeletion? {
        var deletion = ObjectDeletion(triedCount: ids.count)
        guard let cutoff = cache.cutoff(defaultRetentionSeconds, at: now) else { return deletion }
        // What was noted since the sweep began; most often nothing.
        if try hasAccessNotes() {
            _ = try settleAccesses()
            if try hasAccessNotes() { return nil }
        }
        try trying("delete expired objects") { connection throws(SQLError) in
            var gone = [(narID: Int64, path: String)?](repeating: nil, count: ids.count)
            try connection.runEach(
                condition.deletionSQL, ids.map { [.integer($0), .integer(cache.id), .time(cutoff)] }
            ) { index, row throws(SQLError) in gone[index] = (try row.integer(0), try row.text(1)) }
            for (id, gone) in zip(ids, gone) where gone == nil { deletion.blockedIDs.append(id) }
            let paths = gone.compactMap { $0 }
            try connection.noteNarCandidates(paths.map(\.narID))
            try connection.executeEach(
                CatalogSession.noteRealisationCandidatesSQL, paths.map { [.integer(cache.id), .text($0.path)] })
            deletion.deletedCount += paths.count
        }
        return deletion
    }
}

/// Which expired objects may go.
package enum ExpiryCondition: Sendable {
    /// Those that no object of the cache refers to but themselves.
    case unreferenced
    /// Those that no living object refers to. What they refer to may then be gone where they turn out to be needed: only for objects that refer to each other.
    case unreferencedByLiving

    var deletionSQL: String {
        switch self {
        case .unreferenced:
            """
            DELETE FROM object WHERE id = $1 AND cache_id = $2 AND last_accessed_at < $3
            AND NOT EXISTS (SELECT 1 FROM object_reference r
                WHERE r.cache_id = $2 AND r.store_path_hash = object.store_path_hash AND r.object_id <> $1)
            RETURNING nar_id, store_path_hash
            """
        case .unreferencedByLiving:
            """
            DELETE FROM object WHERE id = $1 AND cache_id = $2 AND last_accessed_at < $3
            AND NOT EXISTS (SELECT 1 FROM object_reference r CROSS JOIN object o
                WHERE r.cache_id = $2 AND r.store_path_hash = object.store_path_hash AND o.id = r.object_id
                AND o.last_accessed_at >= $3)
            RETURNING nar_id, store_path_hash
            """
        }
    }
}

/// What became of some expired objects.
package struct ObjectDeletion: Sendable, Hashable {
    package let triedCount: Int
    package var deletedCount = 0
    /// Those that are still there.
    package var blockedIDs: [Int64] = []

    init(triedCount: Int) { self.triedCount = triedCount }
}

extension CacheRecord {
    /// Objects last accessed before this have expired; nil where none ever does.
    func cutoff(_ defaultRetentionSeconds: Int64, at now: WallTime) -> WallTime? {
        let seconds = retentionSeconds ?? defaultRetentionSeconds
        if seconds <= 0 { return nil }
        let (milliseconds, overflow) = seconds.multipliedReportingOverflow(by: 1000)
        if overflow || milliseconds > now.milliseconds { return nil }
        return WallTime(milliseconds: now.milliseconds - milliseconds)
    }
}
