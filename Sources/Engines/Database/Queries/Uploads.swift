import Crypto
import Platform
import SQL

/// Uploads: leases that hold chunks and NARs which nothing refers to yet.
extension CatalogSession {
    /// Begins an upload; its id. It ends by `endUpload`, by its commit, or by `expireUploads` after its lease. Needs `write`.
    package func beginUpload(expiresAt: WallTime) throws(DatabaseError) -> Int64 {
        try trying("begin an upload") { connection throws(SQLError) in
            try connection.one("INSERT INTO upload (expires_at) VALUES ($1) RETURNING id", [.time(expiresAt)]) {
                row throws(SQLError) in try row.integer(0)
            }
        }
    }

    /// Moves the end of the lease; false where it had ended, and its holds with it. Needs `write`.
    @discardableResult
    package func renewUpload(_ uploadID: Int64, expiresAt: WallTime) throws(DatabaseError) -> Bool {
        try trying("renew an upload") { connection throws(SQLError) in
            try connection.execute(
                "UPDATE upload SET expires_at = $1 WHERE id = $2", [.time(expiresAt), .integer(uploadID)]) == 1
        }
    }

    /// Ends an upload and its holds; what only they kept becomes a candidate of the sweep. Needs `write`.
    package func endUpload(_ uploadID: Int64) throws(DatabaseError) {
        try trying("end an upload") { connection throws(SQLError) in try connection.endUpload(uploadID) }
    }

