import Crypto
import Nix
import Platform
import SQL

/// A NAR as the database keeps it: the bytes behind a NAR URL, and how they are stored.
package struct NarRecord: Sendable, Hashable {
    package let id: Int64
    package let narHash: SHA256Digest
    package let narSize: Int64
    /// Of the stored frames, one after another: what a download gives.
    package let fileHash: SHA256Digest
    package let fileSize: Int64
    /// The word of narinfo: `zstd`, `none`.
    package let compression: String
    package let chunkCount: Int
    /// One of its chunks was found damaged: it counts as missing, and pushing it again heals it.
    package let isDamaged: Bool

    static let columnCount = 8
    /// The columns, of the table named `n`.
    static let columns = """
        n.id, n.nar_hash, n.nar_size, n.file_hash, n.file_size, n.compression, n.chunk_count, n.is_damaged
        """

    init(_ row: borrowing SQLRow, at first: Int = 0) throws(SQLError) {
        id = try row.integer(first)
        narHash = try row.digest(first + 1)
        narSize = try row.integer(first + 2)
        fileHash = try row.digest(first + 3)
        fileSize = try row.integer(first + 4)
        compression = try row.text(first + 5)
        chunkCount = Int(try row.integer(first + 6))
        isDamaged = try row.bool(first + 7)
    }
}

/// A cache's claim on a store path, with its NAR.
package struct ObjectRecord: Sendable, Hashable {
    package let id: Int64
    package let cacheID: Int64
    package let storePathHash: StorePathHash
    /// The full path, with the store directory.
    package let storePath: String
    /// Base names, in the order of the upload.
    package let references: [String]
    package let system: String?
    package let deriver: String?
    package let signatures: [String]
    package let ca: String?
    package let createdAt: WallTime
    package let lastAccessedAt: WallTime
    package let nar: NarRecord

    /// The columns, of the tables named `o` and `n`.
    static let columns = """
        o.id, o.cache_id, o.store_path_hash, o.store_path, o.reference_names, o.system, o.deriver, o.signatures, o.ca, \
        o.created_at, o.last_accessed_at, \(NarRecord.columns)
        """

    init(_ row: borrowing SQLRow) throws(SQLError) {
        id = try row.integer(0)
        cacheID = try row.integer(1)
        guard let hash = StorePathHash(try row.text(2)) else { throw row.mismatch(2, "it is not a store path hash") }
        storePathHash = hash
        storePath = try row.text(3)
        references = try row.text(4).split(separator: " ").map(String.init)
        system = try row.optionalText(5)
        deriver = try row.optionalText(6)
        signatures = Lines.split(try row.text(7))
        ca = try row.optionalText(8)
        createdAt = WallTime(milliseconds: try row.integer(9))
        lastAccessedAt = WallTime(milliseconds: try row.integer(10))
        nar = try NarRecord(row, at: 11)
    }
}

/// An object to be put.
package struct NewObject: Sendable {
    /// Signatures that an object keeps, however often it is pushed.
    package static let signaturesMax = 100

    package var cacheID: Int64
    package var storePathHash: StorePathHash
    /// The full path, with the store directory.
    package var storePath: String
    /// Base names.
    package var references: [String]
    package var system: String?
    package var deriver: String?
    package var signatures: [String]
    package var ca: String?
    /// When it is pushed: its creation, and its last access.
    package var at: WallTime

    package init(
        cacheID: Int64, storePathHash: StorePathHash, storePath: String, references: [String], system: String? = nil,
        deriver: String? = nil, signatures: [String] = [], ca: String? = nil, at: WallTime
    ) {
        self.cacheID = cacheID
        self.storePathHash = storePathHash
        self.storePath = storePath
        self.references = references
        self.system = system
        self.deriver = deriver
        self.signatures = signatures
        self.ca = ca
        self.at = at
    }
}

/// A NAR to be committed.
package struct NewNar: Sendable {
    package var narHash: SHA256Digest
    package var narSize: Int64
    package var fileHash: SHA256Digest
    package var fileSize: Int64
    package var compression: String
    /// Nil where it is to be made when somebody asks for it.
    package var listing: ListingRecord?

    package init(
        narHash: SHA256Digest, narSize: Int64, fileHash: SHA256Digest, fileSize: Int64, compression: String,
        listing: ListingRecord? = nil
    ) {
        self.narHash = narHash
        self.narSize = narSize
        self.fileHash = fileHash
        self.fileSize = fileSize
        self.compression = compression
        self.listing = listing
    }
}

extension SQLRow {
    func digest(_ column: Int) throws(SQLError) -> SHA256Digest {
        guard let digest = SHA256Digest(try blob(column)) else { throw mismatch(column, "it is not a hash of 32 bytes") }
        return digest
    }
}

extension SQLValue {
    static func digest(_ digest: SHA256Digest) -> SQLValue { .blob(digest.bytes) }
    static func time(_ time: WallTime) -> SQLValue { .integer(time.milliseconds) }

    /// One parameter for all of them; see `Dialect.blobItems`.
    static func digests(_ digests: [SHA256Digest]) -> SQLValue {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(digests.count * SHA256Digest.byteCount)
        for digest in digests { bytes.append(contentsOf: digest.bytes) }
        return .blob(bytes)
    }

    /// One parameter for all of them; see `Dialect.textItems`.
    static func pathHashes(_ hashes: [StorePathHash]) -> SQLValue {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(hashes.count * 32)
        for hash in hashes { bytes.append(contentsOf: hash.utf8) }
        return .blob(bytes)
    }
}
