import Platform
import SQL

/// Packs: which are there, which are empty, and the bytes in them that are dead.
extension CatalogSession {
    /// Whether a row names the pack, be it a loose one. A file that none names is the remains of an upload that never ended.
    package func packExists(_ name: String) throws(DatabaseError) -> Bool {
        try trying("find a pack") { connection throws(SQLError) in
            try connection.first(
                "SELECT 1 FROM pack WHERE name = $1 UNION ALL SELECT 1 FROM loose_pack WHERE name = $1", [.text(name)]
            ) { _ in true } ?? false
        }
    }

    /// The names of all packs, the loose ones too. For comparing them with the files that are there.
    package func packNames() throws(DatabaseError) -> [String] {
        try trying("list the packs") { connection throws(SQLError) in
            try connection.query("SELECT name FROM pack UNION ALL SELECT name FROM loose_pack") { row throws(SQLError) in
                try row.text(0)
            }
        }
    }

    /// The packs that may still grow, each with the end of the last byte that a row names, living or dead: what a file
    /// holds beyond it is the remains of an upload that never ended, and may be cut off where no writer has the pack.
    package func unsealedPacks() throws(DatabaseError) -> [PackState] {
        try trying("list the open packs") { connection throws(SQLError) in
            // Dead extents count: were new bytes put there, the hole for the old ones would be punched into them.
            try connection.query(
                """
                SELECT p.name,
                    COALESCE((SELECT c.pack_offset + c.stored_byte_count FROM chunk c
                        WHERE c.pack_id = p.id ORDER BY c.pack_offset DESC LIMIT 1), 0),
                    COALESCE((SELECT d.pack_offset + d.byte_count FROM dead_extent d
                        WHERE d.pack_id = p.id ORDER BY d.pack_offset DESC LIMIT 1), 0)
                FROM pack p WHERE p.is_sealed = 0 ORDER BY p.name
                """
            ) { row throws(SQLError) in
                let end = try max(row.integer(1), row.integer(2))
                return PackState(name: try row.text(0), byteCount: end, isSealed: false)
            }
        }
    }

    /// Notes that nothing will be appended to the pack any more. Needs `write`.
    package func sealPack(_ name: String) throws(DatabaseError) {
        try trying("seal a pack") { connection throws(SQLError) in
            try connection.execute("UPDATE pack SET is_sealed = 1 WHERE name = $1", [.text(name)])
        }
    }

    // MARK: Dead bytes

    /// Extents whose chunk is gone, recorded before `before`: who began to read a NAR by then has read it. By pack and offset, so
    /// that neighbours are freed together.
    ///
    /// - Parameter after: gives those behind this one only: to go on where a batch ended.
    package func deadExtents(limit: Int, before: WallTime? = nil, after: DeadExtent? = nil) throws(DatabaseError) -> [DeadExtent] {
        try trying("list dead extents") { connection throws(SQLError) in
            try connection.query(
                CatalogSession.deadExtentsSQL,
                [
                    .integer(after?.packID ?? 0), .integer(after?.extent.offset ?? 0), .integer(after?.id ?? 0),
                    .integer(before?.milliseconds ?? .max), .integer(Int64(limit)),
                ]
            ) { row throws(SQLError) in
                DeadExtent(
                    id: try row.integer(0), packID: try row.integer(1),
                    extent: try StoredExtent(pack: row.text(2), offset: row.integer(3), byteCount: row.integer(4)))
            }
        }
    }

    static let deadExtentsSQL = """
        SELECT d.id, d.pack_id, p.name, d.pack_offset, d.byte_count FROM dead_extent d CROSS JOIN pack p
        WHERE (d.pack_id, d.pack_offset, d.id) > ($1, $2, $3) AND d.recorded_at < $4 AND p.id = d.pack_id
        ORDER BY d.pack_id, d.pack_offset, d.id LIMIT $5
        """

    /// Bytes of all extents whose chunk is gone.
    package func deadByteCount() throws(DatabaseError) -> Int64 {
        try trying("add up dead extents") { connection throws(SQLError) in
            try connection.one("SELECT CAST(COALESCE(sum(byte_count), 0) AS BIGINT) FROM dead_extent") { row throws(SQLError) in
                try row.integer(0)
            }
        }
    }

