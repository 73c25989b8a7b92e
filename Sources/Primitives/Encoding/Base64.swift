/// Base 64: the padded alphabet of RFC 4648, section 4, and the one for URLs of section 5 without padding,
/// as JSON Web Tokens have it (RFC 7515, section 2).
///
/// Reading is strict: no white space, no characters of the other alphabet, padding exactly where it belongs,
/// and unused bits zero. So every byte string has one spelling, and a signature cannot be respelled.
package enum Base64 {
    /// `bytes` in the padded alphabet.
    package static func encode(_ bytes: [UInt8]) -> String { encode(bytes, alphabet: standardAlphabet, isPadded: true) }

    /// `bytes` in the alphabet for URLs, without padding.
    package static func encodeURL(_ bytes: [UInt8]) -> String { encode(bytes, alphabet: urlAlphabet, isPadded: false) }

    /// The bytes of padded `text`; nil where it is not exactly what `encode` writes.
    package static func decode(_ text: some StringProtocol) -> [UInt8]? {
        let characters = Array(text.utf8)
        guard characters.count % 4 == 0 else { return nil }
        let padding = UInt8(ascii: "=")
        var count = characters.count
        // At most two; a third is found as a character outside the alphabet.
        if count > 0, characters[count - 1] == padding { count -= 1 }
        if count > 0, count < characters.count, characters[count - 1] == padding { count -= 1 }
        return decode(characters[..<count], extra62: UInt8(ascii: "+"), extra63: UInt8(ascii: "/"))
    }

    /// The bytes of `text` in the alphabet for URLs; nil where it is not exactly what `encodeURL` writes.
    package static func decodeURL(_ text: some StringProtocol) -> [UInt8]? {
        decode(Array(text.utf8)[...], extra62: UInt8(ascii: "-"), extra63: UInt8(ascii: "_"))
    }

    // MARK: The loops

    private static func encode(_ bytes: [UInt8], alphabet: StaticString, isPadded: Bool) -> String {
        let digits = unsafe UnsafeBufferPointer(start: alphabet.utf8Start, count: 64)
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        var index = 0
        while index + 3 <= bytes.count {
            let group = Int(bytes[index]) << 16 | Int(bytes[index + 1]) << 8 | Int(bytes[index + 2])
            unsafe text.append(digits[group >> 18])
            unsafe text.append(digits[group >> 12 & 63])
            unsafe text.append(digits[group >> 6 & 63])
            unsafe text.append(digits[group & 63])
            index += 3
        }
        switch bytes.count - index {
        case 1:
            let group = Int(bytes[index])
            unsafe text.append(digits[group >> 2])
            unsafe text.append(digits[group << 4 & 63])
            if isPadded { text += [UInt8(ascii: "="), UInt8(ascii: "=")] }
        case 2:
            let group = Int(bytes[index]) << 8 | Int(bytes[index + 1])
            unsafe text.append(digits[group >> 10])
            unsafe text.append(digits[group >> 4 & 63])
            unsafe text.append(digits[group << 2 & 63])
            if isPadded { text.append(UInt8(ascii: "=")) }
        default:
            break
        }
        return String(decoding: text, as: UTF8.self)
    }

    private static func decode(_ text: ArraySlice<UInt8>, extra62: UInt8, extra63: UInt8) -> [UInt8]? {
        // One character over a group of four holds six bits: less than a byte.
        guard text.count % 4 != 1 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count * 3 / 4)
        var bits: UInt32 = 0
        var bitCount = 0
        for character in text {
            let value: UInt8
            switch character {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = character - UInt8(ascii: "A")
            case UInt8(ascii: "a")...UInt8(ascii: "z"): value = character - UInt8(ascii: "a") + 26
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = character - UInt8(ascii: "0") + 52
            case extra62: value = 62
            case extra63: value = 63
            default: return nil
            }
            bits = bits << 6 | UInt32(value)
            bitCount += 6
            if bitCount >= 8 {
                bitCount -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(bitCount)))
                bits &= (1 << UInt32(bitCount)) - 1
            }
        }
        // RFC 4648, section 3.5: pad bits must be zero in the canonical encoding.
        return bits == 0 ? bytes : nil
    }

    private static let standardAlphabet: StaticString =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    private static let urlAlphabet: StaticString =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
}
