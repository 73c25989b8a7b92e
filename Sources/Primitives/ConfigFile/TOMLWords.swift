/// Numbers as TOML 1.0.0 writes them ("Integer" and "Float").
enum TOMLNumber {
    /// The number that a word is; nil where it is none.
    ///
    /// - Parameter fail: makes the error for an integer that does not fit 64 bits.
    static func read(_ word: String, _ fail: (String) -> ConfigFileError) throws(ConfigFileError) -> TOMLNode? {
        let bytes = Array(word.utf8)
        let hasSign = bytes.first == UInt8(ascii: "+") || bytes.first == UInt8(ascii: "-")
        let rest = hasSign ? bytes.dropFirst() : bytes[...]
        for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] where !hasSign && rest.starts(with: prefix.utf8) {
            guard let digits = digits(rest.dropFirst(2), radix: radix) else { return nil }
            guard let value = Int64(digits, radix: radix) else { throw fail("this number does not fit 64 bits") }
            return .integer(value)
        }
        let sign = bytes.first == UInt8(ascii: "-") ? "-" : ""
        switch String(decoding: rest, as: UTF8.self) {
        case "inf": return .number(sign.isEmpty ? .infinity : -.infinity)
        case "nan": return .number(.nan)
        default: break
        }
        // DIGITS [. DIGITS] [e [sign] DIGITS], an underscore between digits only, and no zero in front.
        let mantissaEnd = rest.firstIndex { $0 | 0x20 == UInt8(ascii: "e") } ?? rest.endIndex
        let point = rest[..<mantissaEnd].firstIndex(of: UInt8(ascii: ".")) ?? mantissaEnd
        guard let whole = digits(rest[..<point], radix: 10), whole.utf8.count == 1 || !whole.hasPrefix("0") else { return nil }
        if point == rest.endIndex {
            guard let value = Int64(sign + whole) else { throw fail("this number does not fit 64 bits") }
            return .integer(value)
        }
        var text = sign + whole
        if point < mantissaEnd {
            guard let fraction = digits(rest[(point + 1)..<mantissaEnd], radix: 10) else { return nil }
            text += "." + fraction
        }
        if mantissaEnd < rest.endIndex {
            var exponent = rest[(mantissaEnd + 1)...]
            text += "e"
            if let first = exponent.first, first == UInt8(ascii: "+") || first == UInt8(ascii: "-") {
                text += first == UInt8(ascii: "-") ? "-" : ""
                exponent = exponent.dropFirst()
            }
            guard let exponent = digits(exponent, radix: 10) else { return nil }
            text += exponent
        }
        return Double(text).map { .number($0) }
    }

    /// Digits without their underscores; nil where there is something else, or an underscore that does not stand between two digits.
    private static func digits(_ bytes: ArraySlice<UInt8>, radix: Int) -> String? {
        var digits: [UInt8] = []
        var isBetween = false
        for byte in bytes {
            if byte == UInt8(ascii: "_") {
                guard isBetween else { return nil }
                isBetween = false
            } else {
                guard let value = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 0x80, value < radix else { return nil }
                digits.append(byte)
                isBetween = true
            }
        }
        return isBetween ? String(decoding: digits, as: UTF8.self) : nil
    }
}

/// Dates and times as TOML 1.0.0 writes them, which are those of RFC 3339: known to be such, and never read.
enum TOMLMoment {
    /// A date, a time, or both, with an offset or without.
    static func isMoment(_ word: String) -> Bool {
        if isDate(word) { return true }
        let bytes = Array(word.utf8)
        if bytes.count > 11, isDate(String(decoding: bytes[..<10], as: UTF8.self)), bytes[10] | 0x20 == UInt8(ascii: "t") {
            return isTime(bytes[11...], mayHaveOffset: true)
        }
        return isTime(bytes[...], mayHaveOffset: false)
    }

    /// `1979-05-27`
    static func isDate(_ word: String) -> Bool {
        let bytes = Array(word.utf8)
        guard bytes.count == 10, bytes[4] == UInt8(ascii: "-"), bytes[7] == UInt8(ascii: "-"), let year = number(bytes[..<4]),
            let month = number(bytes[5..<7]), let day = number(bytes[8...]), (1...12).contains(month)
        else { return false }
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let days = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        return (1...days[month - 1]).contains(day)
    }

    /// `07:32:00.999`, with `Z` or `-07:00` behind it where that is allowed.
    private static func isTime(_ bytes: ArraySlice<UInt8>, mayHaveOffset: Bool) -> Bool {
        guard bytes.count >= 8, isClock(bytes.prefix(5)), bytes[bytes.startIndex + 5] == UInt8(ascii: ":"),
            let second = number(bytes.dropFirst(6).prefix(2)), second <= 60
        else { return false }
        var rest = bytes.dropFirst(8)
        if rest.first == UInt8(ascii: ".") {
            let fraction = rest.dropFirst().prefix { (0x30...0x39).contains($0) }
            if fraction.isEmpty { return false }
            rest = rest.dropFirst(1 + fraction.count)
        }
        if rest.isEmpty { return true }
        guard mayHaveOffset, let first = rest.first else { return false }
        if first | 0x20 == UInt8(ascii: "z") { return rest.count == 1 }
        return (first == UInt8(ascii: "+") || first == UInt8(ascii: "-")) && isClock(rest.dropFirst())
    }

    /// `07:32`
    private static func isClock(_ bytes: ArraySlice<UInt8>) -> Bool {
        guard bytes.count == 5, bytes[bytes.startIndex + 2] == UInt8(ascii: ":"), let hour = number(bytes.prefix(2)),
            let minute = number(bytes.suffix(2))
        else { return false }
        return hour <= 23 && minute <= 59
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> Int? {
        digits.allSatisfy { (0x30...0x39).contains($0) } ? Int(String(decoding: digits, as: UTF8.self)) : nil
    }
}

extension Unicode.Scalar {
    var isDigit: Bool { ("0"..."9").contains(self) }
}
