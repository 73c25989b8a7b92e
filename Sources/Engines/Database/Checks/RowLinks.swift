import Platform
import SQL

/// A column that names a row of another table by its id.
package struct RowLink: Sendable, Hashable, CustomStringConvertible {
    package let table: String
    package let column: String
    package let parent: String

    package var description: String { "\(table).\(column)" }

    // Those that are treated each in its own way.
    package static let objectNar = RowLink(table: "object", column: "nar_id", parent: "nar")
    package static let objectCache = RowLink(table: "object", column: "cache_id", parent: "cache")
    package static let chunkPack = RowLink(table: "chunk", column: "pack_id", parent: "pack")
    package static let referenceChunk = RowLink(table: "chunk_reference", column: "chunk_id", parent: "chunk")
    package static let referenceNar = RowLink(table: "chunk_reference", column: "nar_id", parent: "nar")
}

/// Rows that name a row which is not there.
package struct DanglingRows: Sendable, Hashable {
    package let link: RowLink
    /// The id that no row of `link.parent` has.
    package let missingID: Int64
}

/// Whether what rows name is there. The schema's foreign keys say what is to be looked at, so that a new table is looked at from
/// its first day; SQLite enforces them, so only a damaged file, or a hand, leaves anything to find.
///
/// Each link is walked by the ids that it names: in short steps, over an index.
extension CatalogSession {
    /// The links that are no foreign keys: a NAR's references outlive its row for a while, and candidates may be of what is gone.
    private static let otherLinks = [
        .referenceNar,
        RowLink(table: "chunk_candidate", column: "chunk_id", parent: "chunk"),
        RowLink(table: "pack_candidate", column: "pack_id", parent: "pack"),
    ]

    /// All links of the schema.
    package func rowLinks() throws(DatabaseError) -> [RowLink] {
        // A server enforces them whatever anyone does, and cannot be asked to let go of them by a hand at a file.
        let keys = dialect.foreignKeys
        let enforced = try trying("read the schema's foreign keys") { connection throws(SQLError) in
            try connection.query(keys) { row throws(SQLError) in
                RowLink(table: try row.text(0), column: try row.text(1), parent: try row.text(2))
            }
        }
        return enforced + CatalogSession.otherLinks
    }

    /// A step of the walk over a link: what dangles among the next ids that it names.
    ///
    /// - Parameter after: the last id of the step before.
    /// - Returns: `last` is nil where none is left.
    package func danglingRows(
        _ link: RowLink, after: Int64, limit: Int
    ) throws(DatabaseError) -> (found: [DanglingRows], last: Int64?) {
        // A NAR's row goes first and its references in steps: it is a candidate until they are gone.
        let excuse = link == .referenceNar ? "OR EXISTS (SELECT 1 FROM nar_candidate WHERE nar_id = named.id)" : ""
        let named = try trying("look for rows of \(link.table) without \(link.parent)") { connection throws(SQLError) in
            try connection.query(
                """
                SELECT named.id, EXISTS (SELECT 1 FROM \(link.parent) p WHERE p.id = named.id) \(excuse) FROM (
                    SELECT DISTINCT t.\(link.column) AS id FROM \(link.table) t
                    WHERE t.\(link.column) > $1 ORDER BY t.\(link.column) LIMIT $2) named
                """, [.integer(after), .integer(Int64(limit))]
            ) { row throws(SQLError) in (id: try row.integer(0), isThere: try row.bool(1)) }
        }
        let found = named.filter { !$0.isThere }.map { DanglingRows(link: link, missingID: $0.id) }
        return (found, named.count < limit ? nil : named.last?.id)
    }

