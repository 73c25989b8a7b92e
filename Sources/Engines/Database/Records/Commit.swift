import Crypto
import Platform

/// What the end of an upload makes durable in one transaction; its bytes are durable already.
package struct Commit: Sendable {
    /// One chunk of a NAR.
    package enum Chunk: Sendable, Hashable {
        /// One that the database had when it was asked (and that the upload should be holding).
        ///
        /// - newChecksum: CRC-64 of its frame, which was opened because the row has none that fits; nil where it has.
        case known(id: Int64, hash: SHA256Digest, newChecksum: UInt64? = nil)
        /// One that this upload stored.
        ///
        /// - byteCount: uncompressed.
        /// - repair: take this place even where the chunk has one, because that was found to be damaged.
        case stored(hash: SHA256Digest, byteCount: Int64, frame: StoredFrame, repair: Bool)
    }

    /// A NAR as an object is to name it.
    package enum Nar: Sendable {
        /// One that was uploaded, and its chunks in order; a chunk may come more than once. Where the database has its hash by
        /// now, the first stays.
        case uploaded(NewNar, chunks: [Chunk])
        /// One that is there already. The id and the hash must both fit: a collection may have removed the row meanwhile, and a restored database given its id to another.
        case existing(id: Int64, hash: SHA256Digest)
    }

    /// One store path of the upload.
    package struct Path: Sendable {
        package var object: NewObject
        package var nar: Nar

        package init(_ object: NewObject, naming nar: Nar) {
            self.object = object
            self.nar = nar
        }
    }

    /// A NAR that came by itself: plain Nix sends the store path's narinfo afterwards.
    package struct File: Sendable {
        package var file: NewReceivedFile
        package var nar: Nar

        package init(_ file: NewReceivedFile, naming nar: Nar) {
            self.file = file
            self.nar = nar
        }
    }

    /// Whose holds end with this.
    package var uploadID: Int64?
    /// The packs that were written to, as they are now.
    package var packs: [PackState]
    /// In the order in which they come to be: what a path refers to, before it. All of one cache.
    package var paths: [Path]
    package var file: File?
    /// When it is committed, which may be long after the upload began: bytes that it makes dead are so from now on.
    package var at: WallTime

    package let cacheID: Int64

    /// Traps without a path, or with paths of two caches.
    ///
    /// - Parameter time: nil for that of the first object.
    package init(uploadID: Int64?, packs: [PackState] = [], paths: [Path], at time: WallTime? = nil) {
        precondition(!paths.isEmpty, "a commit is of one path at least")
        precondition(
            paths.allSatisfy { $0.object.cacheID == paths[0].object.cacheID }, "an upload is into one cache")
        self.uploadID = uploadID
        self.packs = packs
        self.paths = paths
        cacheID = paths[0].object.cacheID
        at = time ?? paths[0].object.at
    }

    package init(uploadID: Int64?, packs: [PackState] = [], file: File, at time: WallTime? = nil) {
        self.uploadID = uploadID
        self.packs = packs
        paths = []
        self.file = file
        cacheID = file.file.cacheID
        at = time ?? file.file.receivedAt
    }

    /// All that it names.
    var nars: [Nar] { paths.map(\.nar) + (file.map { [$0.nar] } ?? []) }
}

/// What became of a `Commit`. Unless it is `.committed`, nothing was written.
package enum CommitOutcome: Sendable, Hashable {
    /// What each path became, in their order, or the file.
    case committed([Committed])
    /// Chunks that were known are gone, or were found damaged: store them and commit again.
    case vanished([SHA256Digest])
    /// The NAR that was to be there is gone.
    case narVanished
    /// A pack that the upload wrote was given up meanwhile: it took too long.
    case packVanished
    /// The cache was destroyed meanwhile.
    case noSuchCache
}

/// What a commit wrote for one path, or for a file.
package struct Committed: Sendable, Hashable {
    /// Nil for a file: nothing names its NAR yet.
    package var objectID: Int64?
    package let narID: Int64
    /// False where the database had the NAR: nothing of what was uploaded is used (but for repairs).
    package let isNewNar: Bool
    /// Whether the database had the NAR, and has other stored bytes for it now: it was damaged, or chunks of it were.
    package let isRewritten: Bool
    /// Chunks that came to be with this commit.
    package let newChunkCount: Int
    /// Whether the commit, with whichever of its paths, gave chunks that were there another place: what was known of where
    /// other NARs lie is wrong now.
    package var hasMovedChunks = false
}
