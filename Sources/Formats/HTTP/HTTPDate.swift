/// Dates as HTTP writes them (IMF-fixdate, RFC 9110, section 5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`.
package enum HTTPDate {
    /// What can be rendered: the years 1 to 9999, which four digits can say.
    package static let secondsSince1970: ClosedRange<Int64> = -62_135_596_800...253_402_300_799

    /// Renders a moment.
    ///
    /// - Parameter seconds: since 1970, UTC. What is not in `secondsSince1970` traps.
    package static func render(secondsSince1970 seconds: Int64) -> String {
        let day = floorDivide(seconds, by: 86_400)
        let secondOfDay = seconds - day * 86_400
        let (year, month, dayOfMonth) = civil(daysSince1970: day)
        precondition((1...9999).contains(year), "a date of HTTP lies in the years 1 to 9999")
        // 1 January 1970 was a Thursday.
        let weekday = Int(day + 4 - floorDivide(day + 4, by: 7) * 7)
        let weekdays: [String] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months: [String] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let time = [secondOfDay / 3600, secondOfDay / 60 % 60, secondOfDay % 60].map { padded($0, 2) }
        return "\(weekdays[weekday]), \(padded(dayOfMonth, 2)) \(months[Int(month) - 1]) \(padded(year, 4)) "
            + time.joined(separator: ":") + " GMT"
    }

    /// Reads such a date; nil where the text is written in any other way.
    ///
    /// - Returns: seconds since 1970, UTC.
    package static func parse(_ text: String) -> Int64? {
        let bytes = Array(text.utf8)
        guard bytes.count == 29 else { return nil }
        func number(_ range: Range<Int>) -> Int64? { Int64(String(decoding: bytes[range], as: UTF8.self)) }
        let months = Array("JanFebMarAprMayJunJulAugSepOctNovDec".utf8)
        guard let month = stride(from: 0, to: 36, by: 3).first(where: { months[$0..<$0 + 3] == bytes[8..<11] }),
            let day = number(5..<7), let year = number(12..<16), let hour = number(17..<19), let minute = number(20..<22),
            let second = number(23..<25), (1...9999).contains(year)
        else { return nil }
        // The inverse of `civil`: years that begin in March.
        let shifted = month / 3 < 2 ? year - 1 : year
        let dayOfYear = (153 * ((Int64(month / 3) + 10) % 12) + 2) / 5 + day - 1
        let days = shifted * 365 + floorDivide(shifted, by: 4) - floorDivide(shifted, by: 100) + floorDivide(shifted, by: 400)
        let seconds = (days + dayOfYear - 719_468) * 86_400 + hour * 3600 + minute * 60 + second
        // What is no date (31 April, a wrong weekday, other separators) reads as another one.
        guard secondsSince1970.contains(seconds), render(secondsSince1970: seconds) == text else { return nil }
        return seconds
    }

    /// Year, month and day of the Gregorian calendar.
    ///
    /// Years are counted from 1 March, so that the leap day is the last of its year, in eras of 400 years, which all
    /// have 146,097 days; within one, the year follows from the day without a table.
    private static func civil(daysSince1970: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let day = daysSince1970 + 719_468
        let era = floorDivide(day, by: 146_097)
        let dayOfEra = day - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        // Months from March on have 31, 30, 31, 30, 31 days, over and over: 153 in five.
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let dayOfMonth = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfMonth)
    }

    private static func floorDivide(_ value: Int64, by divisor: Int64) -> Int64 {
        value >= 0 ? value / divisor : (value - divisor + 1) / divisor
    }

    private static func padded(_ value: Int64, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
