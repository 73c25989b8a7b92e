/// What a Range header asks of a representation whose size is known (RFC 9110, section 14).
package enum ByteRange: Hashable, Sendable {
    /// All of it, with 200: no range was asked for, or one that is ignored, as section 14.2 allows: malformed,
    /// of another unit, or several at once.
    case whole
    /// Those bytes, with 206; never empty and never past the end.
    case partial(Range<Int64>)
    /// Nothing of what was asked for exists: 416.
    case unsatisfiable

    /// Reads a header against the size of what is there.
    ///
    /// - Parameters:
    ///   - header: the value, `bytes=0-499`, `bytes=500-` or `bytes=-500`; nil where there is none.
    ///   - byteCount: of the whole representation.
    package init(_ header: String?, byteCount: Int64) {
        precondition(byteCount >= 0, "a size is never negative")
        self = header.flatMap { Self.parse(Array($0.utf8), byteCount) } ?? .whole
    }

    /// The value of Content-Range for this answer; nil with `whole`.
    package func contentRange(byteCount: Int64) -> String? {
        switch self {
        case .whole: nil
        case .partial(let range): "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(byteCount)"
        case .unsatisfiable: "bytes */\(byteCount)"
        }
    }

    /// `ranges-specifier` with one `range-spec`; nil where it is anything else.
    private static func parse(_ bytes: [UInt8], _ byteCount: Int64) -> ByteRange? {
        // Units are compared in any case (section 14.1).
        let unit = Array("bytes=".utf8)
        guard bytes.count > unit.count, zip(bytes, unit).allSatisfy({ lowered($0) == $1 }) else { return nil }
        var rest = bytes[unit.count...]
        while let first = rest.first, first == Byte.space || first == Byte.tab { rest.removeFirst() }
        while let last = rest.last, last == Byte.space || last == Byte.tab { rest.removeLast() }
        guard let dash = rest.firstIndex(of: Byte.dash) else { return nil }
        let (first, last) = (rest[..<dash], rest[(dash + 1)...])
        if first.isEmpty {
            guard !last.isEmpty, let suffix = number(last) else { return nil }
            if suffix == 0 { return .unsatisfiable }
            // Of an empty representation, the last bytes are all of it (section 14.1.2).
            return byteCount == 0 ? .whole : .partial(max(0, byteCount - suffix)..<byteCount)
        }
        guard let start = number(first) else { return nil }
        if last.isEmpty { return start < byteCount ? .partial(start..<byteCount) : .unsatisfiable }
        guard let end = number(last), end >= start else { return nil }
        return start < byteCount ? .partial(start..<min(end, byteCount - 1) + 1) : .unsatisfiable
    }

    /// Digits and nothing else; what does not fit counts as the largest number there is.
    private static func number(_ digits: ArraySlice<UInt8>) -> Int64? {
        var value: Int64 = 0
        for byte in digits {
            guard isDigit(byte) else { return nil }
            let (tenfold, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = tenfold.addingReportingOverflow(Int64(byte - Byte.zero))
            value = overflow || carry ? .max : sum
        }
        return value
    }
}
