import Crypto
import Platform
import SQL

/// The end of an upload: one transaction that makes a NAR, its chunks and the object that names it.
///
/// The order of a commit: the bytes are made durable first (by the caller: fdatasync of every pack), then this runs. Whatever
/// a crash leaves behind is bytes that no row names. Two uploads may bring the same chunk or NAR: the first row stays, and the
/// second's bytes are noted as dead.
extension CatalogSession {
    /// Needs `write`. Anything but `.committed` has written nothing.
    package func commitUpload(_ commit: Commit) throws(DatabaseError) -> CommitOutcome {
        let step = CommitStep(self, commit)
        let outcome = try trying("commit an upload") { connection throws(SQLError) in try step.content(connection) }
        guard case .committed(let content) = outcome else { return outcome }
        let objectID = try putObject(commit.object, content.narID)
        if let uploadID = commit.uploadID { try endUpload(uploadID) }
        return .committed(Committed(
            objectID: objectID, narID: content.narID, isNewNar: content.isNewNar, newChunkCount: content.newChunkCount))
    }
}

/// One commit while it runs. Thread: the session's.
private final class CommitStep {
    private let commit: Commit
    private let session: CatalogSession
    private let now: WallTime
    private var packIDs: [String: Int64] = [:]
    private var newChunkCount = 0
    /// Chunks that had a damaged place and have a good one now.
    private var repairedChunkIDs: [Int64] = []

    init(_ session: CatalogSession, _ commit: Commit) {
        self.session = session
        self.commit = commit
        now = commit.object.at
    }

    /// Makes the NAR and its chunks; everything but the object.
    func content(_ connection: any SQLConnection) throws(SQLError) -> CommitOutcome {
        let cache = try connection.first(
            "SELECT 1 FROM cache WHERE id = $1 AND deleted_at IS NULL", [.integer(commit.object.cacheID)]) { _ in true }
        if cache == nil { return .noSuchCache }
        guard let nar = commit.nar else { return try existingNar(connection) }
        let vanished = try vanishedChunks(connection)
        if !vanished.isEmpty { return .vanished(vanished) }

        for pack in commit.packs { try put(pack, connection) }
        let former = try connection.first(
            "SELECT id, is_damaged FROM nar WHERE nar_hash = $1", [.digest(nar.narHash)]
        ) { row throws(SQLError) in (id: try row.integer(0), isDamaged: try row.bool(1)) }
        // Where chunks were put back, the NAR's row says how long their frames are now: another level makes them another size.
        let repairs = commit.chunks.contains { chunk in
            if case .stored(_, _, _, repair: true) = chunk { true } else { false }
        }
        if let former, !former.isDamaged, !repairs {
            for case .stored(let hash, _, let extent, let repair) in commit.chunks {
                try giveUp(hash, nar.compression, extent, repair, connection)
            }
            try settleRepairs(connection)
            return committed(former.id, isNew: false)
        }
        let narID = try put(nar, over: former?.id, connection)
        for position in commit.chunks.indices {
            let chunkID = switch commit.chunks[position] {
            case .known(let id, _): id
            case .stored(let hash, let byteCount, let extent, let repair):
                try put(hash, nar.compression, byteCount, extent, repair, connection)
            }
            try connection.execute(
                "INSERT INTO chunk_reference (nar_id, position, chunk_id) VALUES ($1, $2, $3)",
                [.integer(narID), .integer(Int64(position)), .integer(chunkID)])
        }
        try settleRepairs(connection)
        return committed(narID, isNew: former == nil)
    }

    private func committed(_ narID: Int64, isNew: Bool) -> CommitOutcome {
        .committed(Committed(objectID: 0, narID: narID, isNewNar: isNew, newChunkCount: newChunkCount))
    }

    // MARK: Before anything is written

    private func existingNar(_ connection: any SQLConnection) throws(SQLError) -> CommitOutcome {
        let narID = commit.existingNarID ?? 0
        let found = try connection.first("SELECT 1 FROM nar WHERE id = $1 AND is_damaged = 0", [.integer(narID)]) { _ in true }
        return found == nil ? .narVanished : committed(narID, isNew: false)
    }

    /// Those of the known chunks that are gone or damaged. The id and the hash must both fit.
    private func vanishedChunks(_ connection: any SQLConnection) throws(SQLError) -> [SHA256Digest] {
        var vanished: [SHA256Digest] = []
        var seen: Set<Int64> = []
        for case .known(let id, let hash) in commit.chunks where seen.insert(id).inserted {
            let found = try connection.first(
                "SELECT 1 FROM chunk WHERE id = $1 AND hash = $2 AND is_damaged = 0", [.integer(id), .digest(hash)]
            ) { _ in true }
            if found == nil { vanished.append(hash) }
        }
        return vanished
    }

    // MARK: Rows

    private func put(_ pack: PackState, _ connection: any SQLConnection) throws(SQLError) {
        // Two uploads that used the pack one after another may commit in the other order: sizes only grow.
        packIDs[pack.name] = try connection.first(
            """
            INSERT INTO pack (name, byte_count, is_sealed) VALUES ($1, $2, $3)
            ON CONFLICT (name) DO UPDATE SET
                byte_count = CASE WHEN pack.byte_count < excluded.byte_count
                    THEN excluded.byte_count ELSE pack.byte_count END,
                is_sealed = CASE WHEN pack.is_sealed = 1 THEN 1 ELSE excluded.is_sealed END
            RETURNING id
            """, [.text(pack.name), .integer(pack.byteCount), .bool(pack.isSealed)]
        ) { row throws(SQLError) in try row.integer(0) }
    }

