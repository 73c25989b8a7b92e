import AtticAPI
import Platform
import SQL

/// Caches: find, list, create, change, destroy.
extension CatalogSession {
    /// The cache of that name, unless it was destroyed.
    package func findCache(_ name: CacheName) throws(DatabaseError) -> CacheRecord? {
        try trying("find a cache") { connection throws(SQLError) in
            try connection.first(
                "SELECT \(CacheRecord.columns) FROM cache WHERE name = $1 AND deleted_at IS NULL", [.text(name.rawValue)]
            ) { row throws(SQLError) in try CacheRecord(row) }
        }
    }

    /// The same, where everyone may read it.
    package func findPublicCache(_ name: CacheName) throws(DatabaseError) -> CacheRecord? {
        try trying("find a public cache") { connection throws(SQLError) in
            try connection.first(
                "SELECT \(CacheRecord.columns) FROM cache WHERE name = $1 AND deleted_at IS NULL AND is_public <> 0",
                [.text(name.rawValue)]
            ) { row throws(SQLError) in try CacheRecord(row) }
        }
    }

    /// All caches but the destroyed, by name.
    package func listCaches() throws(DatabaseError) -> [CacheRecord] {
        try trying("list the caches") { connection throws(SQLError) in
            try connection.query("SELECT \(CacheRecord.columns) FROM cache WHERE deleted_at IS NULL ORDER BY name") {
                row throws(SQLError) in try CacheRecord(row)
            }
        }
    }

    /// The names of caches that are not destroyed, `limit` of them at most, and which of them everyone may read.
    package func cacheNames(limit: Int) throws(DatabaseError) -> [(name: CacheName, isPublic: Bool)] {
        try trying("list the caches' names") { connection throws(SQLError) in
            try connection.query(
                "SELECT name, is_public FROM cache WHERE deleted_at IS NULL LIMIT $1", [.integer(Int64(limit))]
            ) { row throws(SQLError) in
                guard let name = CacheName(try row.text(0)) else { throw row.mismatch(0, "it is not a name of a cache") }
                return (name: name, isPublic: try row.bool(1))
            }
        }
    }

    /// Makes a cache; false where one of that name exists, or was destroyed softly. Needs `write`.
    package func createCache(_ cache: NewCache) throws(DatabaseError) -> Bool {
        try trying("create a cache") { connection throws(SQLError) in
            let isKept = try connection.first(
                "SELECT 1 FROM cache WHERE name = $1 AND deleted_at IS NOT NULL AND is_destroyed = 0", [.text(cache.name.rawValue)]
            ) { _ in true } ?? false
            if isKept { return false }
            return try connection.execute(
                """
                INSERT INTO cache (name, keypair, is_public, store_directory, priority, upstream_cache_key_names, \
                retention_seconds, created_at)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
                ON CONFLICT (name) WHERE deleted_at IS NULL DO NOTHING
                """,
                [
                    .text(cache.name.rawValue), .text(cache.keypair), .bool(cache.isPublic), .text(cache.storeDirectory),
                    .integer(cache.priority), .text(Lines.join(cache.upstreamCacheKeyNames)),
                    .integer(cache.retentionSeconds), .time(cache.createdAt),
                ]) == 1
        }
    }

    /// Changes what is named of a cache; false where there is none. Needs `write`.
    package func changeCache(_ name: CacheName, _ changes: CacheChanges) throws(DatabaseError) -> Bool {
        let retention: (isSet: Bool, seconds: Int64?) = switch changes.retention {
        case nil: (false, nil)
        case .global: (true, nil)
        case .seconds(let seconds): (true, seconds)
        }
        return try trying("change a cache") { connection throws(SQLError) in
            try connection.execute(
                """
                UPDATE cache SET keypair = COALESCE($1, keypair), is_public = COALESCE($2, is_public), \
                store_directory = COALESCE($3, store_directory), priority = COALESCE($4, priority), \
                upstream_cache_key_names = COALESCE($5, upstream_cache_key_names), \
                retention_seconds = CASE WHEN $6 = 1 THEN $7 ELSE retention_seconds END
                WHERE name = $8 AND deleted_at IS NULL
                """,
                [
                    .text(changes.keypair), .integer(changes.isPublic.map { $0 ? 1 : 0 }), .text(changes.storeDirectory),
                    .integer(changes.priority), .text(changes.upstreamCacheKeyNames.map(Lines.join)),
                    .bool(retention.isSet), .integer(retention.seconds), .text(name.rawValue),
                ]) == 1
        }
    }

    /// Destroys a cache; false where there is none. Needs `write`.
    ///
    /// - Parameter soft: keep its objects (nobody can reach them), and its name. Otherwise that is free at once, and the sweep removes them in batches
    ///   (`purgeDestroyedCaches`), and then what only they kept alive.
    package func destroyCache(_ name: CacheName, soft: Bool, at now: WallTime) throws(DatabaseError) -> Bool {
        try trying("destroy a cache") { connection throws(SQLError) in
            try connection.execute(
                "UPDATE cache SET deleted_at = $1, is_destroyed = $2 WHERE name = $3 AND deleted_at IS NULL",
                [.time(now), .bool(!soft), .text(name.rawValue)]) == 1
        }
    }
}
