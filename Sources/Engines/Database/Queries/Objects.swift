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
        try putObjects([(object, narID)])[0]
    }

    /// As `putObject`, one after another, also of one path; many on two ways to the database and back.
    ///
    /// - Returns: their ids, in the same order.
    func putObjects(_ objects: [(object: NewObject, narID: Int64)]) throws(DatabaseError) -> [Int64] {
        try trying("put objects") { connection throws(SQLError) in
            let formers = try merge(objects, connection)
            var ids = [Int64](repeating: 0, count: objects.count)
            try connection.runEach(
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
                zip(objects, formers).map { new, former in
                    let object = new.object
                    return [
                        .integer(object.cacheID), .text(object.storePathHash.description), .integer(new.narID), .text(object.storePath),
                        .text(object.references.joined(separator: " ")), .text(object.system), .text(object.deriver),
                        .text(Lines.join(former.signatures)), .text(object.ca), .time(object.at),
                    ]
                }
            ) { index, row throws(SQLError) in ids[index] = try row.integer(0) }
            for (index, (object, narID)) in objects.enumerated() {
                if let former = formers[index].narID {
                    try connection.executeLater("DELETE FROM object_reference WHERE object_id = $1", [[.integer(ids[index])]])
                    if former != narID { try connection.noteNarCandidate(former) }
                }
                // A base name begins with its hash; it was checked where it came in.
                try connection.executeLater(
                    """
                    INSERT INTO object_reference (object_id, store_path_hash, cache_id) VALUES ($1, $2, $3) \
                    ON CONFLICT DO NOTHING
                    """, object.references.map { [.integer(ids[index]), .text(String($0.prefix(32))), .integer(object.cacheID)] })
            }
            return ids
        }
    }

    /// What objects that are to be put find, each after those before it: the NAR that its path had, nil of a new one, and the signatures
    /// that it is to have.
    private func merge(
        _ objects: [(object: NewObject, narID: Int64)], _ connection: any SQLConnection
    ) throws(SQLError) -> [(narID: Int64?, signatures: [String])] {
        struct Key: Hashable {
            let cacheID: Int64
            let hash: StorePathHash
        }
        let keys = objects.map { Key(cacheID: $0.object.cacheID, hash: $0.object.storePathHash) }
        var known: [Key: (narID: Int64, signatures: [String])] = [:]
        try connection.runEach(
            "SELECT nar_id, signatures FROM object WHERE cache_id = $1 AND store_path_hash = $2",
            keys.map { [.integer($0.cacheID), .text($0.hash.description)] }
        ) { index, row throws(SQLError) in
            known[keys[index]] = (narID: try row.integer(0), signatures: Lines.split(try row.text(1)))
        }
        var found: [(narID: Int64?, signatures: [String])] = []
        found.reserveCapacity(objects.count)
        for (key, (object, narID)) in zip(keys, objects) {
            let former = known[key]
            // A signature is over the NAR's hash: of another NAR the former ones say nothing.
            var signatures = former?.narID == narID ? former?.signatures ?? [] : []
            for signature in object.signatures where !signatures.contains(signature) && signatures.count < NewObject.signaturesMax {
                signatures.append(signature)
            }
            found.append((former?.narID, signatures))
            known[key] = (narID: narID, signatures: signatures)
        }
        return found
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
