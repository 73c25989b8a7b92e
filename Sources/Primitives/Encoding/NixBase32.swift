/// Nix's own base 32 (nix/src/libutil/hash.cc): 32 characters without `e o u t`, and the byte string read as
/// one little-endian number whose highest five bits come first. 20 bytes give 32 characters, 32 give 52.
package enum NixBase32 {
    /// The characters of `bytes`; as many as `byteCount * 8 / 5`, rounded up.
    package static func encode(_ bytes: [UInt8]) -> String { String(decoding: encodeUTF8(bytes), as: UTF8.self) }

    /// The same as bytes of ASCII.
    package static func encodeUTF8(_ bytes: [UInt8]) -> [UInt8] {
        let count = characterCount(ofByteCount: bytes.count)
        var text: [UInt8] = []
        text.reserveCapacity(count)
        for position in 0..<count {
            let bit = (count - 1 - position) * 5
            let index = bit / 8
            let next = index + 1 < bytes.count ? UInt16(bytes[index + 1]) : 0
            let value = (next << 8 | UInt16(bytes[index])) >> UInt16(bit % 8) & 31
            unsafe text.append(alphabet.utf8Start[Int(value)])
        }
        return text
    }

    /// The bytes that `text` stands for; nil where a character is outside the alphabet, the length fits no
    /// whole number of bytes, or a bit beyond the last byte is set (Nix refuses those too).
    package static func decode(_ text: some StringProtocol) -> [UInt8]? { decode(utf8: Array(text.utf8)) }

    /// The same of a plain string: not generic, for the many that come in one request.
    package static func decode(_ text: String) -> [UInt8]? { decode(utf8: Array(text.utf8)) }

    /// The same of characters that are already bytes.
    package static func decode(utf8 text: [UInt8]) -> [UInt8]? {
        let byteCount = text.count * 5 / 8
        guard characterCount(ofByteCount: byteCount) == text.count else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(byteCount)
        // From the last character, which holds the lowest bits of the first byte.
        var bits: UInt32 = 0
        var bitCount: UInt32 = 0
        var position = text.count
        while position > 0 {
            position -= 1
            let digit = value(text[position])
            guard digit < 32 else { return nil }
            bits |= UInt32(digit) << bitCount
            bitCount += 5
            if bitCount >= 8 {
                bytes.append(UInt8(truncatingIfNeeded: bits))
                bits >>= 8
                bitCount -= 8
            }
        }
        return bits == 0 ? bytes : nil
    }

    /// Whether `character` is one of the 32: two masks, no table.
    package static func isCharacter(_ character: UInt8) -> Bool {
        character < 128 && (character < 64 ? digitMask >> UInt64(character) : letterMask >> UInt64(character - 64)) & 1 == 1
    }

    /// How many characters `byteCount` bytes take.
    package static func characterCount(ofByteCount byteCount: Int) -> Int { (byteCount * 8 + 4) / 5 }

    private static let alphabet: StaticString = "0123456789abcdfghijklmnpqrsvwxyz"

    /// Bits of `0` to `9`, by character.
    private static var digitMask: UInt64 { 0x03ff_0000_0000_0000 }

    /// Bits of the letters `a-d f-n p-s v-z`, by character less 64.
    private static var letterMask: UInt64 { 0x07cf_7fde_0000_0000 }

    /// The value of a character, 255 where it is none of the 32: how many of the alphabet stand before it.
    private static func value(_ character: UInt8) -> UInt8 {
        guard isCharacter(character) else { return 255 }
        if character < 64 { return character - UInt8(ascii: "0") }
        let before = letterMask & (1 << UInt64(character - 64) - 1)
        return 10 + UInt8(truncatingIfNeeded: before.nonzeroBitCount)
    }
}
