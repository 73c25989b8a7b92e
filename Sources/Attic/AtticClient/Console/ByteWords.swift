/// Numbers as people read them.
package enum ByteWords {
    private static let units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]

    /// `512 B`, `1.00 KiB`, `52.89 MiB`: two digits behind the point, rounded half up.
    package static func words(_ byteCount: Int64) -> String {
        precondition(byteCount >= 0, "a number of bytes is never negative")
        if byteCount < 1024 { return "\(byteCount) B" }
        var unit = 0
        var size: Int64 = 1024
        while unit + 1 < units.count, byteCount / size >= 1024 {
            size *= 1024
            unit += 1
        }
        return "\(hundredths(byteCount, of: size)) \(units[unit])"
    }

    /// `52.89 MiB/s`. What took no time at all is taken to have taken a microsecond.
    package static func rate(_ byteCount: Int64, in elapsed: Duration) -> String {
        let microseconds = max(elapsed.wholeNanoseconds / 1000, 1)
        let perSecond = Double(byteCount) * 1_000_000 / Double(microseconds)
        return "\(words(perSecond < Double(Int64.max / 2) ? Int64(perSecond) : Int64.max / 2))/s"
    }

    /// `40.0%` of 0.4: one digit behind the point.
    package static func percent(_ fraction: Double) -> String {
        let thousandths = Int((min(max(fraction, 0), 1) * 1000).rounded())
        return "\(thousandths / 10).\(thousandths % 10)%"
    }

    /// The quotient with two digits, without fractions of Double.
    private static func hundredths(_ value: Int64, of size: Int64) -> String {
        let whole = value / size
        let rest = value % size
        // 100 times an exbibyte's rest does not fit: its low bits do not show.
        let scaled = size > 1 << 50 ? ((rest >> 10) * 100 + (size >> 11)) / (size >> 10) : (rest * 100 + size / 2) / size
        let (digits, carry) = scaled == 100 ? (Int64(0), Int64(1)) : (scaled, Int64(0))
        return "\(whole + carry).\(digits < 10 ? "0" : "")\(digits)"
    }
}
