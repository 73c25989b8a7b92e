import Crypto

/// What the end of an upload makes durable in one transaction; its bytes are durable already.
package struct Commit: Sendable {
    /// One chunk of the NAR, in order.
    package enum Chunk: Sendable, Hashable {
        /// One that the database had when it was asked (and that the upload should be holding).
        case known(id: Int64, hash: SHA256Digest)
        /// One that this upload stored.
        ///
        /// - byteCount: uncompressed.
        /// - repair: take this place even where the chunk has one, because that was found to be damaged.
        case stored(hash: SHA256Digest, byteCount: Int64, extent: StoredExtent, repair: Bool)
    }

    /// Whose holds end with this.
    package var uploadID: Int64?
    /// The packs that were written to, as they are now.
    package var packs: [PackState]
    /// The NAR's chunks in order; a chunk may come more than once. Empty with `existingNarID`.
    package var chunks: [Chunk]
    /// The NAR that was uploaded. Where the database has its hash by now, the first stays.
    package var nar: NewNar?
    /// The NAR that is there already, where none was uploaded.
    package var existingNarID: Int64?
    package var object: NewObject

    /// Traps unless exactly one of `nar` and `existingNarID` is given.
    package init(
        uploadID: Int64?, packs: [PackState] = [], chunks: [Chunk] = [], nar: NewNar? = nil, existingNarID: Int64? = nil,
        object: NewObject
    ) {
        precondition((nar == nil) != (existingNarID == nil), "an object names one NAR, a new one or one that is there")
        precondition(nar != nil || chunks.isEmpty, "chunks belong to a NAR that is uploaded")
        self.uploadID = uploadID
        self.packs = packs
        self.chunks = chunks
        self.nar = nar
        self.existingNarID = existingNarID
        self.object = object
    }
}

/// What became of a `Commit`. Unless it is `.committed`, nothing was written.
package enum CommitOutcome: Sendable, Hashable {
    case committed(Committed)
    /// Chunks that were known are gone, or were found damaged: store them and commit again.
    case vanished([SHA256Digest])
    /// The NAR that was to be there is gone.
    case narVanished
    /// The cache was destroyed meanwhile.
    case noSuchCache
}

/// What a commit wrote.
package struct Committed: Sendable, Hashable {
    package let objectID: Int64
    package let narID: Int64
    /// False where the database had the NAR: nothing of what was uploaded is used (but for repairs).
    package let isNewNar: Bool
    /// Chunks that came to be with this commit.
    package let newChunkCount: Int
}
