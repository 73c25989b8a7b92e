import SQL

/// A build log as its row has it.
package struct BuildLogRow: Sendable, Hashable {
    package let id: Int64
    package let cacheID: Int64
    package let name: String
    package let byteCount: Int64
    package let hasBody: Bool
}

extension CatalogSession {
    /// The build logs with an id above `after`, by id, without their bodies.
    package func buildLogs(after: Int64, limit: Int) throws(DatabaseError) -> [BuildLogRow] {
        try trying("list build logs") { connection throws(SQLError) in
            try connection.query(
                """
                SELECT l.id, l.cache_id, l.name, l.byte_count,
                    EXISTS (SELECT 1 FROM build_log_body b WHERE b.build_log_id = l.id)
                FROM build_log l WHERE l.id > $1 ORDER BY l.id LIMIT $2
                """, [.integer(after), .integer(Int64(limit))]
            ) { row throws(SQLError) in
                BuildLogRow(
                    id: try row.integer(0), cacheID: try row.integer(1), name: try row.text(2),
                    byteCount: try row.integer(3), hasBody: try row.bool(4))
            }
        }
    }

    /// How long a build log is by its row, and its body; nil where one of them is not there.
    package func buildLog(_ id: Int64) throws(DatabaseError) -> (byteCount: Int64, body: [UInt8])? {
        try trying("find a build log") { connection throws(SQLError) in
            try connection.first(
                """
                SELECT l.byte_count, b.body FROM build_log l CROSS JOIN build_log_body b
                WHERE l.id = $1 AND b.build_log_id = l.id
                """, [.integer(id)]
            ) { row throws(SQLError) in (byteCount: try row.integer(0), body: try row.blob(1)) }
        }
    }

    /// Deletes a build log with its body. Needs `write`.
    package func removeBuildLog(_ id: Int64) throws(DatabaseError) {
        try trying("remove a build log") { connection throws(SQLError) in
            try connection.execute("DELETE FROM build_log WHERE id = $1", [.integer(id)])
        }
    }
}
