/// The name of a pack: 128 random bits, written as 32 lower-case hexadecimal characters.
///
/// Names are random and never used twice, so a pack that was removed cannot be confused with a later one.
package struct PackName: Hashable, Sendable, Comparable, CustomStringConvertible {
    private let high: UInt64
    private let low: UInt64

    /// A name that no pack has: the kernel's random bits.
    package static func random() -> PackName {
        PackName(high: .random(in: .min ... .max), low: .random(in: .min ... .max))
    }

    private init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Reads a name; nil unless `text` is exactly 32 characters of `0-9a-f`.
    package init?(_ text: some StringProtocol) {
        var words: (UInt64, UInt64) = (0, 0)
        var count = 0
        for byte in text.utf8 {
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
            default: return nil
            }
            words.0 = words.0 << 4 | words.1 >> 60
            words.1 = words.1 << 4 | UInt64(digit)
            count += 1
            if count > 32 { return nil }
        }
        guard count == 32 else { return nil }
        self.init(high: words.0, low: words.1)
    }

    /// The 32 characters.
    package var text: String { Self.hex(high) + Self.hex(low) }

    package var description: String { text }

    package static func < (left: PackName, right: PackName) -> Bool { (left.high, left.low) < (right.high, right.low) }

    private static func hex(_ word: UInt64) -> String {
        let digits = String(word, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }
}

/// Where stored bytes lie: a run of `byteCount` bytes at `offset` of a pack.
package struct Extent: Sendable, Hashable {
    package let pack: PackName
    package let offset: Int64
    package let byteCount: Int64

    package init(pack: PackName, offset: Int64, byteCount: Int64) {
        precondition(offset >= 0 && byteCount >= 0, "an extent lies inside its pack")
        self.pack = pack
        self.offset = offset
        self.byteCount = byteCount
    }

    /// The first byte after it.
    package var end: Int64 { offset + byteCount }

    /// The same bytes as several extents of `most` bytes, the last of what is left.
    func pieces(ofAtMost most: Int64) -> [Extent] {
        stride(from: 0, to: byteCount, by: Int64.Stride(most)).map { start in
            Extent(pack: pack, offset: offset + start, byteCount: min(most, byteCount - start))
        }
    }
}
