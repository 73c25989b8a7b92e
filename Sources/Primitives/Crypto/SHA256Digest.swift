import Encoding

/// A SHA-256 digest: of a NAR, a chunk, a stored file. Four words, so that it is kept in a table without allocation.
package struct SHA256Digest: Hashable, Sendable, Comparable, CustomStringConvertible {
    package static let byteCount = 32

    // Big-endian, so that comparing the words in order compares the bytes.
    private let first, second, third, fourth: UInt64

    /// Nil where `bytes` are not exactly 32.
    package init?(_ bytes: some Collection<UInt8>) {
        let bytes = Array(bytes)
        guard bytes.count == Self.byteCount else { return nil }
        self = unsafe bytes.span.withUnsafeBytes { unsafe SHA256Digest(exactly: $0) }
    }

    /// Of a buffer of at least 32 bytes; the first 32 count.
    package init(exactly buffer: UnsafeRawBufferPointer) {
        precondition(buffer.count >= Self.byteCount, "a SHA-256 digest has 32 bytes")
        first = unsafe UInt64(bigEndian: buffer.loadUnaligned(fromByteOffset: 0, as: UInt64.self))
        second = unsafe UInt64(bigEndian: buffer.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        third = unsafe UInt64(bigEndian: buffer.loadUnaligned(fromByteOffset: 16, as: UInt64.self))
        fourth = unsafe UInt64(bigEndian: buffer.loadUnaligned(fromByteOffset: 24, as: UInt64.self))
    }

    /// The 32 bytes.
    package var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Self.byteCount)
        for word in [first, second, third, fourth] {
            for shift in stride(from: UInt64(56), through: 0, by: -8) {
                bytes.append(UInt8(truncatingIfNeeded: word >> shift))
            }
        }
        return bytes
    }

    /// 64 characters of lower-case hex.
    package var hex: String { Hex.encode(bytes) }

    /// 52 characters of Nix's base 32.
    package var base32: String { NixBase32.encode(bytes) }

    package var description: String { hex }

    /// In the order of the bytes, as `memcmp` has it.
    package static func < (left: SHA256Digest, right: SHA256Digest) -> Bool {
        (left.first, left.second, left.third, left.fourth) < (right.first, right.second, right.third, right.fourth)
    }
}
