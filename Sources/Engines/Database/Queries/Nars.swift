import AtticAPI
import Crypto
import SQL

/// NARs: find, and where their bytes lie.
extension CatalogSession {
    /// The NAR of that hash, whoever has it. Knowing a hash gives no right to the bytes: see `cachesHolding`.
    package func findNar(_ narHash: SHA256Digest) throws(DatabaseError) -> NarRecord? {
        try trying("find a NAR") { connection throws(SQLError) in
            try connection.first("SELECT \(NarRecord.columns) FROM nar n WHERE n.nar_hash = $1", [.digest(narHash)]) {
                row throws(SQLError) in try NarRecord(row)
            }
        }
    }

    /// The NAR whose stored bytes have that hash, and an object of that cache that names it; nil where the cache has none.
    package func findNar(
        fileHash: SHA256Digest, cacheID: Int64
    ) throws(DatabaseError) -> (nar: NarRecord, objectID: Int64)? {
        try trying("find a NAR by its file hash") { connection throws(SQLError) in
            try connection.first(CatalogSession.findNarByFileSQL, [.digest(fileHash), .integer(cacheID)]) {
                row throws(SQLError) in (nar: try NarRecord(row, at: 1), objectID: try row.integer(0))
            }
        }
    }

    static let findNarByFileSQL = """
        SELECT o.id, \(NarRecord.columns) FROM nar n CROSS JOIN object o
        WHERE n.file_hash = $1 AND o.nar_id = n.id AND o.cache_id = $2 LIMIT 1
        """

    /// Where the NAR's stored frames lie, in order. Empty where the NAR is gone.
    package func extents(ofNar narID: Int64) throws(DatabaseError) -> [StoredExtent] {
        try trying("find the bytes of a NAR") { connection throws(SQLError) in
            try connection.query(CatalogSession.extentsSQL, [.integer(narID)]) { row throws(SQLError) in
                try StoredExtent(pack: row.text(0), offset: row.integer(1), byteCount: row.integer(2))
            }
        }
    }

    static let extentsSQL = """
        SELECT p.name, c.pack_offset, c.stored_byte_count
        FROM chunk_reference r CROSS JOIN chunk c CROSS JOIN pack p
        WHERE r.nar_id = $1 AND c.id = r.chunk_id AND p.id = c.pack_id ORDER BY r.position
        """

    /// The NAR's chunks, in order; for checking what is stored.
    package func chunks(ofNar narID: Int64) throws(DatabaseError) -> [ChunkRecord] {
        try trying("find the chunks of a NAR") { connection throws(SQLError) in
            try connection.query(
                """
                SELECT \(ChunkRecord.columns) FROM chunk_reference r CROSS JOIN chunk c CROSS JOIN pack p
                WHERE r.nar_id = $1 AND c.id = r.chunk_id AND p.id = c.pack_id ORDER BY r.position
                """, [.integer(narID)]
            ) { row throws(SQLError) in try ChunkRecord(row) }
        }
    }

    /// The caches with an object that names the NAR, but for the destroyed: who may pull from one of them has a right to the
    /// bytes, and need not send them to prove it.
    package func cachesHolding(_ narID: Int64) throws(DatabaseError) -> [(name: CacheName, isPublic: Bool)] {
        try trying("find the caches of a NAR") { connection throws(SQLError) in
            try connection.query(CatalogSession.cachesHoldingSQL, [.integer(narID)]) { row throws(SQLError) in
                guard let name = CacheName(try row.text(0)) else { throw row.mismatch(0, "it is not a name of a cache") }
                return (name: name, isPublic: try row.bool(1))
            }
        }
    }

    static let cachesHoldingSQL = """
        SELECT DISTINCT c.name, c.is_public FROM object o CROSS JOIN cache c
        WHERE o.nar_id = $1 AND c.id = o.cache_id AND c.deleted_at IS NULL ORDER BY c.name
        """
}
