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
    /// - Returns: their ids; to be deleted in batches by `deleteObjects`.
    package func expiredObjects(
        of cache: CacheRecord, defaultRetentionSeconds: Int64, at now: WallTime
    ) throws(DatabaseError) -> [Int64] {
        guard let cutoff = cache.cutoff(defaultRetentionSeconds, at: now) else { return [] }
        return try trying("find expired objects") { connection throws(SQLError) in
            try connection.query(CatalogSession.expiredObjectsSQL, [.integer(cache.id), .time(cutoff)]) {
                row throws(SQLError) in try row.integer(0)
            }
        }
    }

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
        SELECT id FROM expired WHERE path NOT IN (SELECT path FROM kept) ORDER BY id
        """

    /// Deletes those of the objects that are still expired, and that no living object refers to. Needs `write`.
    ///
    /// Between the search and this, an object may have been pulled, pushed, or referred to by a new one: those stay.
    ///
    /// - Returns: how many; nil, and nothing is deleted, where more than one note of accesses waits: they say what is in use, and
    ///   to settle them all here would keep other writers waiting.
    package func deleteObjects(
        _ ids: [Int64], of cache: CacheRecord, defaultRetentionSeconds: Int64, at now: WallTime
    ) throws(DatabaseError) -> Int? {
        guard let cutoff = cache.cutoff(defaultRetentionSeconds, at: now) else { return 0 }
        // What was noted since the sweep began; most often nothing.
        if try hasAccessNotes() {
            _ = try settleAccesses()
            if try hasAccessNotes() { return nil }
        }
        return try trying("delete expired objects") { connection throws(SQLError) in
            var count = 0
            for id in ids {
                let gone = try connection.first(
                    CatalogSession.deleteObjectSQL, [.integer(id), .integer(cache.id), .time(cutoff)]
                ) { row throws(SQLError) in (narID: try row.integer(0), path: try row.text(1)) }
                guard let gone else { continue }
                try connection.noteNarCandidate(gone.narID)
                try connection.noteRealisationCandidates(cache.id, storePathHash: gone.path)
                count += 1
            }
            return count
        }
    }

    static let deleteObjectSQL = """
        DELETE FROM object WHERE id = $1 AND cache_id = $2 AND last_accessed_at < $3
        AND NOT EXISTS (SELECT 1 FROM object_reference r CROSS JOIN object o
            WHERE r.cache_id = $2 AND r.store_path_hash = object.store_path_hash AND o.id = r.object_id
            AND o.last_accessed_at >= $3)
        RETURNING nar_id, store_path_hash
        """
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
