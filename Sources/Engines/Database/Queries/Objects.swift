import AtticAPI
import Crypto
import Nix
import Platform
import SQL

/// Objects: find, put, count.
extension CatalogSession {
    /// The object of a cache for a store path, with its NAR: what narinfo is made of.
    package func findObject(_ cacheID: Int64, _ hash: StorePathHash) throws(DatabaseError) -> ObjectRecord? {
        try trying("find an object") { connection throws(SQLError) in
            try connection.first(CatalogSession.findObjectSQL, [.integer(cacheID), .text(hash.description)]) {
                row throws(SQLError) in try ObjectRecord(row)
            }
        }
    }

    static let findObjectSQL = """
        SELECT \(ObjectRecord.columns) FROM object o CROSS JOIN nar n
        WHERE o.cache_id = $1 AND o.store_path_hash = $2 AND n.id = o.nar_id
        """

    /// Makes an object, or replaces the one of that path: all of it but its signatures, which are merged where the NAR is the
    /// same (those it had come first; at most `NewObject.signaturesMax`). Needs `write`.
    ///
    /// - Returns: its id.
    @discardableResult
    package func putObject(_ object: NewObject, _ narID: Int64) throws(DatabaseError) -> Int64 {
        try trying("put an object") { connection throws(SQLError) in
            let key: [SQLValue] = [.integer(object.cacheID), .text(object.storePathHash.description)]
            let former = try connection.first(
                "SELECT nar_id, signatures FROM object WHERE cache_id = $1 AND store_path_hash = $2", key
            ) { row throws(SQLError) in (narID: try row.integer(0), signatures: Lines.split(try row.text(1))) }
            // A signature is over the NAR's hash: of another NAR the former ones say nothing.
            var signatures = former?.narID == narID ? former?.signatures ?? [] : []
            for signature in object.signatures where !signatures.contains(signature) && signatures.count < NewObject.signaturesMax {
                signatures.append(signature)
            }

            let id = try connection.first(
                """
                INSERT INTO object (cache_id, store_path_hash, nar_id, store_path, reference_names, system, deriver, \
                signatures, ca, created_at, last_accessed_at)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)
                ON CONFLICT (cache_id, store_path_hash) DO UPDATE SET nar_id = excluded.nar_id, \
                store_path = excluded.store_path, reference_names = excluded.reference_names, system = excluded.system, \
                deriver = excluded.deriver, signatures = excluded.signatures, ca = excluded.ca, \
                created_at = excluded.created_at, last_accessed_at = excluded.last_accessed_at
                RETURNING id
                """,
                key + [
                    .integer(narID), .text(object.storePath), .text(object.references.joined(separator: " ")),
                    .text(object.system), .text(object.deriver), .text(Lines.join(signatures)), .text(object.ca),
                    .time(object.at),
                ]
            ) { row throws(SQLError) in try row.integer(0) } ?? 0

            if let former {
                try connection.executeLater("DELETE FROM object_reference WHERE object_id = $1", [[.integer(id)]])
                if former.narID != narID { try connection.noteNarCandidate(former.narID) }
            }
            // A base name begins with its hash; it was checked where it came in.
            try connection.executeLater(
                """
                INSERT INTO object_reference (object_id, store_path_hash, cache_id) VALUES ($1, $2, $3) \
                ON CONFLICT DO NOTHING
                """, object.references.map { [.integer(id), .text(String($0.prefix(32))), .integer(object.cacheID)] })
            return id
        }
    }

    /// How many objects a cache has. Reads all of its part of an index.
    package func objectCount(_ cacheID: Int64) throws(DatabaseError) -> Int {
        try trying("count objects") { connection throws(SQLError) in
            Int(try connection.first("SELECT count(*) FROM object WHERE cache_id = $1", [.integer(cacheID)]) {
                row throws(SQLError) in try row.integer(0)
            } ?? 0)
        }
    }

    // MARK: Many paths

    /// Which of the paths a cache does not have, in the order given; a path whose NAR is damaged counts as missing.
    ///
    /// One statement however many they are. It looks at one page of one index a path: neither the object's row nor the NAR's is
    /// read, unless there are damaged NARs.
    package func missing(_ cacheID: Int64, _ hashes: [StorePathHash]) throws(DatabaseError) -> [StorePathHash] {
        // In the order of the index, so that neighbours are found on the page that is at hand.
        let order = hashes.indices.sorted { hashes[$0] < hashes[$1] }
        let places = try trying("find missing paths") { connection throws(SQLError) in
            try connection.query(missingSQL, [.pathHashes(order.map { hashes[$0] }), .integer(cacheID)]) {
                row throws(SQLError) in order[Int(try row.integer(0))]
            }
        }
        return places.sorted().map { hashes[$0] }
    }

    var missingSQL: String {
        """
        \(dialect.textItems)
        SELECT item.n FROM item
        LEFT JOIN object o ON o.cache_id = $2 AND o.store_path_hash = item.value
        WHERE o.id IS NULL OR (EXISTS (SELECT 1 FROM nar d WHERE d.is_damaged = 1)
            AND EXISTS (SELECT 1 FROM nar n WHERE n.id = o.nar_id AND n.is_damaged = 1))
        """
    }
}
