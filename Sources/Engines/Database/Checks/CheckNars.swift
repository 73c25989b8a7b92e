import Crypto
import SQL

/// What the rows of a NAR add up to.
package struct NarSums: Sendable, Hashable {
    package let id: Int64
    package let narSize: Int64
    package let fileSize: Int64
    package let chunkCount: Int64
    package let isDamaged: Bool
    /// References, and the first and last position among them.
    package let referenceCount: Int64
    package let firstPosition: Int64
    package let lastPosition: Int64
    /// Of the chunks that they name.
    package let byteCount: Int64
    package let storedByteCount: Int64
    package let damagedChunkCount: Int64
    /// Chunks in another compression than the NAR's row says.
    package let strangeChunkCount: Int64
    /// Whether an object names it.
    package let isClaimed: Bool

    /// Whether its references are positions 0 to `chunkCount` - 1, each once.
    package var hasAllReferences: Bool {
        chunkCount == referenceCount && (chunkCount == 0 || firstPosition == 0 && lastPosition == chunkCount - 1)
    }

    /// Whether sizes and compression are those of its chunks.
    package var addsUp: Bool { byteCount == narSize && storedByteCount == fileSize && strangeChunkCount == 0 }
}

/// A NAR with its chunks, as one moment has them: what is verified, and what must not have changed where a verdict is written.
package struct NarSnapshot: Sendable, Hashable {
    package struct Part: Sendable, Hashable {
        package let position: Int64
        package let isDamaged: Bool
        package let chunk: ChunkRecord
    }

    package let nar: NarRecord
    package let parts: [Part]
}

/// What reading all of a NAR told.
package struct NarVerdict: Sendable, Hashable {
    /// Chunks whose bytes are not what their rows say, or not there.
    package var lostChunkIDs: Set<Int64> = []
    /// The true sizes of chunks whose rows say another.
    package var byteCounts: [Int64: Int64] = [:]
    /// Its chunks are whole, and are this NAR.
    package var isWhole = false
    package var narSize: Int64 = 0
    /// Of the frames, as they are stored.
    package var fileSize: Int64 = 0
    package var fileHash: SHA256Digest?

    package init() {}
}

extension CatalogSession {
    /// The NARs with an id above `after`, by id, each with what its references add up to.
    package func narSums(after: Int64, limit: Int) throws(DatabaseError) -> [NarSums] {
        try trying("add up NARs") { connection throws(SQLError) in
            try connection.query(
                CatalogSession.narSumsSQL, [.integer(after), .integer(Int64(limit))]
            ) { row throws(SQLError) in
                NarSums(
                    id: try row.integer(0), narSize: try row.integer(1), fileSize: try row.integer(2),
                    chunkCount: try row.integer(3), isDamaged: try row.bool(4), referenceCount: try row.integer(5),
                    firstPosition: try row.integer(6), lastPosition: try row.integer(7), byteCount: try row.integer(8),
                    storedByteCount: try row.integer(9), damagedChunkCount: try row.integer(10),
                    strangeChunkCount: try row.integer(11), isClaimed: try row.bool(12))
            }
        }
    }

    static let narSumsSQL = """
        SELECT n.id, min(n.nar_size), min(n.file_size), min(n.chunk_count), min(n.is_damaged), count(r.chunk_id),
            COALESCE(min(r.position), 0), COALESCE(max(r.position), 0), CAST(COALESCE(sum(c.byte_count), 0) AS BIGINT),
            CAST(COALESCE(sum(c.stored_byte_count), 0) AS BIGINT), CAST(COALESCE(sum(c.is_damaged), 0) AS BIGINT),
            COALESCE(sum(CASE WHEN c.compression = n.compression THEN 0 ELSE 1 END), 0)
                - CASE WHEN count(r.chunk_id) = 0 THEN 1 ELSE 0 END,
            EXISTS (SELECT 1 FROM object o WHERE o.nar_id = n.id)
        FROM (SELECT * FROM nar WHERE id > $1 ORDER BY id LIMIT $2) n
        LEFT JOIN chunk_reference r ON r.nar_id = n.id LEFT JOIN chunk c ON c.id = r.chunk_id
        GROUP BY n.id ORDER BY n.id
        """

