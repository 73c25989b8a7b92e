import SQL

/// A pack as its row has it.
package struct PackRow: Sendable, Hashable {
    package let id: Int64
    package let name: String
    package let byteCount: Int64
}

/// An extent that a row names, of a chunk or dead.
package struct NamedExtent: Sendable, Hashable {
    /// The chunk's row, or the dead extent's.
    package let id: Int64
    package let isDead: Bool
    package let offset: Int64
    package let byteCount: Int64
    /// Of a chunk: it is known to be lost.
    package let isDamaged: Bool

    /// The first byte after it; saturates, since a damaged row may say anything.
    package var end: Int64 {
        let (end, overflow) = offset.addingReportingOverflow(byteCount)
        return overflow ? .max : end
    }

    package init(id: Int64, isDead: Bool, offset: Int64, byteCount: Int64, isDamaged: Bool) {
        self.id = id
        self.isDead = isDead
        self.offset = offset
        self.byteCount = byteCount
        self.isDamaged = isDamaged
    }
}

/// What rows say of packs, for comparing it with itself and with the files.
extension CatalogSession {
    /// The packs with an id above `after`, by id: a walk over all of them, in steps.
    package func packs(after: Int64, limit: Int) throws(DatabaseError) -> [PackRow] {
        try trying("list packs") { connection throws(SQLError) in
            try connection.query(
                "SELECT id, name, byte_count FROM pack WHERE id > $1 ORDER BY id LIMIT $2",
                [.integer(after), .integer(Int64(limit))]
            ) { row throws(SQLError) in
                PackRow(id: try row.integer(0), name: try row.text(1), byteCount: try row.integer(2))
            }
        }
    }

    /// The pack of that name; nil where no row names it.
    package func findPack(_ name: String) throws(DatabaseError) -> PackRow? {
        try trying("find a pack") { connection throws(SQLError) in
            try connection.first("SELECT id, name, byte_count FROM pack WHERE name = $1", [.text(name)]) {
                row throws(SQLError) in
                PackRow(id: try row.integer(0), name: try row.text(1), byteCount: try row.integer(2))
            }
        }
    }

    /// The extents of a pack from `offset` on, living and dead, by their offset.
    package func extents(inPack packID: Int64, from offset: Int64, limit: Int) throws(DatabaseError) -> [NamedExtent] {
        try trying("list the extents of a pack") { connection throws(SQLError) in
            try connection.query(
                CatalogSession.packExtentsSQL, [.integer(packID), .integer(offset), .integer(Int64(limit))]
            ) { row throws(SQLError) in
                NamedExtent(
                    id: try row.integer(0), isDead: try row.bool(1), offset: try row.integer(2),
                    byteCount: try row.integer(3), isDamaged: try row.bool(4))
            }
        }
    }

    static let packExtentsSQL = """
        SELECT id, 0, pack_offset, stored_byte_count, is_damaged FROM chunk WHERE pack_id = $1 AND pack_offset >= $2
        UNION ALL
        SELECT id, 1, pack_offset, byte_count, 0 FROM dead_extent WHERE pack_id = $1 AND pack_offset >= $2
        ORDER BY 3 LIMIT $3
        """

    /// The end of the last byte of a pack that a row names: of a chunk, and of anything, dead or alive.
    package func namedEnd(ofPack packID: Int64) throws(DatabaseError) -> (living: Int64, any: Int64) {
        try trying("find the end of a pack") { connection throws(SQLError) in
            func end(_ sql: String) throws(SQLError) -> Int64 {
                try connection.first(sql, [.integer(packID)]) { row throws(SQLError) in try row.integer(0) } ?? 0
            }
            let living = try end(
                "SELECT pack_offset + stored_byte_count FROM chunk WHERE pack_id = $1 ORDER BY pack_offset DESC LIMIT 1")
            let dead = try end(
                "SELECT pack_offset + byte_count FROM dead_extent WHERE pack_id = $1 ORDER BY pack_offset DESC LIMIT 1")
            return (living, max(living, dead))
        }
    }

    /// Those of the extents whose rows still say the same.
    package func remaining(_ extents: [NamedExtent], inPack packID: Int64) throws(DatabaseError) -> [NamedExtent] {
        try trying("look at extents again") { connection throws(SQLError) in
            var remaining: [NamedExtent] = []
            for extent in extents {
                let sql = extent.isDead
                    ? "SELECT 1 FROM dead_extent WHERE id = $1 AND pack_id = $2 AND pack_offset = $3 AND byte_count = $4"
                    : "SELECT 1 FROM chunk WHERE id = $1 AND pack_id = $2 AND pack_offset = $3 AND stored_byte_count = $4"
                let isThere = try connection.first(
                    sql, [.integer(extent.id), .integer(packID), .integer(extent.offset), .integer(extent.byteCount)]
                ) { _ in true }
                if isThere != nil { remaining.append(extent) }
            }
            return remaining
        }
    }

    // MARK: Putting right

    /// Marks chunks as damaged, with the NARs that need them, unless they were moved meanwhile. Needs `write`.
    ///
    /// - Parameter keepsPlace: false where the extent is not theirs: others' bytes lie there, and must not be given back with
    ///   them. They have no place from then on.
    package func markLost(
        _ extents: [NamedExtent], inPack packID: Int64, keepsPlace: Bool
    ) throws(DatabaseError) {
        let lost = try remaining(extents, inPack: packID).filter { !$0.isDead }
        try markDamaged(chunkIDs: lost.map(\.id))
        if keepsPlace { return }
        for chunk in lost { try takePlace(ofChunk: chunk.id) }
    }

    /// Says how far a pack reaches, where its row says less. Needs `write`.
    package func raisePack(_ packID: Int64, to end: Int64) throws(DatabaseError) {
        try trying("correct a pack's size") { connection throws(SQLError) in
            try connection.execute(
                "UPDATE pack SET byte_count = $1 WHERE id = $2 AND byte_count < $1", [.integer(end), .integer(packID)])
        }
    }

    /// The chunk's row; nil where it is gone.
    package func findChunk(_ chunkID: Int64) throws(DatabaseError) -> ChunkRecord? {
        try trying("find a chunk") { connection throws(SQLError) in
            try connection.first(
                "SELECT \(ChunkRecord.columns) FROM chunk c CROSS JOIN pack p WHERE c.id = $1 AND p.id = c.pack_id",
                [.integer(chunkID)]
            ) { row throws(SQLError) in try ChunkRecord(row) }
        }
    }

    /// Marks a chunk as damaged, with the NARs that need it, unless its row has changed. Needs `write`.
    ///
    /// - Parameter keepsPlace: as with `markLost`.
    /// - Returns: false where the row has changed, or is gone.
    package func markLost(_ chunk: ChunkRecord, keepsPlace: Bool = true) throws(DatabaseError) -> Bool {
        guard try findChunk(chunk.id) == chunk else { return false }
        try markDamaged(chunkIDs: [chunk.id])
        if !keepsPlace { try takePlace(ofChunk: chunk.id) }
        return true
    }

    private func takePlace(ofChunk chunkID: Int64) throws(DatabaseError) {
        try trying("take its place from a damaged chunk") { connection throws(SQLError) in
            try connection.execute(
                "UPDATE chunk SET pack_offset = 0, stored_byte_count = 0 WHERE id = $1", [.integer(chunkID)])
        }
    }
}
