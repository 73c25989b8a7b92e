import Nix
import Platform
import SQL

/// What came of putting a realisation.
package enum RealisationOutcome: Sendable, Hashable {
    case stored
    /// Another output path is known for the same output, and the cache has its object.
    case contradicts(StorePath)
    /// The cache was destroyed.
    case noSuchCache
}

/// Realisations of a cache, by their id.
extension CatalogSession {
    package func findRealisation(_ cacheID: Int64, _ id: RealisationID) throws(DatabaseError) -> Realisation? {
        try trying("find a realisation") { connection throws(SQLError) in
            try connection.findRealisation(cacheID, id)
        }
    }

    static let findRealisationSQL = "SELECT body FROM realisation WHERE cache_id = $1 AND name = $2"

    /// Keeps a realisation. One of the same id that names the same output path is merged with it; one that names another is
    /// replaced where the cache does not have that path (any more), and stays where it has: others rely on it, and
    /// realisations that were built with it name it. Needs `write`.
    ///
    /// - Parameter signaturesMax: signatures beyond are left out.
    package func putRealisation(
        _ new: Realisation, _ cacheID: Int64, signaturesMax: Int, at now: WallTime
    ) throws(DatabaseError) -> RealisationOutcome {
        try trying("put a realisation") { connection throws(SQLError) in
            guard try connection.cacheExists(cacheID) else { return .noSuchCache }
            var merged = new
            if let former = try connection.findRealisation(cacheID, new.id) {
                if former.outputPath == new.outputPath {
                    merged = former.merging(new, signaturesMax: signaturesMax)
                } else if try connection.hasObject(cacheID, former.outputPath.hash) {
                    return .contradicts(former.outputPath)
                }
            }
            let id = try connection.first(
                """
                INSERT INTO realisation (cache_id, name, output_path_hash, body, created_at) VALUES ($1, $2, $3, $4, $5)
                ON CONFLICT (name, cache_id) DO UPDATE SET output_path_hash = excluded.output_path_hash, \
                body = excluded.body, created_at = excluded.created_at
                RETURNING id
                """,
                [
                    .integer(cacheID), .text(new.id.description), .text(new.outputPath.hash.description),
                    .text(String(decoding: merged.json(), as: UTF8.self)), .time(now),
                ]
            ) { row throws(SQLError) in try row.integer(0) } ?? 0
            // Nothing may ever come that it stands for.
            if try !connection.hasObject(cacheID, new.outputPath.hash) {
                try connection.execute(
                    "INSERT INTO realisation_candidate (realisation_id) VALUES ($1) ON CONFLICT DO NOTHING", [.integer(id)])
            }
            return .stored
        }
    }

    /// Deletes realisations whose output path the cache does not have, of those that were put by `cutoff`. Needs `write`.
    package func deleteUnkeptRealisations(putBy cutoff: WallTime, limit: Int) throws(DatabaseError) -> SweepStep {
        try trying("delete realisations without output") { connection throws(SQLError) in
            let ids = try connection.query(
                CatalogSession.unkeptRealisationsSQL, [.time(cutoff), .integer(Int64(limit))]
            ) { row throws(SQLError) in try row.integer(0) }
            var count = 0
            for id in ids {
                count += try connection.execute(CatalogSession.deleteUnkeptRealisationSQL, [.integer(id)])
                // It is there no more, or its output is.
                try connection.execute("DELETE FROM realisation_candidate WHERE realisation_id = $1", [.integer(id)])
            }
            return SweepStep(deletedCount: count, isFinished: ids.count < limit)
        }
    }

    /// Walks the candidates: what was put within the last day, and what lost its object since the last collection.
    static let unkeptRealisationsSQL = """
        SELECT c.realisation_id FROM realisation_candidate c CROSS JOIN realisation r
        WHERE r.id = c.realisation_id AND r.created_at <= $1 LIMIT $2
        """

    static let deleteUnkeptRealisationSQL = """
        DELETE FROM realisation WHERE id = $1 AND NOT EXISTS (
            SELECT 1 FROM object o
            WHERE o.store_path_hash = realisation.output_path_hash AND o.cache_id = realisation.cache_id)
        """
}

extension SQLConnection {
    fileprivate func findRealisation(_ cacheID: Int64, _ id: RealisationID) throws(SQLError) -> Realisation? {
        try first(CatalogSession.findRealisationSQL, [.integer(cacheID), .text(id.description)]) { row throws(SQLError) in
            let body = Array(try row.text(0).utf8)
            do throws(NixFormatError) { return try Realisation(json: body, of: id) } catch {
                throw row.mismatch(0, "it is no realisation: \(error)")
            }
        }
    }

    fileprivate func hasObject(_ cacheID: Int64, _ hash: StorePathHash) throws(SQLError) -> Bool {
        try first(
            "SELECT 1 FROM object WHERE cache_id = $1 AND store_path_hash = $2", [.integer(cacheID), .text(hash.description)]
        ) { _ in true } ?? false
    }

    /// Notes that an object has gone which realisations may stand for.
    func noteRealisationCandidates(_ cacheID: Int64, storePathHash: String) throws(SQLError) {
        try execute(CatalogSession.noteRealisationCandidatesSQL, [.integer(cacheID), .text(storePathHash)])
    }
}

extension CatalogSession {
    static let noteRealisationCandidatesSQL = """
        INSERT INTO realisation_candidate (realisation_id)
        SELECT id FROM realisation WHERE cache_id = $1 AND output_path_hash = $2 ON CONFLICT DO NOTHING
        """
}