    /// How many rows dangle so still. None where the row that they name came, or they went.
    package func count(_ rows: DanglingRows) throws(DatabaseError) -> Int {
        try trying("count rows of \(rows.link.table) without \(rows.link.parent)") { connection throws(SQLError) in
            Int(try connection.first(
                """
                SELECT count(*) FROM \(rows.link.table) t WHERE t.\(rows.link.column) = $1
                AND NOT EXISTS (SELECT 1 FROM \(rows.link.parent) p WHERE p.id = $1)
                """, [.integer(rows.missingID)]
            ) { row throws(SQLError) in try row.integer(0) } ?? 0)
        }
    }

    /// Removes rows that dangle, and what cannot be without them; what loses bytes by that counts as damaged from then on, and
    /// what loses its last user is a candidate. Needs `write`.
    ///
    /// - Parameter limit: of objects or chunks at a time.
    /// - Returns: how many rows are gone or settled; fewer than `limit`: all.
    package func remove(_ rows: DanglingRows, limit: Int) throws(DatabaseError) -> Int {
        guard try count(rows) > 0 else { return 0 }
        let (table, column, id) = (rows.link.table, rows.link.column, SQLValue.integer(rows.missingID))
        return try trying("remove rows of \(table) without \(rows.link.parent)") { connection throws(SQLError) in
            switch rows.link {
            case .objectNar, .objectCache:
                let objectIDs = try connection.query(
                    "SELECT id FROM object WHERE \(column) = $1 LIMIT $2", [id, .integer(Int64(limit))]
                ) { row throws(SQLError) in try row.integer(0) }
                for objectID in objectIDs { try connection.removeObject(objectID) }
                return objectIDs.count
            case .chunkPack:
                let chunkIDs = try connection.query(
                    "SELECT id FROM chunk WHERE pack_id = $1 LIMIT $2", [id, .integer(Int64(limit))]
                ) { row throws(SQLError) in try row.integer(0) }
                for chunkID in chunkIDs { try connection.removeChunk(chunkID) }
                return chunkIDs.count
            case .referenceChunk:
                try connection.removeReferences(toChunk: rows.missingID)
                return 1
            case .referenceNar:
                // The next collection takes them away in steps, and their chunks where nothing else needs those.
                return try connection.execute(
                    "INSERT INTO nar_candidate (nar_id) VALUES ($1) ON CONFLICT DO NOTHING", [id])
            default:
                try connection.execute("DELETE FROM \(table) WHERE \(column) = $1", [id])
                return 1
            }
        }
    }
}

extension SQLConnection {
    /// Deletes an object; its NAR is a candidate where it was the last, and so are the realisations of its path.
    func removeObject(_ objectID: Int64) throws(SQLError) {
        let gone = try first(
            "DELETE FROM object WHERE id = $1 RETURNING nar_id, cache_id, store_path_hash", [.integer(objectID)]
        ) { row throws(SQLError) in (narID: try row.integer(0), cacheID: try row.integer(1), path: try row.text(2)) }
        guard let gone else { return }
        try noteNarCandidate(gone.narID)
        try noteRealisationCandidates(gone.cacheID, storePathHash: gone.path)
    }

    /// Deletes a chunk that is nowhere: the NARs that need it are damaged, and the push that heals them writes their references anew.
    func removeChunk(_ chunkID: Int64) throws(SQLError) {
        try removeReferences(toChunk: chunkID)
        for table in ["upload_hold", "chunk_candidate"] {
            try execute("DELETE FROM \(table) WHERE chunk_id = $1", [.integer(chunkID)])
        }
        try execute("DELETE FROM chunk WHERE id = $1", [.integer(chunkID)])
    }

    /// Deletes the references to a chunk; the NARs whose they are are damaged.
    func removeReferences(toChunk chunkID: Int64) throws(SQLError) {
        let chunk: [SQLValue] = [.integer(chunkID)]
        try execute(
            "UPDATE nar SET is_damaged = 1 WHERE id IN (SELECT nar_id FROM chunk_reference WHERE chunk_id = $1)", chunk)
        try execute("DELETE FROM chunk_reference WHERE chunk_id = $1", chunk)
    }
}
