import Chunking
import Compression
import Crypto
import Database
import Nix
import Platform
import Storage

/// Takes in NARs, one after another: each is read for its listing, and refused where it is no NAR; hash of each whole, cut points, chunks through the press, frames in order into a pack.
///
///     for each NAR: pipeline.begin(narSize:); receive its bytes; pipeline.end(expectedHash:expectedSize:)
///     let stored = try pipeline.finish()
///     commit, then pipeline.keep()
///
/// The transfer thread reads and cuts; press threads hash the NAR (`NarHasher`) and its chunks beside it, look these up, compress what is
/// new (`ChunkBatch`), and write what is next (`StoredFiles`). A batch may hold the chunks of many small NARs. A commit is *bytes first, then one
/// transaction*: whatever a crash leaves is bytes that no row names. Memory is a few batches, and some hundred bytes a chunk.
///
/// Thread: transfer.
final class UploadPipeline {
    /// What was stored: what the commit needs.
    struct Stored {
        /// In the order in which they were begun.
        var nars: [StoredNar]
        var packs: [PackState]
    }

    struct StoredNar {
        var nar: NewNar
        var chunks: [Commit.Chunk]
        /// Stored bytes that were in the store before, or in an earlier NAR, of `nar.fileSize`.
        var knownFileBytes: Int64

        /// Which part of the NAR was here already, 0 to 1.
        var fracDeduplicated: Double { nar.fileSize == 0 ? 0 : Double(knownFileBytes) / Double(nar.fileSize) }
    }

    /// A NAR as far as it has come.
    private struct Intake {
        var hash: SHA256Digest?
        var byteCount: Int64 = 0
        /// Of a NAR whose listing is kept; set when it has ended.
        var listing: ListingRecord?
    }

    private let context: Context
    private let lease: UploadLease
    private let visitor: Visitor?
    private let files: StoredFiles
    private var cutter: Cutter
    private let hasher: NarHasher
    /// Of the NAR that is being taken in.
    private var scan = NarScan()
    private var nars: [Intake] = []
    private var batchCount = 0

    /// - Parameter visitor: whose upload it is; it ends where their token is revoked. Nil where nobody's is asked for.
    init(_ context: Context, lease: UploadLease, for visitor: Visitor? = nil) throws {
        self.context = context
        self.lease = lease
        self.visitor = visitor
        cutter = Cutter(context.configuration.chunking, blocks: context.chunkBlocks)
        let scope = UploadScope(
            catalog: context.catalog, store: context.store, lease: lease,
            compression: context.configuration.compressionKind)
        let files = try StoredFiles(context.store, context.press)
        let blocks = context.chunkBlocks
        hasher = NarHasher(context.press) { batch, number, tools in
            let pressed = Result { try ChunkBatch.press(batch, number: number, for: scope, with: &tools) }
            blocks.giveBack(batch.block)
            files.bring(pressed.map { StoredFiles.Batch(pressed: $0, nars: batch.nars) }, number: number)
        }
        self.files = files
    }

    /// Begins the next NAR. Its size decides whether it is cut by content.
    ///
    /// - Parameter narSize: as it was announced; nil where it was not.
    func begin(narSize: Int64?) {
        precondition(nars.last.map { $0.hash != nil } ?? true, "a NAR ends before the next begins")
        let rules = context.configuration.chunking
        if let narSize {
            cutter.begin(isChunked: rules.isChunked(narSize: narSize))
        } else if rules.narSizeThreshold > 0 {
            cutter.begin(chunkedFrom: rules.narSizeThreshold)
        } else {
            cutter.begin(isChunked: false)
        }
        nars.append(Intake())
        scan = NarScan()
    }

    /// Takes the next bytes of the NAR.
    ///
    /// - Throws: `Problem.request` where they are no NAR's.
    func receive(_ bytes: UnsafeRawBufferPointer) throws {
        do throws(NarError) { try unsafe scan.take(bytes) } catch { throw Problem.request("\(error).") }
        nars[nars.count - 1].byteCount += Int64(bytes.count)
        try unsafe cutter.feed(bytes) { gathered in try submit(gathered) }
    }

    /// Ends the NAR: checks it against what was announced.
    ///
    /// - Throws: `Problem.request` where hash or size differ, or where it is no whole NAR; then nothing of the upload can be kept.
    func end(expectedHash: SHA256Digest, expectedSize: Int64) throws {
        try end { hash, size throws(Problem) in try UploadPipeline.check(hash, size, against: expectedHash, expectedSize) }
    }

    /// Ends a NAR of which nothing was announced; `finish` tells what it is.
    ///
    /// - Throws: `Problem.request` where it is no whole NAR.
    func end() throws { try end { _, _ throws(Problem) in } }

    private func end(_ check: (SHA256Digest, Int64) throws(Problem) -> Void) throws {
        try cutter.end { gathered in try submit(gathered) }
        let (hash, size) = unsafe (hasher.finish(cutter.bytesAtHand), nars[nars.count - 1].byteCount)
        try check(hash, size)
        do throws(NarError) { try scan.finish() } catch { throw Problem.request("\(error).") }
        nars[nars.count - 1].hash = hash
        Faults.pass(.narReceived)
        if size >= Bounds.keptListingNarBytesMin { nars[nars.count - 1].listing = scan.listing() }
    }

    /// Waits for the press, and makes the bytes of all NARs durable.
    func finish() throws -> Stored {
        if let rest = cutter.rest() { try submit(rest) }
        let (written, packs) = try files.finish(narCount: nars.count)
        Faults.pass(.bytesDurable)
        let compression = context.configuration.compressionKind.rawValue
        let stored = zip(nars, written).map { nar, file in
            guard let narHash = nar.hash, let fileHash = file.hash else {
                preconditionFailure("an upload is finished when all its NARs have ended")
            }
            return StoredNar(
                nar: NewNar(
                    narHash: narHash, narSize: nar.byteCount, fileHash: fileHash, fileSize: file.byteCount,
                    compression: compression, listing: nar.listing),
                chunks: file.chunks, knownFileBytes: file.knownByteCount)
        }
        return Stored(nars: stored, packs: packs.map { PackState($0) })
    }

    /// All is committed: the bytes stay.
    func keep() { files.keep() }

    /// Whether it was committed is in doubt: the bytes stay until the next start finds out.
    func leave() { files.leave() }

    /// The NARs are not wanted after all: what was written is cut off again, once nothing is being pressed any more.
    func abandon() {
        files.abandon()
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

    private func submit(_ gathered: Cutter.Gathered) throws {
        try visitor?.requireStanding()
        try files.admit()
        hasher.add(gathered, number: batchCount)
        batchCount += 1
        try lease.keepAlive()
    }
}