    private func packID(_ extent: StoredExtent, _ connection: any SQLConnection) throws(SQLError) -> Int64 {
        if let id = packIDs[extent.pack] { return id }
        // Not among the commit's packs: a pack of which nothing more is known.
        try put(PackState(name: extent.pack, byteCount: extent.offset + extent.byteCount, isSealed: false), connection)
        return packIDs[extent.pack] ?? 0
    }

    /// Makes the NAR's row, or takes over that of the damaged one, whose chunks become candidates.
    private func put(_ nar: NewNar, over former: Int64?, _ connection: any SQLConnection) throws(SQLError) -> Int64 {
        let values: [SQLValue] = [
            .integer(nar.narSize), .digest(nar.fileHash), .integer(nar.fileSize), .text(nar.compression),
            .integer(Int64(commit.chunks.count)),
        ]
        guard let former else {
            return try connection.first(
                """
                INSERT INTO nar (nar_size, file_hash, file_size, compression, chunk_count, nar_hash)
                VALUES ($1, $2, $3, $4, $5, $6) RETURNING id
                """, values + [.digest(nar.narHash)]
            ) { row throws(SQLError) in try row.integer(0) } ?? 0
        }
        try connection.execute(
            """
            UPDATE nar SET nar_size = $1, file_hash = $2, file_size = $3, compression = $4, chunk_count = $5, is_damaged = 0
            WHERE id = $6
            """, values + [.integer(former)])
        try connection.execute(
            """
            INSERT INTO chunk_candidate (chunk_id) SELECT DISTINCT chunk_id FROM chunk_reference WHERE nar_id = $1 \
            ON CONFLICT DO NOTHING
            """, [.integer(former)])
        try connection.execute("DELETE FROM chunk_reference WHERE nar_id = $1", [.integer(former)])
        return former
    }

    /// Makes the chunk's row, or finds the one that is there; its id.
    private func put(
        _ hash: SHA256Digest, _ compression: String, _ byteCount: Int64, _ extent: StoredExtent, _ repair: Bool,
        _ connection: any SQLConnection
    ) throws(SQLError) -> Int64 {
        let pack = try packID(extent, connection)
        let inserted = try connection.first(
            """
            INSERT INTO chunk (hash, compression, byte_count, pack_id, pack_offset, stored_byte_count)
            VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (hash, compression) DO NOTHING RETURNING id
            """,
            [
                .digest(hash), .text(compression), .integer(byteCount), .integer(pack), .integer(extent.offset),
                .integer(extent.byteCount),
            ]
        ) { row throws(SQLError) in try row.integer(0) }
        if let inserted {
            newChunkCount += 1
            return inserted
        }
        return try giveUp(hash, compression, extent, repair, connection) ?? 0
    }

    /// Settles who keeps the chunk where it may have a place already: the first, unless that is damaged. The other's bytes are
    /// dead. The chunk's id; nil where there is no such chunk.
    @discardableResult
    private func giveUp(
        _ hash: SHA256Digest, _ compression: String, _ extent: StoredExtent, _ repair: Bool,
        _ connection: any SQLConnection
    ) throws(SQLError) -> Int64? {
        let pack = try packID(extent, connection)
        let row = try connection.first(
            """
            SELECT id, pack_id, pack_offset, stored_byte_count, is_damaged FROM chunk WHERE hash = $1 AND compression = $2
            """, [.digest(hash), .text(compression)]
        ) { row throws(SQLError) in
            (id: try row.integer(0), pack: try row.integer(1), offset: try row.integer(2), byteCount: try row.integer(3),
             isDamaged: try row.bool(4))
        }
        // The same chunk twice in a NAR, stored once.
        if let row, row.pack == pack, row.offset == extent.offset { return row.id }
        if let row, repair || row.isDamaged {
            try connection.noteDeadExtent(packID: row.pack, offset: row.offset, byteCount: row.byteCount, at: now)
            try connection.execute(
                "UPDATE chunk SET pack_id = $1, pack_offset = $2, stored_byte_count = $3, is_damaged = 0 WHERE id = $4",
                [.integer(pack), .integer(extent.offset), .integer(extent.byteCount), .integer(row.id)])
            if row.isDamaged { repairedChunkIDs.append(row.id) }
        } else if try isNew(extent, in: pack, connection) {
            try connection.noteDeadExtent(packID: pack, offset: extent.offset, byteCount: extent.byteCount, at: now)
        }
        return row?.id
    }

    /// Whether the extent is not noted as dead yet: the same chunk may come twice in a NAR that is given up.
    private func isNew(_ extent: StoredExtent, in pack: Int64, _ connection: any SQLConnection) throws(SQLError) -> Bool {
        try connection.first(
            "SELECT 1 FROM dead_extent WHERE pack_id = $1 AND pack_offset = $2", [.integer(pack), .integer(extent.offset)]
        ) { _ in true } == nil
    }

    /// NARs whose last damaged chunk was repaired are whole again.
    private func settleRepairs(_ connection: any SQLConnection) throws(SQLError) {
        for chunkID in repairedChunkIDs {
            try connection.execute(
                """
                UPDATE nar SET is_damaged = 0 WHERE is_damaged = 1
                AND id IN (SELECT nar_id FROM chunk_reference WHERE chunk_id = $1)
                AND NOT EXISTS (SELECT 1 FROM chunk_reference r JOIN chunk c ON c.id = r.chunk_id
                    WHERE r.nar_id = nar.id AND c.is_damaged = 1)
                """, [.integer(chunkID)])
        }
    }
}
