import Crypto
import Platform
import SQL

/// One commit of an upload while it runs: looks first whether all is as the upload found it, then writes rows, and settles in
/// the end whose bytes are dead and which NARs are whole. Thread: the session's.
final class CommitStep {
    private struct Place: Hashable {
        let packID: Int64
        let offset: Int64
    }

    private let commit: Commit
    private let now: WallTime
    private var packIDs: [String: Int64] = [:]
    /// Of NARs that were uploaded: those whose rows were here, and those whose rows are done.
    private var knownNars: [SHA256Digest: (id: Int64, isDamaged: Bool)] = [:]
    /// Of those that were not: rows that were made, and have no chunks yet.
    private var freshNarIDs: [SHA256Digest: Int64] = [:]
    private var newChunkCount = 0
    /// Places of this upload that a chunk has now, and, in the end, those that were noted as dead.
    private var settledPlaces: Set<Place> = []
    /// Places of this upload that were not wanted where they were met; another of its paths may want them yet.
    private var sparePlaces: [(place: Place, byteCount: Int64)] = []
    /// Chunks that had a damaged place and have a good one now.
    private var repairedChunkIDs: [Int64] = []
    /// Chunks whose frame has another length now: another level was at work.
    private var resizedChunkIDs: [Int64] = []
    /// NARs whose rows this commit wrote.
    private var writtenNarIDs: Set<Int64> = []
    /// Whether a chunk that was there has another place now.
    private(set) var hasMovedChunks = false

    init(_ commit: Commit) {
        self.commit = commit
        now = commit.at
    }

    // MARK: Before anything is written

    /// Why nothing can be committed; nil where all is as the upload found it.
    func obstacle(_ connection: any SQLConnection) throws(SQLError) -> CommitOutcome? {
        let cache = try connection.first(
            "SELECT 1 FROM cache WHERE id = $1 AND deleted_at IS NULL", [.integer(commit.cacheID)]
        ) { _ in true }
        if cache == nil { return .noSuchCache }
        for pack in commit.packs where pack.isLoose {
            // Its time ran out, and a collection is deleting it.
            if try !connection.hasLoosePack(pack.name) { return .packVanished }
        }
        var vanished: [SHA256Digest] = []
        var seen: Set<Int64> = []
        for nar in commit.nars {
            switch nar {
            case .existing(let id, let hash):
                let found = try connection.first(
                    "SELECT 1 FROM nar WHERE id = $1 AND nar_hash = $2 AND is_damaged = 0", [.integer(id), .digest(hash)]
                ) { _ in true }
                if found == nil { return .narVanished }
            case .uploaded(_, let chunks):
                var known: [(id: Int64, hash: SHA256Digest)] = []
                for case .known(let id, let hash, _) in chunks where seen.insert(id).inserted { known.append((id, hash)) }
                var isThere = [Bool](repeating: false, count: known.count)
                // The id and the hash must both fit.
                try connection.runEach(
                    "SELECT 1 FROM chunk WHERE id = $1 AND hash = $2 AND is_damaged = 0",
                    known.map { [.integer($0.id), .digest($0.hash)] }
                ) { index, _ in isThere[index] = true }
                for (index, chunk) in known.enumerated() where !isThere[index] { vanished.append(chunk.hash) }
            }
        }
        return vanished.isEmpty ? nil : .vanished(vanished)
    }

    // MARK: Rows

    func putPacks(_ connection: any SQLConnection) throws(SQLError) {
        for pack in commit.packs {
            var isForgotten = false
            if pack.beginByteCount > 0 {
                isForgotten = try connection.first("SELECT 1 FROM pack WHERE name = $1", [.text(pack.name)]) { _ in true } == nil
            }
            let id = try put(pack, connection)
            if isForgotten {
                // It was empty, and its rows went; its file could not be removed, or who would have was killed. What lay in it is dead.
                try connection.noteDeadExtent(packID: id, offset: 0, byteCount: pack.beginByteCount, at: now)
            }
            if pack.isLoose { try connection.execute("DELETE FROM loose_pack WHERE name = $1", [.text(pack.name)]) }
        }
    }

