import AtticAPI
import Nix
import SQL

/// Many objects at once: what answers with many narinfos are made of.
extension CatalogSession {
    /// How much of the database such an answer may need. What is beyond is not made in memory.
    package struct ObjectListBounds: Sendable {
        /// Objects at most.
        package let countMax: Int
        /// Bytes at most, of what their narinfos will say.
        package let byteCountMax: Int

        package init(countMax: Int, byteCountMax: Int) {
            self.countMax = countMax
            self.byteCountMax = byteCountMax
        }
    }

    /// Those of a cache's objects that are asked for, in no certain order; what there is not is left out, and so is what is known to
    /// be damaged. One statement, however many they are.
    ///
    /// - Returns: nil where they are more than the bounds allow.
    package func findObjects(
        _ cacheID: Int64, _ hashes: [StorePathHash], _ bounds: ObjectListBounds
    ) throws(DatabaseError) -> [ObjectRecord]? {
        var byteCount = 0
        let found = try findObjects(cacheID, hashes, bounds, &byteCount)
        return byteCount <= bounds.byteCountMax ? found : nil
    }

    /// Those of a cache's objects that are asked for with all that they need, as far as the cache has that: themselves in the order in
    /// which they are asked for, then what they refer to, then what those refer to. One statement for all that are as many steps
    /// away.
    ///
    /// - Parameter hashes: each once.
    /// - Returns: nil where there is more than the bounds allow.
    package func closure(
        _ cacheID: Int64, _ hashes: [StorePathHash], _ bounds: ObjectListBounds
    ) throws(DatabaseError) -> [ObjectRecord]? {
        var closure: [ObjectRecord] = []
        var seen = Set(hashes)
        var next = hashes
        var byteCount = 0
        while !next.isEmpty {
            let places = Dictionary(uniqueKeysWithValues: next.enumerated().map { ($1, $0) })
            var found = try findObjects(cacheID, next, bounds, &byteCount)
            guard byteCount <= bounds.byteCountMax, closure.count + found.count <= bounds.countMax else { return nil }
            // As they were referred to, so that the same objects are the same text.
            found.sort { places[$0.storePathHash, default: 0] < places[$1.storePathHash, default: 0] }
            closure += found
            next = []
            for object in found {
                for reference in object.references {
                    guard let hash = StorePathHash(reference.prefix(32)), seen.insert(hash).inserted else { continue }
                    next.append(hash)
                }
            }
        }
        return closure
    }

    /// Counts up what narinfos of these objects take; those beyond the bounds are counted, and not made.
    private func findObjects(
        _ cacheID: Int64, _ hashes: [StorePathHash], _ bounds: ObjectListBounds, _ byteCount: inout Int
    ) throws(DatabaseError) -> [ObjectRecord] {
        // In the order of the index, so that neighbours are found on the page that is at hand.
        let sorted = hashes.sorted()
        var sum = byteCount
        let found = try trying("find objects") { connection throws(SQLError) in
            try connection.query(findObjectsSQL, [.pathHashes(sorted), .integer(cacheID)]) {
                row throws(SQLError) -> ObjectRecord? in
                // References and signatures are what may be long; the rest is some hundred bytes.
                sum += try row.text(4).utf8.count + row.text(7).utf8.count + 500
                return sum <= bounds.byteCountMax ? try ObjectRecord(row) : nil
            }
        }
        byteCount = sum
        return found.compactMap(\.self)
    }

    var findObjectsSQL: String {
        """
        \(dialect.textItems)
        SELECT \(ObjectRecord.columns) FROM item CROSS JOIN object o CROSS JOIN nar n
        WHERE o.cache_id = $2 AND o.store_path_hash = item.value AND n.id = o.nar_id AND n.is_damaged = 0
        """
    }
}
