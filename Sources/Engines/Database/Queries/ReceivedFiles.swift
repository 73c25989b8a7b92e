import Crypto
import Platform
import SQL

/// Files that plain Nix pushed: note, find, let go.
extension CatalogSession {
    /// How many files one cache remembers of one NAR; each compression and level makes another. The oldest is forgotten first.
    static let receivedFilesPerNarMax = 16

    /// The file of that hash, as far as the cache still has it.
    ///
    /// - Parameter heldBeyond: a file whose NAR no object of the cache names counts only where it is held longer; nil for any that
    ///   is still held.
    package func findReceivedFile(
        _ fileHash: SHA256Digest, cacheID: Int64, heldBeyond: WallTime? = nil
    ) throws(DatabaseError) -> ReceivedFile? {
        try trying("find a file that was pushed") { connection throws(SQLError) in
            let found = try connection.first(
                CatalogSession.findReceivedFileSQL,
                [.time(heldBeyond ?? WallTime(milliseconds: 0)), .digest(fileHash), .integer(cacheID)]
            ) { row throws(SQLError) in
                let objectID = try row.optionalInteger(2)
                let file = ReceivedFile(coding: try row.text(0), nar: try NarRecord(row, at: 3), objectID: objectID)
                return (file: file, isKept: try row.bool(1) || objectID != nil)
            }
            guard let found, found.isKept else { return nil }
            return found.file
        }
    }

    static let findReceivedFileSQL = """
        SELECT f.coding, CASE WHEN f.held_until > $1 THEN 1 ELSE 0 END,
            (SELECT min(o.id) FROM object o WHERE o.nar_id = f.nar_id AND o.cache_id = f.cache_id), \(NarRecord.columns)
        FROM received_file f CROSS JOIN nar n
        WHERE f.file_hash = $2 AND f.cache_id = $3 AND n.id = f.nar_id
        """

    /// Whether the cache was sent the bytes of that NAR by plain Nix, and still has them.
    package func hasReceived(narID: Int64, cacheID: Int64) throws(DatabaseError) -> Bool {
        try trying("find the files of a NAR") { connection throws(SQLError) in
            try connection.first(CatalogSession.hasReceivedSQL, [.integer(narID), .integer(cacheID)]) { _ in true } ?? false
        }
    }

    static let hasReceivedSQL = """
        SELECT 1 FROM received_file f WHERE f.nar_id = $1 AND f.cache_id = $2 AND (f.held_until IS NOT NULL
            OR EXISTS (SELECT 1 FROM object o WHERE o.nar_id = $1 AND o.cache_id = $2)) LIMIT 1
        """

    static let formerNarSQL = "SELECT nar_id FROM received_file WHERE file_hash = $1 AND cache_id = $2 AND nar_id <> $3"

    /// Ends the sweep's patience with NARs whose narinfo has not come by `now`: they become candidates. Needs `write`.
    package func releaseReceivedFiles(at now: WallTime, limit: Int) throws(DatabaseError) -> SweepStep {
        try trying("let go of files that were pushed") { connection throws(SQLError) in
            let files = try connection.query(
                CatalogSession.lapsedFilesSQL, [.time(now), .integer(Int64(limit))]
            ) { row throws(SQLError) in (id: try row.integer(0), narID: try row.integer(1)) }
            for file in files {
                let id: [SQLValue] = [.integer(file.id)]
                // A file that came once more, after its narinfo, is still that object's.
                let isGone = try connection.execute(CatalogSession.deleteUnnamedFileSQL, id) == 1
                if !isGone { try connection.execute("UPDATE received_file SET held_until = NULL WHERE id = $1", id) }
                try connection.noteNarCandidate(file.narID)
            }
            return SweepStep(deletedCount: files.count, isFinished: files.count < limit)
        }
    }

    static let lapsedFilesSQL =
        "SELECT id, nar_id FROM received_file WHERE held_until <= $1 ORDER BY held_until LIMIT $2"

    static let deleteUnnamedFileSQL = """
        DELETE FROM received_file WHERE id = $1 AND NOT EXISTS (
            SELECT 1 FROM object o WHERE o.nar_id = received_file.nar_id AND o.cache_id = received_file.cache_id)
        """
}

extension SQLConnection {
    /// Notes a file, or that it came again, and has it hold its NAR.
    func putReceivedFile(_ file: NewReceivedFile, _ narID: Int64) throws(SQLError) {
        // The same bytes may stand for one NAR in one coding and for another in another.
        let former = try first(CatalogSession.formerNarSQL, [.digest(file.fileHash), .integer(file.cacheID), .integer(narID)]) {
            row throws(SQLError) in try row.integer(0)
        }
        try execute(
            """
            INSERT INTO received_file (file_hash, cache_id, coding, file_size, nar_id, received_at, held_until)
            VALUES ($1, $2, $3, $4, $5, $6, $7)
            ON CONFLICT (file_hash, cache_id) DO UPDATE SET coding = excluded.coding, file_size = excluded.file_size, \
            nar_id = excluded.nar_id, received_at = excluded.received_at, held_until = excluded.held_until
            """,
            [
                .digest(file.fileHash), .integer(file.cacheID), .text(file.coding), .integer(file.fileSize), .integer(narID),
                .time(file.receivedAt), .time(file.heldUntil),
            ])
        if let former { try noteNarCandidate(former) }
        // One more than before at most, so one is too many at most.
        try execute(
            """
            DELETE FROM received_file WHERE id IN (SELECT id FROM received_file WHERE nar_id = $1 AND cache_id = $2
                ORDER BY received_at DESC, id DESC LIMIT 1 OFFSET $3)
            """,
            [.integer(narID), .integer(file.cacheID), .integer(Int64(CatalogSession.receivedFilesPerNarMax))])
    }

    /// An object of the cache keeps the NAR from now on.
    func endHolds(ofNar narID: Int64, cacheID: Int64) throws(SQLError) {
        try executeLater(
            "UPDATE received_file SET held_until = NULL WHERE nar_id = $1 AND cache_id = $2 AND held_until IS NOT NULL",
            [[.integer(narID), .integer(cacheID)]])
    }
}
