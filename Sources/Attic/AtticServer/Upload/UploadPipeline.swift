import Chunking
import Compression
import Crypto
import Database
import Platform
import Storage

/// Takes in one NAR: hash of the whole, cut points, chunks through the press, frames in order into a pack.
///
/// The transfer thread reads, hashes and cuts; press threads hash, look up and compress batches of chunks beside it; the
/// transfer thread writes what comes back, in order. A commit is *bytes first, then one transaction*: whatever a crash
/// leaves is bytes that no row names. Memory is a few batches, whatever the NAR's size.
///
/// Thread: transfer.
final class UploadPipeline {
    /// A NAR that is stored: what the commit needs.
    struct Stored {
        var nar: NewNar
        var chunks: [Commit.Chunk]
        var packs: [Database.PackState]
        /// Stored bytes that were in the store before, of `nar.fileSize`.
        var knownFileBytes: Int64
    }

    private let context: Context
    private let scope: UploadScope
    private let lease: UploadLease
    private let writer: any PackWriter
    private var cutter: Cutter
    private var narHash = SHA256()
    private var fileHash = SHA256()
    private var narSize: Int64 = 0
    private var fileSize: Int64 = 0
    private var knownFileBytes: Int64 = 0

    private var batchNumber = 0
    private var underWay: [ChunkBatch] = []

    private var chunks: [Commit.Chunk] = []
    /// Each hash of this upload as it stood first, and where its frame lies.
    private var placed: [SHA256Digest: (chunk: Commit.Chunk, extent: Extent)] = [:]

    /// Batches of one upload under way at most: enough that every press thread has one and one waits.
    private static let batchesMax = 4

    init(_ context: Context, narSize: Int64, lease: UploadLease) throws {
        self.context = context
        self.lease = lease
        let chunking = context.configuration.chunking
        cutter = Cutter(sizes: chunking.sizes, blocks: context.chunkBlocks)
        cutter.begin(isChunked: chunking.isChunked(narSize: narSize))
        scope = UploadScope(
            catalog: context.catalog, store: context.store, lease: lease,
            compression: context.configuration.compressionKind)
        writer = try context.store.borrowPack()
    }

    /// Takes the next bytes of the NAR.
    func receive(_ bytes: UnsafeRawBufferPointer) throws {
        unsafe narHash.update(bytes)
        narSize += Int64(bytes.count)
        try unsafe cutter.feed(bytes) { gathered in try submit(gathered) }
    }

    /// Ends the NAR: checks it against what was announced, waits for the press, makes the bytes durable.
    ///
    /// - Throws: `Problem.request` where hash or size differ.
    func finish(expectedHash: SHA256Digest, expectedSize: Int64) throws -> Stored {
        try cutter.end { gathered in try submit(gathered) }
        if let rest = cutter.rest() { try submit(rest) }
        let hash = narHash.finish()
        try UploadPipeline.check(hash, narSize, against: expectedHash, expectedSize)
        while !underWay.isEmpty { try writeOldest() }
        try writer.makeDurable()
        let nar = NewNar(
            narHash: hash, narSize: narSize, fileHash: fileHash.finish(), fileSize: fileSize,
            compression: context.configuration.compressionKind.rawValue)
        let packs = writer.packs.map { Database.PackState(name: $0.name.text, byteCount: $0.byteCount, isSealed: $0.isSealed) }
        return Stored(nar: nar, chunks: chunks, packs: packs, knownFileBytes: knownFileBytes)
    }

    /// The NAR is committed: its bytes stay.
    func keep() { writer.giveBack() }

    /// Whether the NAR was committed is in doubt: its bytes stay until the next start finds out.
    func leave() { writer.leave() }

    /// The NAR is not wanted after all: what was written is cut off again, once nothing is being pressed any more.
    func abandon() {
        for batch in underWay { _ = try? batch.wait() }
        underWay = []
        writer.abandon()
        lease.end()
    }

    /// Compares a NAR with its announcement.
    static func check(
        _ hash: SHA256Digest, _ size: Int64, against expectedHash: SHA256Digest, _ expectedSize: Int64
    ) throws(Problem) {
        guard size == expectedSize else {
            throw .request("the NAR has \(size) bytes, but nar_size says \(expectedSize).")
        }
        guard hash == expectedHash else {
            throw .request("the NAR's hash is sha256:\(hash.hex), but nar_hash says sha256:\(expectedHash.hex).")
        }
    }

    // MARK: To the press, and back in order

    private func submit(_ gathered: Cutter.Gathered) throws {
        while underWay.count >= UploadPipeline.batchesMax { try writeOldest() }
        let batch = ChunkBatch()
        let (number, scope, blocks) = (batchNumber, scope, context.chunkBlocks)
        context.press.submit { tools in
            batch.press(gathered, number: number, for: scope, with: &tools)
            blocks.giveBack(gathered.block)
        }
        underWay.append(batch)
        batchNumber += 1
    }

    private func writeOldest() throws {
        let batch = underWay.removeFirst()
        for pressed in try batch.wait() { try write(pressed) }
        try lease.keepAlive()
    }

    private func write(_ pressed: ChunkBatch.Pressed) throws {
        if let first = placed[pressed.hash] {
            // The press may have seen it as new in two batches at once; in order, only the first counts.
            try writeRepeated(first, pressed)
            return
        }
        let chunk: Commit.Chunk
        let extent: Extent
        switch pressed.frame {
        case .known(let record, let stored):
            guard let pack = PackName(record.place.pack) else {
                preconditionFailure("a known chunk's frame was read from a pack")
            }
            chunk = .known(id: record.id, hash: pressed.hash)
            extent = Extent(pack: pack, offset: record.place.offset, byteCount: record.place.byteCount)
            account(stored)
            knownFileBytes += Int64(stored.count)
        case .fresh(let frame, let repairs):
            extent = try unsafe frame.span.withUnsafeBytes { bytes in try unsafe writer.append(bytes) }
            chunk = .stored(
                hash: pressed.hash, byteCount: pressed.byteCount,
                extent: StoredExtent(pack: extent.pack.text, offset: extent.offset, byteCount: extent.byteCount),
                repair: repairs)
            account(frame)
        case .repeated:
            preconditionFailure("a repeated chunk stands after the chunk that it repeats")
        }
        placed[pressed.hash] = (chunk, extent)
        chunks.append(chunk)
    }

    private func writeRepeated(_ first: (chunk: Commit.Chunk, extent: Extent), _ pressed: ChunkBatch.Pressed) throws {
        let stored: [UInt8]
        switch pressed.frame {
        case .known(_, let bytes): stored = bytes
        case .fresh(let frame, _): stored = frame
        case .repeated: stored = try context.store.read(first.extent)
        }
        account(stored)
        knownFileBytes += Int64(stored.count)
        chunks.append(first.chunk)
    }

    private func account(_ frame: [UInt8]) {
        fileHash.update(frame)
        fileSize += Int64(frame.count)
    }
}
