import AtticAPI
import Nix
import Platform
import SQL

/// A build log as the database keeps it.
package struct BuildLogRecord: Sendable, Hashable {
    package let id: Int64
    /// What the body stands for, in bytes.
    package let byteCount: Int64
    /// One zstd stream.
    package let body: [UInt8]
}

/// Build logs of a cache, by the derivation that was built.
extension CatalogSession {
    package func findBuildLog(_ cacheID: Int64, of derivation: StorePath) throws(DatabaseError) -> BuildLogRecord? {
        try trying("find a build log") { connection throws(SQLError) in
            try connection.first(CatalogSession.findBuildLogSQL, [.integer(cacheID), .text(derivation.baseName)]) {
                row throws(SQLError) in
                BuildLogRecord(id: try row.integer(0), byteCount: try row.integer(1), body: try row.blob(2))
            }
        }
    }

    static let findBuildLogSQL = """
        SELECT l.id, l.byte_count, b.body FROM build_log l CROSS JOIN build_log_body b
        WHERE l.cache_id = $1 AND l.name = $2 AND b.build_log_id = l.id
        """

    /// Keeps a build log, in place of the one that was there; false where the cache is no more. Needs `write`.
    ///
    /// - Parameters:
    ///   - body: one zstd stream.
    ///   - byteCount: what it stands for.
    package func putBuildLog(
        _ cacheID: Int64, of derivation: StorePath, body: [UInt8], byteCount: Int64, at now: WallTime
    ) throws(DatabaseError) -> Bool {
        try trying("put a build log") { connection throws(SQLError) in
            guard try connection.cacheExists(cacheID) else { return false }
            let id = try connection.first(
                """
                INSERT INTO build_log (cache_id, name, byte_count, created_at, last_accessed_at) VALUES ($1, $2, $3, $4, $4)
                ON CONFLICT (name, cache_id) DO UPDATE SET byte_count = excluded.byte_count, \
                created_at = excluded.created_at, last_accessed_at = excluded.last_accessed_at
                RETURNING id
                """, [.integer(cacheID), .text(derivation.baseName), .integer(byteCount), .time(now)]
            ) { row throws(SQLError) in try row.integer(0) } ?? 0
            try connection.execute(
                """
                INSERT INTO build_log_body (build_log_id, body) VALUES ($1, $2)
                ON CONFLICT (build_log_id) DO UPDATE SET body = excluded.body
                """, [.integer(id), .blob(body)])
            return true
        }
    }

    /// Notes when build logs were last read; never moves a time back. Needs `write`.
    package func touchBuildLogs(_ touches: [(id: Int64, at: WallTime)]) throws(DatabaseError) {
        try trying("note accesses of build logs") { connection throws(SQLError) in
            try connection.executeEach(
                "UPDATE build_log SET last_accessed_at = $1 WHERE id = $2 AND last_accessed_at < $1",
                touches.map { [.time($0.at), .integer($0.id)] })
        }
    }

    /// Deletes build logs of a cache that were neither put nor read within its retention period. Needs `write`.
    ///
    /// - Parameter defaultRetentionSeconds: for caches without a period of their own; 0: never.
    package func deleteExpiredBuildLogs(
        of cache: CacheName, defaultRetentionSeconds: Int64, at now: WallTime, limit: Int
    ) throws(DatabaseError) -> SweepStep {
        // Asked again in each step: the period may have been made longer meanwhile.
        guard let cache = try findCache(cache), let cutoff = cache.cutoff(defaultRetentionSeconds, at: now) else {
            return SweepStep(deletedCount: 0, isFinished: true)
        }
        return try trying("delete expired build logs") { connection throws(SQLError) in
            try connection.deleteBuildLogs(
                CatalogSession.expiredBuildLogsSQL, [.integer(cache.id), .time(cutoff), .integer(Int64(limit))], limit: limit)
        }
    }

    static let expiredBuildLogsSQL = """
        SELECT l.id, length(b.body) FROM build_log l LEFT JOIN build_log_body b ON b.build_log_id = l.id
        WHERE l.cache_id = $1 AND l.last_accessed_at < $2 LIMIT $3
        """

    static let buildLogsOfCacheSQL = """
        SELECT l.id, length(b.body) FROM build_log l LEFT JOIN build_log_body b ON b.build_log_id = l.id
        WHERE l.cache_id = $1 LIMIT $2
        """
}

extension SQLConnection {
    /// Deletes build logs until their bodies together have more than a step may free.
    ///
    /// - Parameter selected: a statement that gives ids and bytes of bodies, at most `limit`.
    func deleteBuildLogs(_ selected: String, _ values: [SQLValue], limit: Int) throws(SQLError) -> SweepStep {
        let logs = try query(selected, values) { row throws(SQLError) in
            (id: try row.integer(0), byteCount: try row.optionalInteger(1) ?? 0)
        }
        var (count, bodyBytes) = (0, Int64(0))
        for log in logs where bodyBytes < SweepStep.freedBytesMax {
            try execute("DELETE FROM build_log WHERE id = $1", [.integer(log.id)])
            count += 1
            bodyBytes += log.byteCount
        }
        return SweepStep(deletedCount: count, isFinished: count == logs.count && logs.count < limit)
    }

    /// Whether a cache is there still, and not destroyed.
    func cacheExists(_ id: Int64) throws(SQLError) -> Bool {
        try first("SELECT 1 FROM cache WHERE id = $1 AND deleted_at IS NULL", [.integer(id)]) { _ in true } ?? false
    }
}
