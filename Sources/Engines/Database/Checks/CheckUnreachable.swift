import Platform
import SQL

/// A table whose rows live as long as something needs them, and how a collection comes to look at one that nothing needs.
package enum KeptTable: String, Sendable, CaseIterable {
    case nar, chunk, pack

    /// Whether nothing keeps `t`, and no collection will look at it.
    fileprivate var isUnreachable: String {
        switch self {
        case .nar:
            """
            NOT EXISTS (SELECT 1 FROM object x WHERE x.nar_id = t.id)
            AND NOT EXISTS (SELECT 1 FROM upload_hold x WHERE x.nar_id = t.id)
            AND NOT EXISTS (SELECT 1 FROM received_file x WHERE x.nar_id = t.id AND x.held_until IS NOT NULL)
            AND NOT EXISTS (SELECT 1 FROM nar_candidate x WHERE x.nar_id = t.id)
            """
        case .chunk:
            """
            NOT EXISTS (SELECT 1 FROM chunk_reference x WHERE x.chunk_id = t.id)
            AND NOT EXISTS (SELECT 1 FROM upload_hold x WHERE x.chunk_id = t.id)
            AND NOT EXISTS (SELECT 1 FROM chunk_candidate x WHERE x.chunk_id = t.id)
            """
        case .pack:
            """
            NOT EXISTS (SELECT 1 FROM chunk x WHERE x.pack_id = t.id)
            AND NOT EXISTS (SELECT 1 FROM pack_candidate x WHERE x.pack_id = t.id)
            """
        }
    }
}

/// What nothing keeps and no collection will find, and what outlived its time.
extension CatalogSession {
    /// A step of the walk over a table: which of the next rows nothing keeps.
    ///
    /// - Returns: `last` is nil where none is left.
    package func unreachable(
        _ table: KeptTable, after: Int64, limit: Int
    ) throws(DatabaseError) -> (ids: [Int64], last: Int64?) {
        let rows = try trying("look for rows of \(table) that nothing keeps") { connection throws(SQLError) in
            try connection.query(
                """
                SELECT t.id, CASE WHEN \(table.isUnreachable) THEN 1 ELSE 0 END FROM \(table) t
                WHERE t.id > $1 ORDER BY t.id LIMIT $2
                """, [.integer(after), .integer(Int64(limit))]
            ) { row throws(SQLError) in (id: try row.integer(0), isUnreachable: try row.bool(1)) }
        }
        return (rows.filter(\.isUnreachable).map(\.id), rows.count < limit ? nil : rows.last?.id)
    }

    /// Has the next collection look at rows that nothing keeps. Needs `write`.
    package func noteUnreachable(_ table: KeptTable, _ ids: [Int64]) throws(DatabaseError) {
        try trying("note rows of \(table) that nothing keeps") { connection throws(SQLError) in
            for id in ids {
                try connection.execute(
                    """
                    INSERT INTO \(table)_candidate (\(table)_id)
                    SELECT t.id FROM \(table) t WHERE t.id = $1 AND \(table.isUnreachable)
                    """, [.integer(id)])
            }
        }
    }

    /// Uploads whose lease has ended by `now` and that are still there: how many, and since when the oldest.
    package func expiredUploads(at now: WallTime) throws(DatabaseError) -> (count: Int, oldest: WallTime)? {
        try trying("look for expired uploads") { connection throws(SQLError) in
            let found = try connection.first(
                "SELECT count(*), COALESCE(min(expires_at), 0) FROM upload WHERE expires_at <= $1", [.time(now)]
            ) { row throws(SQLError) in
                (count: Int(try row.integer(0)), oldest: WallTime(milliseconds: try row.integer(1)))
            }
            guard let found, found.count > 0 else { return nil }
            return found
        }
    }

    /// What the database says of its own file: nothing where that is sound. Reads all of it.
    ///
    /// - Parameter thoroughly: also whether each index has what its table has.
    package func fileFaults(thoroughly: Bool, limit: Int) throws(DatabaseError) -> [String] {
        // A server's files are its own.
        guard dialect.hasFile else { return [] }
        return try trying("check the database's file") { connection throws(SQLError) in
            try connection.query("PRAGMA \(thoroughly ? "integrity_check" : "quick_check")(\(limit))") {
                row throws(SQLError) in try row.text(0)
            }
        }.filter { $0 != "ok" }
    }
}
