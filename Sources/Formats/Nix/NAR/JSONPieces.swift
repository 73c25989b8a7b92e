/// Cuts JSON (RFC 8259) into its strings, words and marks as it comes in, whatever the pieces it comes in; what may stand
/// where is for the caller to know.
///
/// Strings come without their escapes, as bytes: those that are no UTF-8 pass as they are. Memory is one string or word.
struct JSONPieces: Sendable {
    enum Piece: CustomStringConvertible {
        /// One of `{}[]:,`.
        case mark(UInt8)
        case string([UInt8])
        /// A number, `true`, `false` or `null`; not checked beyond its characters.
        case word([UInt8])

        var description: String {
            switch self {
            case .mark(let byte): "\"\(Character(Unicode.Scalar(byte)))\""
            case .string: "a string"
            case .word(let bytes): String(decoding: bytes, as: UTF8.self)
            }
        }
    }

    private enum Step { case between, word, string, escape, digits }

    /// Bytes of a string, as those of a symbolic link's target; and of a word.
    private static let stringByteCountMax = NarReader.targetByteCountMax
    private static let wordByteCountMax = 40

    private var step = Step.between
    private var text: [UInt8] = []
    /// Of an escape `\uXXXX`: its value so far, and how many digits are still to come.
    private var unit: UInt32 = 0
    private var digitCount = 0
    /// The first half of a surrogate pair, whose second must follow at once; 0 where none waits.
    private var surrogate: UInt32 = 0
    /// How many bytes were read.
    private(set) var offset: Int64 = 0

    /// The next piece, or nil when `bytes` is used up.
    mutating func next(in bytes: UnsafeRawBufferPointer, at position: inout Int) throws(NarListingError) -> Piece? {
        while position < bytes.count {
            let byte = unsafe bytes[position]
            // A word ends at what follows it, which is read again.
            if step == .word, !JSONPieces.isWord(byte) { return endWord() }
            position += 1
            offset += 1
            if let piece = try take(byte) { return piece }
        }
        return nil
    }

    /// The word that the end of the document ends; nil where there is none. A string that has not ended is never given.
    mutating func finish() -> Piece? { step == .word ? endWord() : nil }

    private mutating func endWord() -> Piece {
        defer { text = [] }
        step = .between
        return .word(text)
    }

    private mutating func take(_ byte: UInt8) throws(NarListingError) -> Piece? {
        switch step {
        case .between:
            switch byte {
            case 0x20, 0x0a, 0x0d, 0x09: break
            case UInt8(ascii: "{"), UInt8(ascii: "}"), UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: ":"), UInt8(ascii: ","):
                return .mark(byte)
            case UInt8(ascii: "\""): step = .string
            case _ where JSONPieces.isWord(byte):
                step = .word
                text.append(byte)
            default: throw fail("no JSON has the byte \(byte) here")
            }
        case .word:
            if text.count == JSONPieces.wordByteCountMax { throw fail("a number or word is too long") }
            text.append(byte)
        case .string:
            if byte != UInt8(ascii: "\\"), surrogate != 0 { throw fail("a surrogate in a string has no partner") }
            switch byte {
            case UInt8(ascii: "\""):
                step = .between
                defer { text = [] }
                return .string(text)
            case UInt8(ascii: "\\"): step = .escape
            case ..<0x20: throw fail("a control character in a string is not escaped")
            default: try append(byte)
            }
        case .escape:
            if byte == UInt8(ascii: "u") {
                (step, unit, digitCount) = (.digits, 0, 4)
                return nil
            }
            guard surrogate == 0, let plain = JSONPieces.escapes[byte] else { throw fail("an escape in a string is unknown") }
            step = .string
            try append(plain)
        case .digits:
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 0x80 else {
                throw fail("an escape in a string is unknown")
            }
            unit = unit << 4 | UInt32(digit)
            digitCount -= 1
            if digitCount == 0 {
                step = .string
                try endUnit()
            }
        }
        return nil
    }

    /// A whole `\uXXXX`: a character, or half of one.
    private mutating func endUnit() throws(NarListingError) {
        var value = unit
        if surrogate != 0 {
            guard (0xdc00..<0xe000).contains(unit) else { throw fail("a surrogate in a string has no partner") }
            value = 0x10000 + ((surrogate - 0xd800) << 10 | (unit - 0xdc00))
            surrogate = 0
        } else if (0xd800..<0xdc00).contains(unit) {
            surrogate = unit
            return
        }
        guard let scalar = Unicode.Scalar(value) else { throw fail("a surrogate in a string has no partner") }
        for byte in String(Character(scalar)).utf8 { try append(byte) }
    }

    private mutating func append(_ byte: UInt8) throws(NarListingError) {
        if text.count == JSONPieces.stringByteCountMax {
            throw fail("a string has more than \(JSONPieces.stringByteCountMax) bytes")
        }
        text.append(byte)
    }

    private func fail(_ reason: String) -> NarListingError { NarListingError(offset: offset, reason: reason) }

    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "E"),
            UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."):
            true
        default: false
        }
    }

    private static let escapes: [UInt8: UInt8] = [
        UInt8(ascii: "\""): UInt8(ascii: "\""), UInt8(ascii: "\\"): UInt8(ascii: "\\"), UInt8(ascii: "/"): UInt8(ascii: "/"),
        UInt8(ascii: "b"): 0x08, UInt8(ascii: "f"): 0x0c, UInt8(ascii: "n"): 0x0a, UInt8(ascii: "r"): 0x0d, UInt8(ascii: "t"): 0x09,
    ]
}
