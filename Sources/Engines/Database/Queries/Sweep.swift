import Platform
import SQL

/// What one step of the sweep did. A step is one short transaction; call it again until it is finished.
package struct SweepStep: Sendable, Hashable {
    /// How many of what the step deletes are gone.
    package let deletedCount: Int
    /// Nothing is left to look at for now.
    package let isFinished: Bool

    /// Bytes of large columns that one step frees at most, or a little more: their pages are looked at one by one, while writers
    /// wait.
    static let freedBytesMax: Int64 = 16 << 20
}

/// The sweep: uploads whose lease has ended, objects of destroyed caches, NARs without object or hold, chunks without reference
/// or hold. Each level looks at the candidates that the level above noted, so the cost follows the garbage. All need `write`.
extension CatalogSession {
    /// Ends uploads whose lease ended by `now`.
    ///
    /// - Parameter limit: of uploads and holds together. An upload goes with the last of its holds.
    package func expireUploads(at now: WallTime, limit: Int) throws(DatabaseError) -> SweepStep {
        try trying("end expired uploads") { connection throws(SQLError) in
            var count = 0
            var work = 0
            while work < limit {
                let id = try connection.first(
                    "SELECT id FROM upload WHERE expires_at <= $1 ORDER BY expires_at LIMIT 1", [.time(now)]
                ) { row throws(SQLError) in try row.integer(0) }
                guard let id else { return SweepStep(deletedCount: count, isFinished: true) }
                let releasedCount = try connection.releaseHolds(ofUpload: id, limit: limit)
                work += 1 + releasedCount
                if releasedCount == limit { continue }
                try connection.endUpload(id)
                count += 1
            }
            return SweepStep(deletedCount: count, isFinished: false)
        }
    }

    /// Deletes what caches had that were destroyed (not softly): their objects, build logs and realisations; and the caches
    /// after the last of them.
    package func purgeDestroyedCaches(limit: Int) throws(DatabaseError) -> SweepStep {
        try trying("delete the objects of a destroyed cache") { connection throws(SQLError) in
            let cacheID = try connection.first("SELECT id FROM cache WHERE is_destroyed = 1 LIMIT 1") {
                row throws(SQLError) in try row.integer(0)
            }
            guard let cacheID else { return SweepStep(deletedCount: 0, isFinished: true) }
            // What has no objects goes first, so that the cache may go with its last object.
            let some: [SQLValue] = [.integer(cacheID), .integer(Int64(limit))]
            let logs = try connection.deleteBuildLogs(CatalogSession.buildLogsOfCacheSQL, some, limit: limit)
            if logs.deletedCount > 0 { return SweepStep(deletedCount: 0, isFinished: false) }
            if try connection.execute(CatalogSession.purgeRealisationsSQL, some) > 0 {
                return SweepStep(deletedCount: 0, isFinished: false)
            }
            let narIDs = try connection.query(
                """
                DELETE FROM object WHERE id IN (SELECT id FROM object WHERE cache_id = $1 LIMIT $2) RETURNING nar_id
                """, [.integer(cacheID), .integer(Int64(limit))]
            ) { row throws(SQLError) in try row.integer(0) }
            try connection.noteNarCandidates(narIDs)
            if narIDs.count < limit { try connection.execute("DELETE FROM cache WHERE id = $1", [.integer(cacheID)]) }
            // There may be another one.
            return SweepStep(deletedCount: narIDs.count, isFinished: false)
        }
    }

    static let purgeRealisationsSQL = """
        DELETE FROM realisation WHERE id IN (SELECT id FROM realisation WHERE cache_id = $1 LIMIT $2)
        """

    /// Deletes NARs that no object names and neither an upload nor a file holds, then their references, whose chunks become candidates.
    ///
    /// - Parameter limit: of references and NARs together. A NAR of 100,000 chunks takes many steps: its row goes first, so
    ///   that nobody can come to name it, and it is a candidate until its last reference is gone.
    package func deleteOrphanNars(limit: Int) throws(DatabaseError) -> SweepStep {
        try trying("delete NARs without object") { connection throws(SQLError) in
            var count = 0
            var work = 0
            while work < limit {
                let narID = try connection.first("SELECT nar_id FROM nar_candidate ORDER BY nar_id LIMIT 1") {
                    row throws(SQLError) in try row.integer(0)
                }
                guard let narID else { return SweepStep(deletedCount: count, isFinished: true) }
                let nar: [SQLValue] = [.integer(narID)]
                let listingBytes = try connection.first("SELECT length(listing) FROM nar_listing WHERE nar_id = $1", nar) {
                    row throws(SQLError) in try row.integer(0)
                } ?? 0
                count += try connection.execute(CatalogSession.deleteOrphanNarSQL, nar)
                // A listing goes with its NAR, and to free its pages is work, too.
                work += 1 + Int(listingBytes) * limit / Int(SweepStep.freedBytesMax)
                let remains = try connection.first("SELECT 1 FROM nar WHERE id = $1", nar) { _ in true } == nil
                if remains {
                    let chunkIDs = try connection.query(
                        """
                        DELETE FROM chunk_reference WHERE nar_id = $1 AND position IN (
                            SELECT position FROM chunk_reference WHERE nar_id = $1 ORDER BY position LIMIT $2)
                        RETURNING chunk_id
                        """, nar + [.integer(Int64(limit))]
                    ) { row throws(SQLError) in try row.integer(0) }
                    try connection.noteChunkCandidates(Set(chunkIDs))
                    work += chunkIDs.count
                    if chunkIDs.count == limit { continue }
                }
                // Somebody names it still or again, or nothing is left of it.
                try connection.execute("DELETE FROM nar_candidate WHERE nar_id = $1", nar)
            }
            return SweepStep(deletedCount: count, isFinished: false)
        }
    }

    static let deleteOrphanNarSQL = """
        DELETE FROM nar WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM object WHERE nar_id = $1)
        AND NOT EXISTS (SELECT 1 FROM upload_hold WHERE nar_id = $1)
        AND NOT EXISTS (SELECT 1 FROM received_file WHERE nar_id = $1 AND held_until IS NOT NULL)
        """

    /// Deletes chunks that no NAR refers to and no upload holds; their places are dead extents from then on, so that a crash
    /// between this and giving the bytes back loses nothing.
    package func deleteOrphanChunks(
        limit: Int, at now: WallTime
    ) throws(DatabaseError) -> SweepStep {
        try trying("delete chunks without NAR") { connection throws(SQLError) in
            let candidates = try connection.query(
                """
                DELETE FROM chunk_candidate WHERE chunk_id IN (
                    SELECT chunk_id FROM chunk_candidate ORDER BY chunk_id LIMIT $1)
                RETURNING chunk_id
                """, [.integer(Int64(limit))]
            ) { row throws(SQLError) in try row.integer(0) }
            var places: [(pack: Int64, offset: Int64, byteCount: Int64)] = []
            try connection.runEach(CatalogSession.deleteOrphanChunkSQL, candidates.map { [.integer($0)] }) {
                _, row throws(SQLError) in
                places.append((try row.integer(0), try row.integer(1), try row.integer(2)))
            }
            try connection.noteDeadExtents(places, at: now)
            return SweepStep(deletedCount: places.count, isFinished: candidates.count < limit)
        }
    }

    static let deleteOrphanChunkSQL = """
        DELETE FROM chunk WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM chunk_reference WHERE chunk_id = $1)
        AND NOT EXISTS (SELECT 1 FROM upload_hold WHERE chunk_id = $1)
        RETURNING pack_id, pack_offset, stored_byte_count
        """
}
