import Chunking
import Compression
import Crypto
import Database
import Platform
import Storage

/// Takes in NARs, one after another: hash of each whole, cut points, chunks through the press, frames in order into a pack.
///
///     for each NAR: pipeline.begin(narSize:); receive its bytes; pipeline.end(expectedHash:expectedSize:)
///     let stored = try pipeline.finish()
///     commit, then pipeline.keep()
///
/// The transfer thread reads, hashes and cuts; press threads hash, look up and compress batches of chunks beside it; the
/// transfer thread writes what comes back, in order. A batch may hold the chunks of many small NARs. A commit is *bytes
/// first, then one transaction*: whatever a crash leaves is bytes that no row names. Memory is a few batches, whatever
/// the NARs' size.
///
/// Thread: transfer.
final class UploadPipeline {
    /// What was stored: what the commit needs.
    struct Stored {
        /// In the order in which they were begun.
        var nars: [StoredNar]
        var packs: [Database.PackState]
    }

    struct StoredNar {
        var nar: NewNar
        var chunks: [Commit.Chunk]
        /// Stored bytes that were in the store before, or in an earlier NAR, of `nar.fileSize`.
        var knownFileBytes: Int64

        /// Which part of the NAR was here already, 0 to 1.
        var fracDeduplicated: Double { nar.fileSize == 0 ? 0 : Double(knownFileBytes) / Double(nar.fileSize) }
    }

    /// A NAR, and its stored file as far as it is written.
    private struct Intake {
        var narHash: SHA256Digest?
        var narSize: Int64 = 0
        var fileHash: SHA256Digest?
        var fileSize: Int64 = 0
        var knownFileBytes: Int64 = 0
        var chunks: [Commit.Chunk] = []
    }

    /// Chunks on their way through the press.
    private struct Pressing {
        let batch: ChunkBatch
        /// For each chunk the NAR that it belongs to, by its number.
        let owners: [Int]
    }

    private let context: Context
    private let scope: UploadScope
    private let lease: UploadLease
    private let writer: any PackWriter
    private var cutter: Cutter
    private var narHash = SHA256()
    private var nars: [Intake] = []

    private var batchNumber = 0
    private var underWay: [Pressing] = []

    /// The number of the NAR whose frames are being written, and the hash of those so far.
    private var writing = 0
    private var fileHash = SHA256()
    /// Each hash of this upload as it stood first, and where its frame lies.
    private var placed: [SHA256Digest: (chunk: Commit.Chunk, extent: Extent)] = [:]

    /// Batches of one upload under way at most: enough that every press thread has one and one waits.
    private static let batchesMax = 4

    init(_ context: Context, lease: UploadLease) throws {
        self.context = context
        self.lease = lease
        cutter = Cutter(sizes: context.configuration.chunking.sizes, blocks: context.chunkBlocks)
        scope = UploadScope(
            catalog: context.catalog, store: context.store, lease: lease,
            compression: context.configuration.compressionKind)
        writer = try context.store.borrowPack()
    }

    /// Begins the next NAR. Its announced size decides whether it is cut by content.
    func begin(narSize: Int64) {
        precondition(nars.last.map { $0.narHash != nil } ?? true, "a NAR ends before the next begins")
        cutter.begin(isChunked: context.configuration.chunking.isChunked(narSize: narSize))
        nars.append(Intake())
    }

    /// Takes the next bytes of the NAR.
    func receive(_ bytes: UnsafeRawBufferPointer) throws {
        unsafe narHash.update(bytes)
        nars[nars.count - 1].narSize += Int64(bytes.count)
        try unsafe cutter.feed(bytes) { gathered in try submit(gathered) }
    }

    /// Ends the NAR: checks it against what was announced.
    ///
    /// - Throws: `Problem.request` where hash or size differ; then nothing of the upload can be kept.
    func end(expectedHash: SHA256Digest, expectedSize: Int64) throws {
        try cutter.end { gathered in try submit(gathered) }
        let hash = narHash.finish()
        try UploadPipeline.check(hash, nars[nars.count - 1].narSize, against: expectedHash, expectedSize)
        nars[nars.count - 1].narHash = hash
    }

    /// Waits for the press, and makes the bytes of all NARs durable.
    func finish() throws -> Stored {
        if let rest = cutter.rest() { try submit(rest) }
        while !underWay.isEmpty { try writeOldest() }
        turn(to: nars.count)
        try writer.makeDurable()
        let compression = context.configuration.compressionKind.rawValue
        let stored = nars.map { nar in
            guard let narHash = nar.narHash, let fileHash = nar.fileHash else {
                preconditionFailure("an upload is finished when all its NARs have ended")
            }
            return StoredNar(
                nar: NewNar(
                    narHash: narHash, narSize: nar.narSize, fileHash: fileHash, fileSize: nar.fileSize,
                    compression: compression),
                chunks: nar.chunks, knownFileBytes: nar.knownFileBytes)
        }
        let packs = writer.packs.map { Database.PackState(name: $0.name.text, byteCount: $0.byteCount, isSealed: $0.isSealed) }
        return Stored(nars: stored, packs: packs)
    }

    /// All is committed: the bytes stay.
    func keep() { writer.giveBack() }

    /// Whether it was committed is in doubt: the bytes stay until the next start finds out.
    func leave() { writer.leave() }

    /// The NARs are not wanted after all: what was written is cut off again, once nothing is being pressed any more.
    func abandon() {
        for pressing in underWay { _ = try? pressing.batch.wait() }
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
        underWay.append(Pressing(batch: batch, owners: gathered.nars))
        batchNumber += 1
    }

    private func writeOldest() throws {
        let oldest = underWay.removeFirst()
        for (pressed, owner) in zip(try oldest.batch.wait(), oldest.owners) {
            turn(to: owner)
            try write(pressed)
        }
        try lease.keepAlive()
    }

    /// The frames that come now are of that NAR: the stored files of those before it are complete.
    private func turn(to owner: Int) {
        while writing < owner {
            nars[writing].fileHash = fileHash.finish()
            writing += 1
        }
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
            nars[writing].knownFileBytes += Int64(stored.count)
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
        nars[writing].chunks.append(chunk)
    }

    private func writeRepeated(_ first: (chunk: Commit.Chunk, extent: Extent), _ pressed: ChunkBatch.Pressed) throws {
        let stored: [UInt8]
        switch pressed.frame {
        case .known(_, let bytes): stored = bytes
        case .fresh(let frame, _): stored = frame
        case .repeated: stored = try context.store.read(first.extent)
        }
        account(stored)
        nars[writing].knownFileBytes += Int64(stored.count)
        nars[writing].chunks.append(first.chunk)
    }

    private func account(_ frame: [UInt8]) {
        fileHash.update(frame)
        nars[writing].fileSize += Int64(frame.count)
    }
}
