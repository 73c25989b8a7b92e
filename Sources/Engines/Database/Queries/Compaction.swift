import Platform
import SQL

/// A living chunk of a pack that is copied into another.
package struct MovedChunk: Sendable, Hashable {
    package let id: Int64
    package let packID: Int64
    package let offset: Int64
    package let byteCount: Int64
    /// Where it lies in the new pack.
    package let newOffset: Int64

    package init(id: Int64, packID: Int64, offset: Int64, byteCount: Int64, newOffset: Int64) {
        self.id = id
        self.packID = packID
        self.offset = offset
        self.byteCount = byteCount
        self.newOffset = newOffset
    }
}

/// Packs that are worth copying: for stores whose packs cannot be punched.
extension CatalogSession {
    /// Packs of which more than half is dead and something lives, by id.
    ///
    /// Those with damaged chunks are left alone: what is lost cannot be copied.
    /// - Parameter after: gives ids above this one only.
    package func halfDeadPacks(limit: Int, after: Int64) throws(DatabaseError) -> [PackRow] {
        try packs(
            """
            SELECT p.id, p.name, p.byte_count FROM pack p
            JOIN (SELECT pack_id, CAST(sum(byte_count) AS BIGINT) AS byte_count FROM dead_extent GROUP BY pack_id) d ON d.pack_id = p.id
            WHERE p.id > $1 AND d.byte_count * 2 > p.byte_count AND \(CatalogSession.livesWhole) ORDER BY p.id LIMIT $2
            """, [.integer(after), .integer(Int64(limit))])
    }

    /// Packs below `byteCount` in which something lives, by id.
    package func smallPacks(below byteCount: Int64, limit: Int, after: Int64) throws(DatabaseError) -> [PackRow] {
        try packs(
            """
            SELECT p.id, p.name, p.byte_count FROM pack p
            WHERE p.id > $1 AND p.byte_count < $2 AND p.is_sealed = 1 AND \(CatalogSession.livesWhole) ORDER BY p.id LIMIT $3
            """, [.integer(after), .integer(byteCount), .integer(Int64(limit))])
    }

    private static let livesWhole = """
        EXISTS (SELECT 1 FROM chunk c WHERE c.pack_id = p.id)
        AND NOT EXISTS (SELECT 1 FROM chunk c WHERE c.pack_id = p.id AND c.is_damaged = 1)
        """

    private func packs(_ sql: String, _ values: [SQLValue]) throws(DatabaseError) -> [PackRow] {
        try trying("find packs to copy") { connection throws(SQLError) in
            try connection.query(sql, values) { row throws(SQLError) in
                PackRow(id: try row.integer(0), name: try row.text(1), byteCount: try row.integer(2))
            }
        }
    }

    /// Gives chunks the places that they were copied to. The bytes that nothing names then are dead: the old of each that was
    /// moved, the new of each that is gone or has another place by now. Needs `write`.
    ///
    /// - Returns: false where the new pack was given up meanwhile: nothing was written.
    package func moveChunks(_ chunks: [MovedChunk], to pack: PackState, at now: WallTime) throws(DatabaseError) -> Bool {
        try trying("move chunks into another pack") { connection throws(SQLError) in
            if pack.isLoose, try !connection.hasLoosePack(pack.name) { return false }
            let packID = try connection.first(
                "INSERT INTO pack (name, byte_count, is_sealed) VALUES ($1, $2, $3) RETURNING id",
                [.text(pack.name), .integer(pack.byteCount), .bool(pack.isSealed)]
            ) { row throws(SQLError) in try row.integer(0) } ?? 0
            try connection.execute("DELETE FROM loose_pack WHERE name = $1", [.text(pack.name)])
            for chunk in chunks {
                let isMoved = try connection.execute(
                    """
                    UPDATE chunk SET pack_id = $1, pack_offset = $2
                    WHERE id = $3 AND pack_id = $4 AND pack_offset = $5 AND stored_byte_count = $6 AND is_damaged = 0
                    """,
                    [
                        .integer(packID), .integer(chunk.newOffset), .integer(chunk.id), .integer(chunk.packID),
                        .integer(chunk.offset), .integer(chunk.byteCount),
                    ]) == 1
                try connection.noteDeadExtent(
                    packID: isMoved ? chunk.packID : packID, offset: isMoved ? chunk.offset : chunk.newOffset,
                    byteCount: chunk.byteCount, at: now)
            }
            return true
        }
    }
}
