import Compression
import Crypto
import Database
import Nix
import Platform
import Storage

/// The listings of NARs: those that are kept, and those that are made of the stored bytes when somebody asks.
///
/// A small NAR's listing is made each time, since that costs little more than to find a row. A large NAR has its row from its
/// push on; without one it was stored by a version that knew no listings, and gets it here, once.
///
/// Thread: any that may block.
final class Listings: Sendable {
    private let catalog: Catalog
    private let store: any ChunkStore
    /// To read a large NAR takes a core for seconds: one is read at a time, and no other request waits for it.
    private let isReading = Monitor(false)

    init(catalog: Catalog, store: any ChunkStore) {
        self.catalog = catalog
        self.store = store
    }

    /// The listing of a NAR.
    ///
    /// - Throws: `Problem.incompleteNar` or `StorageError` where stored bytes are missing or damaged; `Problem.busy` where it is
    ///   to be made of a large NAR, and another is being made.
    func find(_ nar: NarRecord) throws -> ListingRecord {
        if let found = try findCheaply(nar) { return found }
        let isFirst = isReading.withLock { isReading in
            defer { isReading = true }
            return !isReading
        }
        guard isFirst else { throw Problem.busy(retryAfterSeconds: 5) }
        defer { isReading.withLock { $0 = false } }
        let listing = try make(nar)
        try catalog.write { session throws(DatabaseError) in try session.keepListing(listing, ofNar: nar.id) }
        return listing
    }

    /// The listing of a NAR where it is kept, or soon made; nil otherwise.
    func findCheaply(_ nar: NarRecord) throws -> ListingRecord? {
        if nar.narSize < Bounds.keptListingNarBytesMin { return try make(nar) }
        return try catalog.read { session throws(DatabaseError) in try session.findListing(ofNar: nar.id) }
    }

    /// Reads the stored NAR, chunk by chunk. Its hash is checked before anything is told of it.
    private func make(_ nar: NarRecord) throws -> ListingRecord {
        let chunks = try catalog.read { session throws(DatabaseError) in try session.chunks(ofNar: nar.id) }
        guard let kind = nar.kind else { throw Problem.incompleteNar }
        let decompressor = Decompressor(kind)
        var scan = NarScan()
        var hash = SHA256()
        var flaw: NarError?
        for chunk in chunks {
            let bytes = try bytes(of: chunk, decompressor)
            hash.update(bytes)
            if flaw != nil { continue }
            do throws(NarError) {
                try unsafe bytes.span.withUnsafeBytes { bytes throws(NarError) in try unsafe scan.take(bytes) }
            } catch { flaw = error }
        }
        guard hash.finish() == nar.narHash else { throw Problem.incompleteNar }
        do throws(NarError) { if flaw == nil { try scan.finish() } } catch { flaw = error }
        // Versions that did not read what they took in may have stored anything.
        return flaw.map { .none(reason: "\($0)") } ?? scan.listing()
    }

    private func bytes(of chunk: ChunkRecord, _ decompressor: Decompressor) throws -> [UInt8] {
        guard let pack = PackName(chunk.place.pack) else { throw Problem.incompleteNar }
        let frame = try store.read(Extent(pack: pack, offset: chunk.place.offset, byteCount: chunk.place.byteCount))
        do throws(CompressionError) {
            return try decompressor.decompress(frame: frame, byteCountMax: Int(chunk.byteCount))
        } catch { throw Problem.incompleteNar }
    }
}
