/// What a request asks for: path and query (RFC 9112, section 3.2).
///
/// Accepted are the origin form `/a/b?q`, the absolute form `http://host/a/b?q`, and `*` (with OPTIONS). The path
/// is checked once, when the head is parsed, so that its segments can be trusted later: no segment is `.` or `..`, also not
/// written with escapes, and none has a slash, a NUL or another control character in it. The query is kept raw.
package struct Target: Sendable, Hashable, CustomStringConvertible {
    private let bytes: [UInt8]
    private let shape: TargetShape

    init(bytes: [UInt8], shape: TargetShape) {
        self.bytes = bytes
        self.shape = shape
    }

    /// Checks a target given as text, as it would stand in a request of a method other than OPTIONS.
    ///
    /// - Throws: `ParseError.malformedTarget`.
    package init(_ text: String) throws(ParseError) {
        let bytes = Array(text.utf8)
        shape = try unsafe bytes.span.withUnsafeBufferPointer { buffer throws(ParseError) in
            guard let base = buffer.baseAddress else { throw .malformedTarget(.unknownForm) }
            return try unsafe TargetShape(base, 0..<buffer.count, allowsAsterisk: false)
        }
        self.bytes = bytes
    }

    /// The path as it was sent, still percent-encoded; `/` where an absolute URL has none, `*` for the asterisk.
    package var path: String { shape.path.isEmpty ? "/" : string(shape.path) }

    /// What follows the first question mark, as it was sent; nil where there is none.
    package var query: String? { shape.query.map(string) }

    /// Host and port of the absolute form; nil in the others.
    package var authority: String? { shape.authority.map(string) }

    /// The segments of the path, percent-decoded: `/a/b%20c` is `a`, `b c`. `/` has none; a path that ends in a slash
    /// ends with an empty segment, and `//` has one in the middle.
    package var segments: [String] {
        if shape.isAsterisk { return [] }
        return unsafe withBase(bytes) { base in
            unsafe shape.segmentRanges(base).map { range in
                if !shape.hasEscapes { return unsafe text(base, range) }
                // Checked when the target was made.
                return unsafe String(decoding: decoded(base, range) ?? [], as: UTF8.self)
            }
        } ?? []
    }

    /// As it was sent, from the path on.
    package var description: String { query.map { "\(path)?\($0)" } ?? path }

    package static func == (left: Target, right: Target) -> Bool {
        left.path == right.path && left.query == right.query && left.authority == right.authority
    }
    package func hash(into hasher: inout Hasher) {
        hasher.combine(path)
        hasher.combine(query)
        hasher.combine(authority)
    }

    private func string(_ range: Range<Int>) -> String { unsafe withBase(bytes) { unsafe text($0, range) } ?? "" }
}

/// Where the parts of a target stand in the bytes around it; making one is the check.
struct TargetShape: Sendable {
    let path: Range<Int>
    let query: Range<Int>?
    let authority: Range<Int>?
    /// The path has percent signs, all of them followed by two digits that decode to something allowed.
    let hasEscapes: Bool
    let isAsterisk: Bool

    init(_ base: UnsafePointer<UInt8>, _ range: Range<Int>, allowsAsterisk: Bool) throws(ParseError) {
        var start = range.lowerBound
        let end = range.upperBound
        guard start < end else { throw .malformedTarget(.unknownForm) }
        var authority: Range<Int>?
        if unsafe base[start] != Byte.slash {
            if allowsAsterisk, unsafe spells(base, range, "*") {
                (path, query, self.authority, hasEscapes, isAsterisk) = (range, nil, nil, false, true)
                return
            }
            let found = try unsafe Self.authority(base, range)
            authority = found
            start = found.upperBound
        }
        var index = start
        var hasEscapes = false
        var mayHaveDots = false
        while index < end {
            if end &- index >= 8, unsafe isOrdinaryPath(base, index, start: start) {
                index &+= 8
                continue
            }
            // The last few once more with those before them.
            if end &- index < 8, end &- start >= 8, unsafe isOrdinaryPath(base, end &- 8, start: start) {
                index = end
                break
            }
            let byte = unsafe base[index]
            if !isPlain(byte) {
                // RFC 3986 allows less; what else is visible does no harm here, and clients send it.
                guard isVisible(byte) else { throw .malformedTarget(.forbiddenByte) }
                if byte == Byte.question { break }
                if byte == Byte.percent { hasEscapes = true }
                if byte == Byte.dot && index > start, unsafe base[index &- 1] == Byte.slash { mayHaveDots = true }
            }
            index &+= 1
        }
        path = start..<index
        query = index < end ? index + 1..<end : nil
        while index < end {
            guard unsafe isVisible(base[index]) else { throw .malformedTarget(.forbiddenByte) }
            index &+= 1
        }
        self.authority = authority
        self.hasEscapes = hasEscapes
        isAsterisk = false
        if hasEscapes || mayHaveDots { try unsafe checkSegments(base) }
    }

    /// The authority of `http://authority/…`; `https` too, which a proxy in front may have spoken.
    private static func authority(_ base: UnsafePointer<UInt8>, _ range: Range<Int>) throws(ParseError) -> Range<Int> {
        let schemes: [StaticString] = ["http://", "https://"]
        for scheme in schemes {
            let start = range.lowerBound + scheme.utf8CodeUnitCount
            guard start <= range.upperBound else { continue }
            guard unsafe spellsAnyCase(base, range.lowerBound..<start, scheme) else { continue }
            var end = start
            while end < range.upperBound, unsafe base[end] != Byte.slash && base[end] != Byte.question { end += 1 }
            guard end > start, unsafe isHost(base, start..<end) else { throw .malformedTarget(.badAuthority) }
            return start..<end
        }
        throw .malformedTarget(.unknownForm)
    }

    /// Where the segments stand, still encoded.
    func segmentRanges(_ base: UnsafePointer<UInt8>) -> [Range<Int>] {
        var ranges: [Range<Int>] = []
        guard path.count > 1 else { return ranges }
        var start = path.lowerBound + 1
        for index in start..<path.upperBound where unsafe base[index] == Byte.slash {
            ranges.append(start..<index)
            start = index + 1
        }
        ranges.append(start..<path.upperBound)
        return ranges
    }

    private func checkSegments(_ base: UnsafePointer<UInt8>) throws(ParseError) {
        for range in unsafe segmentRanges(base) {
            guard let segment = unsafe decoded(base, range) else { throw .malformedTarget(.badEscape) }
            if segment == [Byte.dot] || segment == [Byte.dot, Byte.dot] { throw .malformedTarget(.dotSegment) }
            for byte in segment where byte < Byte.space || byte == Byte.delete || byte == Byte.slash {
                throw .malformedTarget(.forbiddenEscape)
            }
            if String(validating: segment, as: UTF8.self) == nil { throw .malformedTarget(.notUnicode) }
        }
    }
}

/// The bytes of a segment with its escapes undone (RFC 3986, section 2.1); nil where one is malformed.
private func decoded(_ base: UnsafePointer<UInt8>, _ range: Range<Int>) -> [UInt8]? {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(range.count)
    var index = range.lowerBound
    while index < range.upperBound {
        let byte = unsafe base[index]
        if byte == Byte.percent {
            guard index + 2 < range.upperBound, let high = unsafe hexDigit(base[index + 1]),
                let low = unsafe hexDigit(base[index + 2])
            else { return nil }
            bytes.append(high << 4 | low)
            index += 3
        } else {
            bytes.append(byte)
            index += 1
        }
    }
    return bytes
}
