/// Why a duration is not one.
package struct DurationError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What was given.
    package let text: String
    /// What is wrong with it: `needs a unit after 3`.
    package let reason: String

    package var description: String { "\"\(text)\" is not a duration: \(reason); \(DurationWords.allowed)" }
}

/// Durations as people write them: `3 months`, `12 hours`, `1y`, `2 years 3 days`, `0`.
///
/// The grammar and the lengths are those of Rust's humantime, which the known configurations were written for: pairs
/// of a whole number and a unit, added up, spaces where one likes; a month is 30.44 days, a year 365.25 days.
package enum DurationWords {
    /// What a duration may be, in words, for messages.
    package static let allowed =
        "write a number and a unit, as in \"30 s\", \"15 minutes\", \"12 hours\", \"2 days\", \"1 week\", \"3 months\", "
        + "\"1 year 3 days\", or \"0\""

    /// The units, longest first, with their seconds and all spellings; `words` writes the first two (one, many).
    private static let units: [(seconds: Int64, names: [String])] = [
        (31_557_600, ["year", "years", "yr", "yrs", "y"]),
        (2_630_016, ["month", "months", "M"]),
        (604_800, ["week", "weeks", "wk", "wks", "w"]),
        (86_400, ["day", "days", "d"]),
        (3_600, ["hour", "hours", "hr", "hrs", "h"]),
        (60, ["minute", "minutes", "min", "mins", "m"]),
        (1, ["second", "seconds", "sec", "secs", "s"]),
    ]

    /// The seconds that `text` stands for; never negative.
    package static func parse(_ text: String) throws(DurationError) -> Int64 {
        func refused(_ reason: String) -> DurationError { DurationError(text: text, reason: reason) }
        let bytes = Array(text.utf8)
        var total: Int64 = 0
        var index = 0
        var pairCount = 0

        func skipSpaces() { while index < bytes.count, bytes[index] == 0x20 || bytes[index] == 0x09 { index += 1 } }
        func take(while isWanted: (UInt8) -> Bool) -> String {
            let start = index
            while index < bytes.count, isWanted(bytes[index]) { index += 1 }
            return String(decoding: bytes[start..<index], as: UTF8.self)
        }

        skipSpaces()
        while index < bytes.count {
            let digits = take { (0x30...0x39).contains($0) }
            if digits.isEmpty { throw refused("expected a whole number at character \(index + 1)") }
            guard let number = Int64(digits) else { throw refused("\(digits) is too large") }
            skipSpaces()
            let word = take { (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0) }
            if word.isEmpty {
                // A zero needs no unit, where it stands alone.
                if number == 0, pairCount == 0, index == bytes.count { return 0 }
                throw refused("needs a unit after \(digits)")
            }
            guard let unit = units.first(where: { $0.names.contains(word) }) else {
                throw refused("\"\(word)\" is no unit")
            }
            let (product, tooLong) = number.multipliedReportingOverflow(by: unit.seconds)
            let (sum, overflow) = total.addingReportingOverflow(product)
            if tooLong || overflow { throw refused("it is too long") }
            total = sum
            pairCount += 1
            skipSpaces()
        }
        if pairCount == 0 { throw refused("it is empty") }
        return total
    }

    /// The duration in words that `parse` reads back: `1 year 3 days`, `90 seconds` as `1 minute 30 seconds`, and
    /// `0 seconds`. Weeks are written as days.
    package static func words(_ seconds: Int64) -> String {
        precondition(seconds >= 0, "a duration is never negative")
        var rest = seconds
        var parts: [String] = []
        for unit in units where unit.seconds != 604_800 {
            let count = rest / unit.seconds
            rest %= unit.seconds
            if count > 0 { parts.append("\(count) \(unit.names[count == 1 ? 0 : 1])") }
        }
        return parts.isEmpty ? "0 seconds" : parts.joined(separator: " ")
    }
}