    /// Finds the NARs that were uploaded, and makes the rows of those that are new: many on two ways to the database and back.
    func makeNars(_ connection: any SQLConnection) throws(SQLError) {
        var uploaded: [(nar: NewNar, chunkCount: Int)] = []
        var seen: Set<SHA256Digest> = []
        for case .uploaded(let nar, let chunks) in commit.nars where seen.insert(nar.narHash).inserted {
            uploaded.append((nar, chunks.count))
        }
        try connection.runEach(
            "SELECT id, is_damaged FROM nar WHERE nar_hash = $1", uploaded.map { [.digest($0.nar.narHash)] }
        ) { index, row throws(SQLError) in
            knownNars[uploaded[index].nar.narHash] = (id: try row.integer(0), isDamaged: try row.bool(1))
        }
        let new = uploaded.filter { knownNars[$0.nar.narHash] == nil }
        try connection.runEach(
            """
            INSERT INTO nar (nar_size, file_hash, file_size, compression, chunk_count, nar_hash)
            VALUES ($1, $2, $3, $4, $5, $6) RETURNING id
            """, new.map { values(of: $0.nar, chunkCount: $0.chunkCount) + [.digest($0.nar.narHash)] }
        ) { index, row throws(SQLError) in freshNarIDs[new[index].nar.narHash] = try row.integer(0) }
    }

    private func values(of nar: NewNar, chunkCount: Int) -> [SQLValue] {
        [.integer(nar.narSize), .digest(nar.fileHash), .integer(nar.fileSize), .text(nar.compression), .integer(Int64(chunkCount))]
    }

    /// Gives a NAR its chunks, or finds it.
    func put(_ nar: Commit.Nar, _ connection: any SQLConnection) throws(SQLError) -> Committed {
        switch nar {
        case .existing(let id, _):
            return Committed(narID: id, isNewNar: false, isRewritten: false, newChunkCount: 0)
        case .uploaded(let nar, let chunks):
            let before = newChunkCount
            let (id, isNew, isWritten) = try put(nar, chunks, connection)
            if let listing = nar.listing { try connection.keep(listing, ofNar: id) }
            return Committed(
                narID: id, isNewNar: isNew, isRewritten: isWritten && !isNew, newChunkCount: newChunkCount - before)
        }
    }

    private func put(
        _ nar: NewNar, _ chunks: [Commit.Chunk], _ connection: any SQLConnection
    ) throws(SQLError) -> (id: Int64, isNew: Bool, isWritten: Bool) {
        let former = knownNars[nar.narHash]
        // Where chunks were put back, the NAR's row says how long their frames are now: another level makes them another size.
        let repairs = chunks.contains { chunk in
            if case .stored(_, _, _, repair: true) = chunk { true } else { false }
        }
        if let former, !former.isDamaged, !repairs {
            for case .stored(let hash, _, let frame, let repair) in chunks {
                try settle(hash, nar.compression, frame, repair, connection)
            }
            return (former.id, isNew: false, isWritten: false)
        }
        let narID: Int64
        if let former {
            narID = former.id
            try rewrite(nar, chunkCount: chunks.count, former.id, connection)
        } else {
            narID = try CommitStep.row(freshNarIDs[nar.narHash], of: "NAR", nar.narHash)
        }
        knownNars[nar.narHash] = (id: narID, isDamaged: false)
        writtenNarIDs.insert(narID)
        let storedIDs = try putStored(chunks, nar.compression, connection)
        try connection.executeLater(
            "INSERT INTO chunk_reference (nar_id, position, chunk_id) VALUES ($1, $2, $3)",
            try chunks.enumerated().map { position, chunk throws(SQLError) in
                let chunkID = switch chunk {
                case .known(let id, _, _): id
                case .stored(let hash, _, _, _): try CommitStep.row(storedIDs[hash], of: "chunk", hash)
                }
                return [.integer(narID), .integer(Int64(position)), .integer(chunkID)]
            })
        try learnChecksums(chunks, connection)
        return (narID, isNew: former == nil, isWritten: true)
    }

    /// Notes what frames were found to have that stood here without a checksum: they need not be opened by the next push. Where another
    /// has given the chunk another frame meanwhile, the checksum does not fit it, and it is opened once more.
    private func learnChecksums(_ chunks: [Commit.Chunk], _ connection: any SQLConnection) throws(SQLError) {
        var learnt: [Int64: UInt64] = [:]
        for case .known(let id, _, let checksum?) in chunks { learnt[id] = checksum }
        try connection.executeLater(
            "UPDATE chunk SET frame_checksum = $1 WHERE id = $2",
            learnt.sorted { $0.key < $1.key }.map { [.integer(Int64(bitPattern: $0.value)), .integer($0.key)] })
    }

