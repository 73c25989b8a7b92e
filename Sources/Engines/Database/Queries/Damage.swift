import Crypto
import SQL

/// Damage: chunks whose bytes were found wrong or missing, and the walk of those who look for it.
extension CatalogSession {
    /// Marks chunks as damaged, and all NARs that need one of them: such a NAR counts as missing when a client asks what to push,
    /// such a chunk is not offered as known, and the next upload that brings it takes its place. Needs `write`.
    package func markDamaged(chunkIDs: [Int64]) throws(DatabaseError) {
        try trying("mark damaged chunks") { connection throws(SQLError) in
            for id in chunkIDs {
                try connection.execute("UPDATE chunk SET is_damaged = 1 WHERE id = $1", [.integer(id)])
                try connection.execute(
                    """
                    UPDATE nar SET is_damaged = 1
                    WHERE id IN (SELECT nar_id FROM chunk_reference WHERE chunk_id = $1)
                    """, [.integer(id)])
            }
        }
    }

    /// Marks one NAR as damaged, whose row and chunks do not fit each other: its next push writes both anew. Needs `write`.
    ///
    /// - Parameter fileHash: of the stored bytes that were judged; where others are there by now, these stay unmarked.
    package func markDamaged(narID: Int64, fileHash: SHA256Digest) throws(DatabaseError) {
        try trying("mark a damaged NAR") { connection throws(SQLError) in
            try connection.execute(
                "UPDATE nar SET is_damaged = 1 WHERE id = $1 AND file_hash = $2", [.integer(narID), .digest(fileHash)])
        }
    }

    /// Marks as damaged what lies in a pack beyond its last byte. Needs `write`.
    ///
    /// - Parameter byteCount: what is left of the pack; 0 where its file is gone.
    package func markLost(pack: String, beyond byteCount: Int64) throws(DatabaseError) {
        let ids = try trying("find the chunks of a damaged pack") { connection throws(SQLError) in
            try connection.query(
                """
                SELECT c.id FROM pack p CROSS JOIN chunk c
                WHERE p.name = $1 AND c.pack_id = p.id AND c.pack_offset + c.stored_byte_count > $2 AND c.is_damaged = 0
                """, [.text(pack), .integer(byteCount)]
            ) { row throws(SQLError) in try row.integer(0) }
        }
        try markDamaged(chunkIDs: ids)
    }

    /// The ids of NARs above `after` that are marked as damaged.
    package func damagedNars(after: Int64, limit: Int) throws(DatabaseError) -> [Int64] {
        try trying("list damaged NARs") { connection throws(SQLError) in
            try connection.query(
                "SELECT id FROM nar WHERE is_damaged = 1 AND id > $1 ORDER BY id LIMIT $2", [.integer(after), .integer(Int64(limit))]
            ) { row throws(SQLError) in try row.integer(0) }
        }
    }

    /// The chunks with an id above `after`, by id: a walk over all of them, in steps.
    package func chunks(after: Int64, limit: Int) throws(DatabaseError) -> [ChunkRecord] {
        try trying("list chunks") { connection throws(SQLError) in
            try connection.query(
                """
                SELECT \(ChunkRecord.columns) FROM chunk c CROSS JOIN pack p
                WHERE c.id > $1 AND p.id = c.pack_id ORDER BY c.id LIMIT $2
                """, [.integer(after), .integer(Int64(limit))]
            ) { row throws(SQLError) in try ChunkRecord(row) }
        }
    }

    /// The NARs with an id above `after`, by id: a walk over all of them, in steps.
    package func nars(after: Int64, limit: Int) throws(DatabaseError) -> [NarRecord] {
        try trying("list NARs") { connection throws(SQLError) in
            try connection.query(
                "SELECT \(NarRecord.columns) FROM nar n WHERE n.id > $1 ORDER BY n.id LIMIT $2",
                [.integer(after), .integer(Int64(limit))]
            ) { row throws(SQLError) in try NarRecord(row) }
        }
    }
}