    /// Finds the chunks that the database has in that compression, whole, and holds them for the upload. Needs `write`.
    ///
    /// - Returns: those found. The others, and the damaged, must be stored.
    /// - Throws: `.constraint` where the upload has ended, as its lease may have.
    package func holdChunks(
        _ uploadID: Int64, _ hashes: [SHA256Digest], _ compression: String
    ) throws(DatabaseError) -> [SHA256Digest: ChunkRecord] {
        let found = try findChunks(hashes, compression)
        try trying("hold chunks") { connection throws(SQLError) in
            try connection.executeEach(
                "INSERT INTO upload_hold (upload_id, chunk_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                found.values.map { [.integer(uploadID), .integer($0.id)] })
        }
        return found
    }

    /// The chunks that the database has in that compression, whole; without holding them, so they may vanish.
    package func findChunks(
        _ hashes: [SHA256Digest], _ compression: String
    ) throws(DatabaseError) -> [SHA256Digest: ChunkRecord] {
        try trying("find chunks") { connection throws(SQLError) in
            var found: [SHA256Digest: ChunkRecord] = [:]
            found.reserveCapacity(hashes.count)
            try connection.run(findChunksSQL, [.digests(hashes), .text(compression)]) { row throws(SQLError) in
                let chunk = try ChunkRecord(row)
                found[chunk.hash] = chunk
            }
            return found
        }
    }

    var findChunksSQL: String {
        """
        \(dialect.blobItems)
        SELECT \(ChunkRecord.columns) FROM item CROSS JOIN chunk c CROSS JOIN pack p
        WHERE c.hash = item.value AND c.compression = $2 AND c.is_damaged = 0 AND p.id = c.pack_id
        """
    }

    /// Finds the NAR of that hash, whole, and holds it for the upload; nil where there is none. Needs `write`.
    package func holdNar(_ uploadID: Int64, _ narHash: SHA256Digest) throws(DatabaseError) -> NarRecord? {
        guard let nar = try findNar(narHash), !nar.isDamaged else { return nil }
        try trying("hold a NAR") { connection throws(SQLError) in
            try connection.execute(
                "INSERT INTO upload_hold (upload_id, nar_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                [.integer(uploadID), .integer(nar.id)])
        }
        return nar
    }
}

extension SQLConnection {
    /// Drops the upload's holds and the upload. A chunk or NAR that something refers to now is no candidate: when that goes, it is
    /// noted then.
    func endUpload(_ uploadID: Int64) throws(SQLError) {
        let upload: [SQLValue] = [.integer(uploadID)]
        try executeLater(
            """
            INSERT INTO chunk_candidate (chunk_id) SELECT h.chunk_id FROM upload_hold h
            WHERE h.upload_id = $1 AND h.chunk_id IS NOT NULL
            AND NOT EXISTS (SELECT 1 FROM chunk_reference r WHERE r.chunk_id = h.chunk_id) ON CONFLICT DO NOTHING
            """, [upload])
        try executeLater(
            """
            INSERT INTO nar_candidate (nar_id) SELECT h.nar_id FROM upload_hold h
            WHERE h.upload_id = $1 AND h.nar_id IS NOT NULL
            AND NOT EXISTS (SELECT 1 FROM object o WHERE o.nar_id = h.nar_id) ON CONFLICT DO NOTHING
            """, [upload])
        try executeLater("DELETE FROM upload_hold WHERE upload_id = $1", [upload])
        try executeLater("DELETE FROM upload WHERE id = $1", [upload])
    }

    /// Drops some of the upload's holds of chunks, as `endUpload` does; how many.
    func releaseHolds(ofUpload uploadID: Int64, limit: Int) throws(SQLError) -> Int {
        let chunkIDs = try query(
            """
            DELETE FROM upload_hold WHERE upload_id = $1 AND chunk_id IN (
                SELECT chunk_id FROM upload_hold WHERE upload_id = $1 AND chunk_id IS NOT NULL LIMIT $2)
            RETURNING chunk_id
            """, [.integer(uploadID), .integer(Int64(limit))]
        ) { row throws(SQLError) in try row.integer(0) }
        try executeEach(
            """
            INSERT INTO chunk_candidate (chunk_id)
            SELECT $1 WHERE NOT EXISTS (SELECT 1 FROM chunk_reference WHERE chunk_id = $1) ON CONFLICT DO NOTHING
            """, chunkIDs.map { [.integer($0)] })
        return chunkIDs.count
    }

    /// Notes that the NAR may have lost the last that kept it, unless an object still names it.
    func noteNarCandidate(_ narID: Int64) throws(SQLError) { try noteNarCandidates([narID]) }

    /// As `noteNarCandidate`, for each of them.
    func noteNarCandidates(_ narIDs: [Int64]) throws(SQLError) {
        try executeLater(
            """
            INSERT INTO nar_candidate (nar_id) SELECT $1 WHERE NOT EXISTS (SELECT 1 FROM object WHERE nar_id = $1) \
            ON CONFLICT DO NOTHING
            """, narIDs.map { [.integer($0)] })
    }

    /// Notes that each of the chunks may have lost the last that kept it.
    func noteChunkCandidates(_ chunkIDs: some Sequence<Int64>) throws(SQLError) {
        try executeLater(
            "INSERT INTO chunk_candidate (chunk_id) VALUES ($1) ON CONFLICT DO NOTHING", chunkIDs.map { [.integer($0)] })
    }

    /// Notes bytes that nothing names any more, and that their pack may be empty.
    func noteDeadExtent(packID: Int64, offset: Int64, byteCount: Int64, at now: WallTime) throws(SQLError) {
        try noteDeadExtents([(pack: packID, offset: offset, byteCount: byteCount)], at: now)
    }

    /// As `noteDeadExtent`, for each of them.
    func noteDeadExtents(_ extents: [(pack: Int64, offset: Int64, byteCount: Int64)], at now: WallTime) throws(SQLError) {
        try executeLater(
            "INSERT INTO dead_extent (pack_id, pack_offset, byte_count, recorded_at) VALUES ($1, $2, $3, $4)",
            extents.map { [.integer($0.pack), .integer($0.offset), .integer($0.byteCount), .time(now)] })
        try executeLater(
            "INSERT INTO pack_candidate (pack_id) VALUES ($1) ON CONFLICT DO NOTHING",
            Set(extents.map(\.pack)).sorted().map { [.integer($0)] })
    }
}
