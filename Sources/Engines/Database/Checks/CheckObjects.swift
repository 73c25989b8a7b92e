import Nix
import SQL

/// An object's row, as far as it must agree with itself.
package struct ObjectRow: Sendable, Hashable {
    package let id: Int64
    package let cacheID: Int64
    package let storePathHash: String
    package let storePath: String
    /// The hashes of the paths that its narinfo names.
    package let namedHashes: Set<String>
    /// The same as the graph has them.
    package var graphHashes: Set<String> = []
    /// Whether the graph has them in this object's cache.
    package var graphFits = true

    /// Whether its hash is that of its path.
    package var namesItself: Bool {
        guard StorePathHash(storePathHash) != nil, let slash = storePath.lastIndex(of: "/") else { return false }
        return storePath[storePath.index(after: slash)...].hasPrefix(storePathHash + "-")
    }

    package var hasItsReferences: Bool { graphFits && graphHashes == namedHashes }
}

extension CatalogSession {
    /// The objects with an id above `after`, by id.
    package func objectRows(after: Int64, limit: Int) throws(DatabaseError) -> [ObjectRow] {
        var rows = try trying("list objects") { connection throws(SQLError) in
            try connection.query(
                """
                SELECT id, cache_id, store_path_hash, store_path, reference_names FROM object
                WHERE id > $1 ORDER BY id LIMIT $2
                """, [.integer(after), .integer(Int64(limit))]
            ) { row throws(SQLError) in
                ObjectRow(
                    id: try row.integer(0), cacheID: try row.integer(1), storePathHash: try row.text(2),
                    storePath: try row.text(3),
                    namedHashes: Set(try row.text(4).split(separator: " ").map { String($0.prefix(32)) }))
            }
        }
        guard let last = rows.last else { return [] }
        var places: [Int64: Int] = [:]
        for (place, row) in rows.enumerated() { places[row.id] = place }
        try trying("list references of objects") { connection throws(SQLError) in
            _ = try connection.run(
                "SELECT object_id, store_path_hash, cache_id FROM object_reference WHERE object_id > $1 AND object_id <= $2",
                [.integer(after), .integer(last.id)]
            ) { row throws(SQLError) in
                guard let place = places[try row.integer(0)] else { return }
                rows[place].graphHashes.insert(try row.text(1))
                if try row.integer(2) != rows[place].cacheID { rows[place].graphFits = false }
            }
        }
        return rows
    }

    /// The name of a cache, or its id where it has no row.
    package func cacheWord(_ cacheID: Int64) throws(DatabaseError) -> String {
        try trying("find a cache") { connection throws(SQLError) in
            try connection.first("SELECT name FROM cache WHERE id = $1", [.integer(cacheID)]) { row throws(SQLError) in
                try row.text(0)
            } ?? "(the cache \(cacheID), which has no row)"
        }
    }

    // MARK: Putting right

    /// Deletes an object; its path is missing from then on. Needs `write`.
    package func removeObject(_ objectID: Int64) throws(DatabaseError) {
        try trying("remove an object") { connection throws(SQLError) in try connection.removeObject(objectID) }
    }

    /// Writes the graph of an object's references as its narinfo names them, unless the object has changed. Needs `write`.
    package func rewriteReferences(of object: ObjectRow) throws(DatabaseError) {
        guard try objectRows(after: object.id - 1, limit: 1).first == object else { return }
        try trying("write the references of an object anew") { connection throws(SQLError) in
            try connection.execute("DELETE FROM object_reference WHERE object_id = $1", [.integer(object.id)])
            for hash in object.namedHashes.sorted() {
                try connection.execute(
                    "INSERT INTO object_reference (object_id, store_path_hash, cache_id) VALUES ($1, $2, $3)",
                    [.integer(object.id), .text(hash), .integer(object.cacheID)])
            }
        }
    }
}