    /// The id of a row that a statement before has made or found: without one the references of a NAR would lead nowhere.
    private static func row(_ id: Int64?, of what: String, _ hash: SHA256Digest) throws(SQLError) -> Int64 {
        if let id { return id }
        throw SQLError(
            kind: .corrupt, code: "", operation: "commit", subject: "\(what) sha256:\(hash.hex)",
            message: "its row was neither made nor found; atticadm fsck says what is wrong with the database")
    }

    @discardableResult
    private func put(_ pack: PackState, _ connection: any SQLConnection) throws(SQLError) -> Int64 {
        // Two uploads that used the pack one after another may commit in the other order: sizes only grow.
        let id = try connection.one(
            """
            INSERT INTO pack (name, byte_count, is_sealed) VALUES ($1, $2, $3)
            ON CONFLICT (name) DO UPDATE SET
                byte_count = CASE WHEN pack.byte_count < excluded.byte_count
                    THEN excluded.byte_count ELSE pack.byte_count END,
                is_sealed = CASE WHEN pack.is_sealed = 1 THEN 1 ELSE excluded.is_sealed END
            RETURNING id
            """, [.text(pack.name), .integer(pack.byteCount), .bool(pack.isSealed)]
        ) { row throws(SQLError) in try row.integer(0) }
        packIDs[pack.name] = id
        return id
    }

    private func packID(_ extent: StoredExtent, _ connection: any SQLConnection) throws(SQLError) -> Int64 {
        if let id = packIDs[extent.pack] { return id }
        // Not among the commit's packs: a pack of which nothing more is known.
        return try put(PackState(name: extent.pack, byteCount: extent.offset + extent.byteCount, isSealed: false), connection)
    }

    /// Takes over the row of the NAR that was here and is damaged; its chunks become candidates.
    private func rewrite(
        _ nar: NewNar, chunkCount: Int, _ former: Int64, _ connection: any SQLConnection
    ) throws(SQLError) {
        try connection.execute(
            """
            UPDATE nar SET nar_size = $1, file_hash = $2, file_size = $3, compression = $4, chunk_count = $5, is_damaged = 0
            WHERE id = $6
            """, values(of: nar, chunkCount: chunkCount) + [.integer(former)])
        try connection.execute(
            """
            INSERT INTO chunk_candidate (chunk_id) SELECT DISTINCT chunk_id FROM chunk_reference WHERE nar_id = $1 \
            ON CONFLICT DO NOTHING
            """, [.integer(former)])
        try connection.execute("DELETE FROM chunk_reference WHERE nar_id = $1", [.integer(former)])
    }

    /// Makes the rows of a NAR's chunks that were stored; their ids.
    ///
    /// In the order of the index by hash: in a large store each hash lies on a page of its own, and a page that comes up
    /// once only is written once only.
    private func putStored(
        _ chunks: [Commit.Chunk], _ compression: String, _ connection: any SQLConnection
    ) throws(SQLError) -> [SHA256Digest: Int64] {
        var stored: [(hash: SHA256Digest, position: Int)] = []
        for (position, chunk) in chunks.enumerated() {
            if case .stored(let hash, _, _, _) = chunk { stored.append((hash, position)) }
        }
        stored.sort { $0.hash == $1.hash ? $0.position < $1.position : $0.hash < $1.hash }
        var rows: [[SQLValue]] = []
        rows.reserveCapacity(stored.count)
        for (hash, position) in stored {
            guard case .stored(_, let byteCount, let frame, _) = chunks[position] else { continue }
            rows.append([
                .digest(hash), .text(compression), .integer(byteCount), .integer(try packID(frame.extent, connection)),
                .integer(frame.extent.offset), .integer(frame.extent.byteCount), .integer(Int64(bitPattern: frame.checksum)),
            ])
        }
        var inserted = [Int64?](repeating: nil, count: rows.count)
        try connection.runEach(
            """
            INSERT INTO chunk (hash, compression, byte_count, pack_id, pack_offset, stored_byte_count, frame_checksum)
            VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (hash, compression) DO NOTHING RETURNING id
            """, rows
        ) { index, row throws(SQLError) in inserted[index] = try row.integer(0) }
        var ids: [SHA256Digest: Int64] = [:]
        ids.reserveCapacity(stored.count)
        // What was made before what is found: a chunk that comes twice is made by the first.
        for (index, (hash, position)) in stored.enumerated() {
            guard let id = inserted[index], case .stored(_, _, let frame, _) = chunks[position] else { continue }
            newChunkCount += 1
            settledPlaces.insert(Place(packID: try packID(frame.extent, connection), offset: frame.extent.offset))
            ids[hash] = id
        }
        for (index, (hash, position)) in stored.enumerated() where inserted[index] == nil {
            guard case .stored(_, _, let frame, let repair) = chunks[position] else { continue }
            ids[hash] = try CommitStep.row(try settle(hash, compression, frame, repair, connection), of: "chunk", hash)
        }
        return ids
    }

