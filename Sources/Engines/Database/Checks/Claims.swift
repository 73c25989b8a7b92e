import SQL

/// Store paths that something concerns, as caches claim them: what a person knows it by.
package struct Claims: Sendable, Hashable {
    package struct Claim: Sendable, Hashable {
        package let cache: String
        package let storePath: String

        package init(cache: String, storePath: String) {
            self.cache = cache
            self.storePath = storePath
        }
    }

    /// As many as were asked for, by path and cache.
    package let shown: [Claim]
    /// Whether there are more.
    package let hasMore: Bool

    package static let none = Claims(shown: [], hasMore: false)
    package var isEmpty: Bool { shown.isEmpty }

    package init(shown: [Claim], hasMore: Bool) {
        self.shown = shown
        self.hasMore = hasMore
    }
}

/// Whose the rows are that something is wrong with.
extension CatalogSession {
    /// The objects that name a NAR.
    package func claims(ofNar narID: Int64, limit: Int) throws(DatabaseError) -> Claims {
        try claims(
            """
            SELECT c.name, o.store_path FROM object o CROSS JOIN cache c
            WHERE o.nar_id = $1 AND c.id = o.cache_id LIMIT $2
            """, [.integer(narID)], limit)
    }

    /// The objects whose NARs need a chunk.
    package func claims(ofChunk chunkID: Int64, limit: Int) throws(DatabaseError) -> Claims {
        try claims(
            """
            SELECT DISTINCT c.name, o.store_path FROM chunk_reference r CROSS JOIN object o CROSS JOIN cache c
            WHERE r.chunk_id = $1 AND o.nar_id = r.nar_id AND c.id = o.cache_id LIMIT $2
            """, [.integer(chunkID)], limit)
    }

    /// The objects whose NARs need what lies in a pack beyond `byteCount`.
    package func claims(ofPack packID: Int64, beyond byteCount: Int64, limit: Int) throws(DatabaseError) -> Claims {
        try claims(
            """
            SELECT DISTINCT c.name, o.store_path
            FROM chunk k CROSS JOIN chunk_reference r CROSS JOIN object o CROSS JOIN cache c
            WHERE k.pack_id = $1 AND k.pack_offset + k.stored_byte_count > $2 AND r.chunk_id = k.id
            AND o.nar_id = r.nar_id AND c.id = o.cache_id LIMIT $3
            """, [.integer(packID), .integer(byteCount)], limit)
    }

    /// The objects that dangle themselves, or whose NARs have references that do.
    package func claims(of rows: DanglingRows, limit: Int) throws(DatabaseError) -> Claims {
        switch rows.link {
        case .objectNar: try claims(ofNar: rows.missingID, limit: limit)
        case .referenceChunk: try claims(ofChunk: rows.missingID, limit: limit)
        case .chunkPack: try claims(ofPack: rows.missingID, beyond: .min, limit: limit)
        default: .none
        }
    }

    private func claims(_ sql: String, _ values: [SQLValue], _ limit: Int) throws(DatabaseError) -> Claims {
        let found = try trying("find the store paths of what is damaged") { connection throws(SQLError) in
            try connection.query(sql, values + [.integer(Int64(limit) + 1)]) { row throws(SQLError) in
                Claims.Claim(cache: try row.text(0), storePath: try row.text(1))
            }
        }
        let shown = found.prefix(limit).sorted { ($0.storePath, $0.cache) < ($1.storePath, $1.cache) }
        return Claims(shown: shown, hasMore: found.count > limit)
    }
}