    /// A NAR and its chunks; nil where it is gone. References without chunk or pack are left out.
    package func snapshot(ofNar narID: Int64) throws(DatabaseError) -> NarSnapshot? {
        let nar = try trying("find a NAR") { connection throws(SQLError) in
            try connection.first("SELECT \(NarRecord.columns) FROM nar n WHERE n.id = $1", [.integer(narID)]) {
                row throws(SQLError) in try NarRecord(row)
            }
        }
        guard let nar else { return nil }
        let parts = try trying("find the chunks of a NAR") { connection throws(SQLError) in
            try connection.query(
                """
                SELECT \(ChunkRecord.columns), r.position, c.is_damaged
                FROM chunk_reference r CROSS JOIN chunk c CROSS JOIN pack p
                WHERE r.nar_id = $1 AND c.id = r.chunk_id AND p.id = c.pack_id ORDER BY r.position
                """, [.integer(narID)]
            ) { row throws(SQLError) in
                NarSnapshot.Part(
                    position: try row.integer(ChunkRecord.columnCount), isDamaged: try row.bool(ChunkRecord.columnCount + 1),
                    chunk: try ChunkRecord(row))
            }
        }
        return NarSnapshot(nar: nar, parts: parts)
    }

    /// The ids of NARs above `after`, and the bytes of their stored files.
    package func narSizes(after: Int64, limit: Int) throws(DatabaseError) -> [(id: Int64, fileSize: Int64)] {
        try trying("list NARs") { connection throws(SQLError) in
            try connection.query(
                "SELECT id, file_size FROM nar WHERE id > $1 ORDER BY id LIMIT $2",
                [.integer(after), .integer(Int64(limit))]
            ) { row throws(SQLError) in (id: try row.integer(0), fileSize: try row.integer(1)) }
        }
    }

    // MARK: Putting right

    /// Writes what reading a NAR told, unless it has changed since: marks what is lost, takes marks from what is whole, and
    /// corrects what rows say of bytes that are. Needs `write`.
    ///
    /// - Returns: false where it has changed, and nothing was written.
    package func settle(_ verdict: NarVerdict, on snapshot: NarSnapshot) throws(DatabaseError) -> Bool {
        guard try self.snapshot(ofNar: snapshot.nar.id) == snapshot else { return false }
        try trying("correct the rows of chunks") { connection throws(SQLError) in
            for part in snapshot.parts where part.isDamaged && !verdict.lostChunkIDs.contains(part.chunk.id) {
                try connection.execute("UPDATE chunk SET is_damaged = 0 WHERE id = $1", [.integer(part.chunk.id)])
            }
            for (id, byteCount) in verdict.byteCounts {
                try connection.execute("UPDATE chunk SET byte_count = $1 WHERE id = $2", [.integer(byteCount), .integer(id)])
            }
        }
        try markDamaged(chunkIDs: verdict.lostChunkIDs.sorted())
        guard verdict.isWhole, let fileHash = verdict.fileHash else {
            try markDamaged(narID: snapshot.nar.id, fileHash: snapshot.nar.fileHash)
            return true
        }
        try trying("correct the row of a NAR") { connection throws(SQLError) in
            try connection.execute(
                """
                UPDATE nar SET nar_size = $1, file_hash = $2, file_size = $3, compression = $4, chunk_count = $5, \
                is_damaged = 0 WHERE id = $6
                """,
                [
                    .integer(verdict.narSize), .digest(fileHash), .integer(verdict.fileSize),
                    .text(snapshot.parts.first?.chunk.compression ?? snapshot.nar.compression),
                    .integer(Int64(snapshot.parts.count)), .integer(snapshot.nar.id),
                ])
            try connection.renumber(snapshot)
        }
        return true
    }
}

extension SQLConnection {
    /// Gives a NAR's references the positions 0, 1, … where they have others.
    fileprivate func renumber(_ snapshot: NarSnapshot) throws(SQLError) {
        if snapshot.parts.enumerated().allSatisfy({ $0.element.position == Int64($0.offset) }) { return }
        try execute("DELETE FROM chunk_reference WHERE nar_id = $1", [.integer(snapshot.nar.id)])
        for (position, part) in snapshot.parts.enumerated() {
            try execute(
                "INSERT INTO chunk_reference (nar_id, position, chunk_id) VALUES ($1, $2, $3)",
                [.integer(snapshot.nar.id), .integer(Int64(position)), .integer(part.chunk.id)])
        }
    }
}
