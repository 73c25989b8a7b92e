import Compression
import Crypto
import Database
import Platform
import Storage

/// Some chunks of an upload on their way through the press: hashed, looked up, compressed where they are new.
///
/// A batch is about a mebibyte, so that one look-up serves a dozen chunks and a NAR still keeps every core busy.
enum ChunkBatch {
    /// What the press found out about one chunk.
    struct Pressed: Sendable {
        let hash: SHA256Digest
        let byteCount: Int64
        let frame: Frame
    }

    /// Where a chunk's stored frame is.
    enum Frame: Sendable {
        /// In the store already, held for this upload; its bytes, which the file hash needs, and their checksum.
        case known(ChunkRecord, stored: [UInt8], checksum: UInt64)
        /// Freshly compressed, not yet written. `repairs`: the database knows the chunk, but its bytes are gone, or others.
        case fresh([UInt8], checksum: UInt64, repairs: Bool)
        /// An earlier chunk of the same upload has the same bytes.
        case repeated
    }

    /// Presses a batch. Thread: press.
    ///
    /// - Parameter number: the batch's place in the upload.
    static func press(
        _ gathered: Cutter.Gathered, number: Int, for upload: UploadScope, with tools: inout Press.Tools
    ) throws -> [Pressed] {
        var hashes: [SHA256Digest] = []
        var ranges: [Range<Int>] = []
        var start = 0
        for count in gathered.byteCounts {
            let range = start..<(start + count)
            ranges.append(range)
            unsafe tools.sha256.update(gathered.block.bytes(range))
            hashes.append(tools.sha256.finish())
            start += count
        }
        let isFirst = upload.claim(hashes, batch: number)
        let wanted = zip(hashes, isFirst).filter(\.1).map(\.0)
        let known = try upload.findAndHold(wanted)
        return try hashes.indices.map { index in
            let hash = hashes[index]
            let byteCount = Int64(ranges[index].count)
            guard isFirst[index] else { return Pressed(hash: hash, byteCount: byteCount, frame: .repeated) }
            if let record = known[hash], let stored = try upload.storedBytes(of: record),
                let checksum = unsafe tools.checksum(stored, standingFor: gathered.block.bytes(ranges[index]), record.frameChecksum)
            {
                return Pressed(hash: hash, byteCount: byteCount, frame: .known(record, stored: stored, checksum: checksum))
            }
            let frame = unsafe tools.compressor.compress(gathered.block.bytes(ranges[index]))
            return Pressed(hash: hash, byteCount: byteCount, frame: .fresh(frame, checksum: FrameChecksum.of(frame), repairs: known[hash] != nil))
        }
    }
}

/// What the batches of one upload share while they are pressed. Thread: any.
final class UploadScope: Sendable {
    private let catalog: Catalog
    private let store: any ChunkStore
    private let lease: UploadLease
    private let compression: CompressionKind
    /// The batch in which each chunk hash of this upload stands first.
    private let claims = Monitor<[SHA256Digest: Int]>([:])

    init(catalog: Catalog, store: any ChunkStore, lease: UploadLease, compression: CompressionKind) {
        self.catalog = catalog
        self.store = store
        self.lease = lease
        self.compression = compression
    }

    /// Claims chunks for a batch; false for those that an earlier batch, or an earlier place in this one, has.
    ///
    /// Batches may be pressed out of order. A later batch that claims first does not take the chunk from an earlier
    /// one: both press it then, and the writer, which works in order, stores it once.
    func claim(_ hashes: [SHA256Digest], batch: Int) -> [Bool] {
        claims.withLock { claims in
            var here: Set<SHA256Digest> = []
            return hashes.map { hash in
                guard here.insert(hash).inserted else { return false }
                if let owner = claims[hash], owner < batch { return false }
                claims[hash] = batch
                return true
            }
        }
    }

    /// The chunks of these that the store has, held for the upload. Reads first: new data never waits for the writer.
    func findAndHold(_ hashes: [SHA256Digest]) throws -> [SHA256Digest: ChunkRecord] {
        let word = compression.rawValue
        let found = try catalog.read { session throws(DatabaseError) in
            try session.findChunks(hashes, word)
        }
        return found.isEmpty ? [:] : try lease.hold(Array(found.keys), compression: word)
    }

    /// A known chunk's stored frame; nil where its bytes are gone or cannot be read, so that this upload puts them back.
    func storedBytes(of record: ChunkRecord) throws(StorageError) -> [UInt8]? {
        guard let extent = Extent(record.place) else { return nil }
        do throws(StorageError) { return try store.read(extent) } catch {
            switch error.fate {
            case .missing, .short, .unreadable: return nil
            case .unknown: throw error
            }
        }
    }
}

extension Press.Tools {
    /// The checksum of a stored frame that stands for these bytes; nil where it does not. A NAR that was put together from frames which do
    /// not would be acknowledged, and never come back.
    ///
    /// - Parameter known: the checksum of the frame as it was written; nil where nobody knows. One that fits says that no bit has changed
    ///   since; otherwise the frame is opened, and the checksum may be what is wrong.
    fileprivate func checksum(_ frame: [UInt8], standingFor bytes: UnsafeRawBufferPointer, _ known: UInt64?) -> UInt64? {
        let checksum = FrameChecksum.of(frame)
        if checksum == known { return checksum }
        guard let found = try? decompressor.decompress(frame: frame, byteCountMax: bytes.count),
            unsafe found.span.withUnsafeBytes({ unsafe Bytes.equal($0, bytes) })
        else { return nil }
        return checksum
    }
}