    /// Forgets extents whose bytes were given back. Needs `write`.
    package func forgetDeadExtents(_ ids: [Int64]) throws(DatabaseError) {
        try trying("forget dead extents") { connection throws(SQLError) in
            try connection.executeEach("DELETE FROM dead_extent WHERE id = $1", ids.map { [.integer($0)] })
        }
    }

    // MARK: Empty packs

    /// Packs in which no chunk lies, by name, of those that lost one since they were last found in use.
    ///
    /// One that cannot be removed now (a writer has it) is given again next time.
    /// - Parameter after: gives names above this one only: to go on where a batch ended.
    package func emptyPacks(limit: Int, after: String = "") throws(DatabaseError) -> [String] {
        try trying("find empty packs") { connection throws(SQLError) in
            try connection.query(
                """
                SELECT p.name FROM pack_candidate k CROSS JOIN pack p WHERE p.id = k.pack_id AND p.name > $1
                AND NOT EXISTS (SELECT 1 FROM chunk c WHERE c.pack_id = p.id)
                ORDER BY p.name LIMIT $2
                """, [.text(after), .integer(Int64(limit))]
            ) { row throws(SQLError) in try row.text(0) }
        }
    }

    /// Looks at the next candidates above `after`, and has those in which a chunk lies be none. Needs `write`.
    ///
    /// - Returns: the last that it looked at; nil where there are no more.
    package func dropUsedPackCandidates(after: Int64, limit: Int) throws(DatabaseError) -> Int64? {
        try trying("look at packs that lost chunks") { connection throws(SQLError) in
            let ids = try connection.query(
                "SELECT pack_id FROM pack_candidate WHERE pack_id > $1 ORDER BY pack_id LIMIT $2",
                [.integer(after), .integer(Int64(limit))]
            ) { row throws(SQLError) in try row.integer(0) }
            try connection.executeEach(
                "DELETE FROM pack_candidate WHERE pack_id = $1 AND EXISTS (SELECT 1 FROM chunk WHERE pack_id = $1)",
                ids.map { [.integer($0)] })
            return ids.count < limit ? nil : ids.last
        }
    }

    /// Forgets some dead extents of a pack in which no chunk lies, ahead of `forgetPack` and as that is called: a pack may have very many. Needs `write`.
    package func forgetDeadExtents(ofEmptyPack name: String, limit: Int) throws(DatabaseError) -> ExtentsLeft {
        try trying("forget the dead extents of a pack") { connection throws(SQLError) in
            let id = try connection.first("SELECT id FROM pack WHERE name = $1", [.text(name)]) { row throws(SQLError) in
                try row.integer(0)
            }
            guard let id else { return .none }
            let pack: [SQLValue] = [.integer(id)]
            if try connection.first("SELECT 1 FROM chunk WHERE pack_id = $1 LIMIT 1", pack, { _ in true }) != nil { return .isUsed }
            let count = try connection.execute(
                "DELETE FROM dead_extent WHERE id IN (SELECT id FROM dead_extent WHERE pack_id = $1 LIMIT $2)",
                pack + [.integer(Int64(limit))])
            return count < limit ? .none : .some
        }
    }

    /// Forgets a pack and its dead extents, where no chunk lies in it; false where one does. Needs `write`.
    ///
    /// To be called with the pack locked against writers, and before its file is removed: a file without a row is cleared
    /// away at the next start, a row without a file would be damage.
    package func forgetPack(_ name: String) throws(DatabaseError) -> Bool {
        try trying("forget a pack") { connection throws(SQLError) in
            let id = try connection.first("SELECT id FROM pack WHERE name = $1", [.text(name)]) { row throws(SQLError) in
                try row.integer(0)
            }
            guard let id else { return true }
            let pack: [SQLValue] = [.integer(id)]
            if try connection.first("SELECT 1 FROM chunk WHERE pack_id = $1 LIMIT 1", pack, { _ in true }) != nil {
                return false
            }
            try connection.execute("DELETE FROM dead_extent WHERE pack_id = $1", pack)
            try connection.execute("DELETE FROM pack_candidate WHERE pack_id = $1", pack)
            try connection.execute("DELETE FROM pack WHERE id = $1", pack)
            return true
        }
    }
}

/// What a pack has of dead extents after some of them were forgotten.
package enum ExtentsLeft: Sendable, Hashable {
    case none, some
    /// A chunk lies in it: nothing was forgotten.
    case isUsed
}
