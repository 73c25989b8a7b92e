import Compression
import Crypto
import Database
import Platform
import Storage

/// Reads whole NARs: every chunk's frame is opened and hashed, and the NAR and its stored file on the way. One chunk at a time is
/// in memory.
///
/// Thread: whichever has it, one at a time.
final class NarVerifier {
    /// What is wrong with one chunk of a NAR.
    struct Loss {
        let chunk: ChunkRecord
        /// As the end of a sentence.
        let reason: String
        /// It was known.
        let isKnown: Bool
    }

    /// What came of reading a NAR.
    struct Reading {
        let snapshot: NarSnapshot
        var verdict = NarVerdict()
        var losses: [Loss] = []
        /// The hash of its chunks end to end, where all could be opened.
        var narHash: SHA256Digest?
    }

    /// What a frame may stand for, in bytes, whatever its chunk's row says.
    private static let chunkBytesMax = 64 << 20

    let catalog: Catalog
    private let store: any ChunkStore
    private var decompressors: [CompressionKind: Decompressor] = [:]
    private var chunkHash = SHA256()

    init(_ catalog: Catalog, _ store: any ChunkStore) {
        self.catalog = catalog
        self.store = store
    }

    /// Reads a NAR.
    ///
    /// - Parameter read: is told of stored bytes as they are read; false ends it.
    /// - Returns: nil where the NAR is gone, or `read` ended it.
    func read(_ narID: Int64, _ read: (Int64) -> Bool) throws -> Reading? {
        guard let snapshot = try snapshot(narID) else { return nil }
        var reading = Reading(snapshot: snapshot)
        var narHash = SHA256()
        var fileHash = SHA256()
        // A NAR may have a chunk many times.
        var lost: [Int64: Bool] = [:]
        for part in snapshot.parts {
            if lost[part.chunk.id] != nil { continue }
            if !read(part.chunk.storedByteCount) { return nil }
            switch try open(part.chunk) {
            case .whole(let frame, let bytes):
                fileHash.update(frame)
                narHash.update(bytes)
                reading.verdict.fileSize += Int64(frame.count)
                reading.verdict.narSize += Int64(bytes.count)
                if Int64(bytes.count) != part.chunk.byteCount { reading.verdict.byteCounts[part.chunk.id] = Int64(bytes.count) }
            case .lost(let reason):
                lost[part.chunk.id] = true
                reading.losses.append(Loss(chunk: part.chunk, reason: reason, isKnown: part.isDamaged))
                reading.verdict.lostChunkIDs.insert(part.chunk.id)
            }
        }
        reading.verdict.fileHash = fileHash.finish()
        if reading.losses.isEmpty {
            let hash = narHash.finish()
            reading.narHash = hash
            // A NAR that has lost references is not whole either, unless it is the number that was wrong.
            reading.verdict.isWhole = hash == snapshot.nar.narHash
        }
        return reading
    }

    /// Whether a chunk's bytes are what its row says; nil where they are.
    func loss(of chunk: ChunkRecord) throws -> String? {
        if case .lost(let reason) = try open(chunk) { return reason }
        return nil
    }

    /// Whether a chunk's bytes can be had as they were stored: its frame can be read, and fits the checksum of its row, or the chunk
    /// comes out of it all the same.
    func isWhole(_ chunk: ChunkRecord) throws -> Bool {
        guard case .frame(let frame) = try frame(of: chunk) else { return false }
        if FrameChecksum.of(frame) == chunk.frameChecksum { return true }
        if case .whole = open(frame, of: chunk) { return true }
        return false
    }

    /// Whether the NAR still is what was read. Its bytes were whole then, if its rows are the same now: places are never given
    /// to others while rows name them.
    func isStill(_ snapshot: NarSnapshot) throws(DatabaseError) -> Bool {
        try self.snapshot(snapshot.nar.id) == snapshot
    }

    private func snapshot(_ narID: Int64) throws(DatabaseError) -> NarSnapshot? {
        try catalog.read { session throws(DatabaseError) in try session.snapshot(ofNar: narID) }
    }

    private enum Stored {
        case frame([UInt8])
        /// Why it cannot be had.
        case lost(String)
    }

    private enum Opened {
        case whole(frame: [UInt8], bytes: [UInt8])
        case lost(String)
    }

    private func open(_ chunk: ChunkRecord) throws -> Opened {
        switch try frame(of: chunk) {
        case .frame(let frame): open(frame, of: chunk)
        case .lost(let reason): .lost(reason)
        }
    }

    private func frame(of chunk: ChunkRecord) throws -> Stored {
        let place = chunk.place
        guard let extent = Extent(place), place.byteCount <= Int64(NarVerifier.chunkBytesMax) else {
            return .lost("its row gives it no place")
        }
        do throws(StorageError) { return .frame(try store.read(extent)) } catch {
            switch error.fate {
            case .missing: return .lost("the pack is not there")
            case .short(_, let found): return .lost("only \(found) of its \(place.byteCount) bytes are there")
            case .unreadable(let errno): return .lost("the disk cannot read it (\(errno))")
            case .unknown: throw error
            }
        }
    }

    private func open(_ frame: [UInt8], of chunk: ChunkRecord) -> Opened {
        guard let kind = CompressionKind(rawValue: chunk.compression) else {
            return .lost("nothing here opens the compression \"\(chunk.compression)\"")
        }
        let bytes: [UInt8]
        do throws(CompressionError) {
            bytes = try decompressor(kind).decompress(frame: frame, byteCountMax: NarVerifier.chunkBytesMax)
        } catch { return .lost("\(error)") }
        chunkHash.update(bytes)
        guard chunkHash.finish() == chunk.hash else { return .lost("its bytes have another hash") }
        return .whole(frame: frame, bytes: bytes)
    }

    private func decompressor(_ kind: CompressionKind) -> Decompressor {
        if let kept = decompressors[kind] { return kept }
        let made = Decompressor(kind)
        decompressors[kind] = made
        return made
    }
}
