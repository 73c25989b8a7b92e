import Crypto
import SQL

/// Where bytes lie in a pack.
package struct StoredExtent: Sendable, Hashable {
    package let pack: String
    package let offset: Int64
    package let byteCount: Int64

    package init(pack: String, offset: Int64, byteCount: Int64) {
        self.pack = pack
        self.offset = offset
        self.byteCount = byteCount
    }
}

/// A chunk's frame as it was written.
package struct StoredFrame: Sendable, Hashable {
    package let extent: StoredExtent
    /// CRC-64 of its bytes.
    package let checksum: UInt64

    package init(extent: StoredExtent, checksum: UInt64) {
        self.extent = extent
        self.checksum = checksum
    }
}

/// A chunk as the database keeps it: content by hash and compression, and its place.
package struct ChunkRecord: Sendable, Hashable {
    package let id: Int64
    package let hash: SHA256Digest
    /// Uncompressed.
    package let byteCount: Int64
    package let compression: String
    package let place: StoredExtent
    /// CRC-64 of the stored frame; nil where it was stored before there were checksums.
    package let frameChecksum: UInt64?
    /// Of the stored frame.
    package var storedByteCount: Int64 { place.byteCount }

    /// The columns, of the tables named `c` (chunk) and `p` (pack).
    static let columns = "c.id, c.hash, c.byte_count, c.compression, p.name, c.pack_offset, c.stored_byte_count, c.frame_checksum"
    static let columnCount = 8

    init(_ row: borrowing SQLRow) throws(SQLError) {
        id = try row.integer(0)
        hash = try row.digest(1)
        byteCount = try row.integer(2)
        compression = try row.text(3)
        place = try StoredExtent(pack: row.text(4), offset: row.integer(5), byteCount: row.integer(6))
        frameChecksum = try row.optionalInteger(7).map(UInt64.init(bitPattern:))
    }
}

/// An extent whose chunk is gone: its bytes may be given back to the file system.
package struct DeadExtent: Sendable, Hashable {
    package let id: Int64
    package let packID: Int64
    package let extent: StoredExtent
}

/// A pack as a writer leaves it: what a commit says of it.
package struct PackState: Sendable, Hashable {
    package let name: String
    package let byteCount: Int64
    /// Where its writer began: below lies what others wrote.
    package let beginByteCount: Int64
    package let isSealed: Bool
    /// It is noted as loose, and a commit takes it out of there.
    package let isLoose: Bool

    package init(name: String, byteCount: Int64, beginByteCount: Int64 = 0, isSealed: Bool, isLoose: Bool = false) {
        self.name = name
        self.byteCount = byteCount
        self.beginByteCount = beginByteCount
        self.isSealed = isSealed
        self.isLoose = isLoose
    }
}
