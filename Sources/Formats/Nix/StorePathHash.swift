import Encoding

/// The 32 characters of Nix base-32 that a store path begins with; what a narinfo is asked for by.
///
/// The characters are kept as four words, so that comparing and hashing allocate nothing. The order is that of the text.
package struct StorePathHash: Hashable, Sendable, Comparable, CustomStringConvertible {
    package static let characterCount = 32

    /// Eight characters each, the first in the highest byte.
    private let words: (UInt64, UInt64, UInt64, UInt64)

    /// Nil where it is not 32 characters of the alphabet.
    package init?(_ text: some StringProtocol) { self.init(utf8: Array(text.utf8.prefix(Self.characterCount + 1))) }

    /// The same of characters that are already bytes.
    package init?(utf8 text: [UInt8]) {
        let word = unsafe text.span.withUnsafeBytes { unsafe Self.words(of: $0) }
        guard let word else { return nil }
        words = word
    }

    /// The same of characters in place, as a server has them in a request.
    package init?(utf8 text: UnsafeRawBufferPointer) {
        guard let word = unsafe Self.words(of: text) else { return nil }
        words = word
    }

    private static func words(of text: UnsafeRawBufferPointer) -> (UInt64, UInt64, UInt64, UInt64)? {
        guard text.count == characterCount else { return nil }
        for index in 0..<characterCount where unsafe !NixBase32.isCharacter(text[index]) { return nil }
        return unsafe (
            UInt64(bigEndian: text.loadUnaligned(fromByteOffset: 0, as: UInt64.self)),
            UInt64(bigEndian: text.loadUnaligned(fromByteOffset: 8, as: UInt64.self)),
            UInt64(bigEndian: text.loadUnaligned(fromByteOffset: 16, as: UInt64.self)),
            UInt64(bigEndian: text.loadUnaligned(fromByteOffset: 24, as: UInt64.self))
        )
    }

    /// The 32 characters as bytes of ASCII.
    package var utf8: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Self.characterCount)
        for word in [words.0, words.1, words.2, words.3] {
            for shift in stride(from: UInt64(56), through: 0, by: -8) { bytes.append(UInt8(truncatingIfNeeded: word >> shift)) }
        }
        return bytes
    }

    /// The 32 characters.
    package var description: String { String(decoding: utf8, as: UTF8.self) }

    package static func == (left: Self, right: Self) -> Bool { left.words == right.words }
    package static func < (left: Self, right: Self) -> Bool { left.words < right.words }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(words.0)
        hasher.combine(words.1)
        hasher.combine(words.2)
        hasher.combine(words.3)
    }
}
