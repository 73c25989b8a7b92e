import Nix
import Platform
import SQL

/// When objects were last used.
///
/// To change an object's time is to change its row and an index, two pages somewhere in a large file. A request for many
/// paths does not wait for that: what it found is noted as it came, and settled afterwards, by upkeep and before anything
/// is deleted by age.
extension CatalogSession {
    /// Paths of one note: settling it is one short transaction.
    private static let notedPathsMax = 500

    /// Notes when objects were last pulled; never moves a time back. Needs `write`.
    ///
    /// A NAR is asked for by its own name, so a pull of one object is one of all of its cache that have the same NAR.
    package func touchObjects(_ touches: [(objectID: Int64, at: WallTime)]) throws(DatabaseError) {
        try trying("note accesses") { connection throws(SQLError) in
            try connection.executeEach(
                CatalogSession.touchObjectsSQL, touches.map { [.time($0.at), .integer($0.objectID)] })
        }
    }

    static let touchObjectsSQL = """
        UPDATE object SET last_accessed_at = $1 WHERE last_accessed_at < $1 AND id IN (
            SELECT s.id FROM object o CROSS JOIN object s
            WHERE o.id = $2 AND s.nar_id = o.nar_id AND s.cache_id = o.cache_id)
        """

    /// Notes an access of those of the paths that the cache has: a client that was told it need not push them relies on their
    /// staying. No collection overlooks it from then on. Needs `write`. Requests go by `Catalog.noteAccesses`, which keeps
    /// what waits within bounds.
    ///
    /// - Returns: how many notes that made.
    @discardableResult
    package func noteAccesses(_ cacheID: Int64, _ hashes: [StorePathHash], at now: WallTime) throws(DatabaseError) -> Int {
        try trying("note accesses") { connection throws(SQLError) in
            var count = 0
            for start in stride(from: 0, to: hashes.count, by: CatalogSession.notedPathsMax) {
                let some = Array(hashes[start..<min(start + CatalogSession.notedPathsMax, hashes.count)])
                try connection.execute(
                    "INSERT INTO access_note (cache_id, accessed_at, store_path_hashes) VALUES ($1, $2, $3)",
                    [.integer(cacheID), .time(now), .pathHashes(some)])
                count += 1
            }
            return count
        }
    }

    /// Whether more than `count` notes wait to be settled.
    package func hasAccessNotes(beyond count: Int = 0) throws(DatabaseError) -> Bool {
        try trying("look for noted accesses") { connection throws(SQLError) in
            try connection.first("SELECT 1 FROM access_note LIMIT 1 OFFSET $1", [.integer(Int64(count))]) { _ in true } ?? false
        }
    }

    /// Moves the newest note into the objects that it names; never moves a time back. Needs `write`.
    ///
    /// Many ask for the same paths one after another: when the newest of their notes is settled, the older ones find nothing to
    /// change.
    package func settleAccesses() throws(DatabaseError) -> SweepStep {
        try trying("settle accesses") { connection throws(SQLError) in
            let note = try connection.first(
                "SELECT id, cache_id, accessed_at, store_path_hashes FROM access_note ORDER BY id DESC LIMIT 1"
            ) { row throws(SQLError) in (id: row.value(0), cacheID: row.value(1), at: row.value(2), hashes: row.value(3)) }
            guard let note else { return SweepStep(deletedCount: 0, isFinished: true) }
            try connection.execute(settleAccessesSQL, [note.hashes, note.at, note.cacheID])
            try connection.execute("DELETE FROM access_note WHERE id = $1", [note.id])
            return SweepStep(deletedCount: 1, isFinished: false)
        }
    }

    var settleAccessesSQL: String {
        """
        \(dialect.textItems)
        UPDATE object SET last_accessed_at = $2 WHERE id IN (
            SELECT o.id FROM item CROSS JOIN object o
            WHERE o.cache_id = $3 AND o.store_path_hash = item.value AND o.last_accessed_at < $2)
        """
    }
}