    /// Settles who keeps the chunk where it may have a place already: the first, unless that is damaged. The other's bytes are
    /// dead, unless another path of this upload makes a chunk of them. The chunk's id; nil where there is no such chunk.
    @discardableResult
    private func settle(
        _ hash: SHA256Digest, _ compression: String, _ frame: StoredFrame, _ repair: Bool, _ connection: any SQLConnection
    ) throws(SQLError) -> Int64? {
        let extent = frame.extent
        let place = Place(packID: try packID(extent, connection), offset: extent.offset)
        let row = try connection.first(
            """
            SELECT id, pack_id, pack_offset, stored_byte_count, is_damaged FROM chunk WHERE hash = $1 AND compression = $2
            """, [.digest(hash), .text(compression)]
        ) { row throws(SQLError) in
            (id: try row.integer(0), place: Place(packID: try row.integer(1), offset: try row.integer(2)),
             byteCount: try row.integer(3), isDamaged: try row.bool(4))
        }
        // The same chunk twice in an upload, stored once.
        if let row, row.place == place { return row.id }
        if let row, repair || row.isDamaged {
            try connection.noteDeadExtent(
                packID: row.place.packID, offset: row.place.offset, byteCount: row.byteCount, at: now)
            try connection.execute(
                """
                UPDATE chunk SET pack_id = $1, pack_offset = $2, stored_byte_count = $3, frame_checksum = $4, is_damaged = 0
                WHERE id = $5
                """,
                [
                    .integer(place.packID), .integer(extent.offset), .integer(extent.byteCount),
                    .integer(Int64(bitPattern: frame.checksum)), .integer(row.id),
                ])
            settledPlaces.insert(place)
            hasMovedChunks = true
            if row.isDamaged { repairedChunkIDs.append(row.id) }
            if row.byteCount != extent.byteCount { resizedChunkIDs.append(row.id) }
        } else {
            sparePlaces.append((place, extent.byteCount))
        }
        return row?.id
    }

    // MARK: When all paths are done

    func settle(_ connection: any SQLConnection) throws(SQLError) {
        // A place is settled once, however often its chunk comes in the upload.
        for (place, byteCount) in sparePlaces where settledPlaces.insert(place).inserted {
            try connection.noteDeadExtent(packID: place.packID, offset: place.offset, byteCount: byteCount, at: now)
        }
        // NARs whose last damaged chunk was repaired are whole again.
        for chunkID in repairedChunkIDs {
            try connection.execute(
                """
                UPDATE nar SET is_damaged = 0 WHERE is_damaged = 1
                AND id IN (SELECT nar_id FROM chunk_reference WHERE chunk_id = $1)
                AND NOT EXISTS (SELECT 1 FROM chunk_reference r JOIN chunk c ON c.id = r.chunk_id
                    WHERE r.nar_id = nar.id AND c.is_damaged = 1)
                """, [.integer(chunkID)])
        }
        // What other NARs' rows say of their stored files, length and hash, is true of the old frames only. They count as
        // damaged until they are pushed again, which writes their rows anew.
        for chunkID in resizedChunkIDs {
            let narIDs = try connection.query(
                "SELECT DISTINCT nar_id FROM chunk_reference WHERE chunk_id = $1", [.integer(chunkID)]
            ) { row throws(SQLError) in try row.integer(0) }
            for narID in narIDs where !writtenNarIDs.contains(narID) {
                try connection.execute("UPDATE nar SET is_damaged = 1 WHERE id = $1", [.integer(narID)])
            }
        }
    }
}
