/// Memory for heads, one after another: the next head takes what the last one had, where nobody holds that any more.
package struct HeadSpace: Sendable {
    /// Of the last head; none before the first one.
    private var box: [RequestHead.Content] = []

    package init() {}

    /// Gives away what the last head had for its fields: an empty array, with room where nobody holds that head any more.
    fileprivate mutating func takeRanges() -> [FieldRange] {
        var ranges: [FieldRange] = []
        if !box.isEmpty { swap(&ranges, &box[0].fields.ranges) }
        ranges.removeAll(keepingCapacity: true)
        return ranges
    }

    /// Puts a head in, in the place of the last one.
    fileprivate mutating func put(
        _ meaning: RequestHead.Meaning, _ bytes: UnsafeBufferPointer<UInt8>, _ ranges: consuming [FieldRange]
    ) -> RequestHead {
        if box.isEmpty { box.append(RequestHead.Content(meaning: meaning, fields: HeadFields(bytes: [], ranges: []))) }
        unsafe box[0].become(meaning, bytes, &ranges)
        return RequestHead(box)
    }
}

extension RequestHead.Content {
    /// Becomes another head, in the memory that is there.
    fileprivate mutating func become(_ meaning: RequestHead.Meaning, _ bytes: UnsafeBufferPointer<UInt8>, _ ranges: inout [FieldRange]) {
        self.meaning = meaning
        fields.bytes.removeAll(keepingCapacity: true)
        unsafe fields.bytes.append(contentsOf: bytes)
        swap(&fields.ranges, &ranges)
    }
}

/// Parses the heads of requests that come one after another over a connection (RFC 9112, section 3).
///
/// A value without a buffer of its own: it is shown the bytes that are there, from the first byte of the head on,
/// as often as more have come, and remembers how far it has looked. After a head it starts anew.
package struct RequestParser: Sendable {
    package enum Outcome: Sendable {
        /// More bytes are needed. What was shown must be shown again, with more behind it.
        case incomplete
        /// The head, and how many of the bytes shown it took; the body begins there.
        case head(RequestHead, byteCount: Int)
    }

    private let limits: HeadLimits
    private var scanner: HeadScanner
    private var startLine: StartLine?

    /// What the first line said.
    private struct StartLine {
        let method: Method
        let methodRange: Range<Int>
        let target: TargetShape
        let version: HTTPVersion
    }

    package init(limits: HeadLimits) {
        self.limits = limits
        scanner = HeadScanner(limits: limits)
    }

    /// Looks at the bytes that are there, from the first one of the head on.
    ///
    /// - Returns: the head as soon as its last byte is there.
    /// - Throws: `ParseError` as soon as a line is wrong or a limit is passed; the parser is of no use after that.
    package mutating func parse(_ bytes: UnsafeRawBufferPointer) throws(ParseError) -> Outcome {
        var space = HeadSpace()
        return try unsafe parse(bytes, space: &space)
    }

    /// As `parse`, with memory to use for the head; see `HeadSpace`.
    package mutating func parse(_ bytes: UnsafeRawBufferPointer, space: inout HeadSpace) throws(ParseError) -> Outcome {
        guard let start = bytes.baseAddress, bytes.count > 0 else { return .incomplete }
        // A head is bytes and nothing else was ever bound to this memory.
        let base = unsafe start.assumingMemoryBound(to: UInt8.self)
        if !scanner.hasBegun { scanner.begin(fields: space.takeRanges()) }
        while true {
            switch try unsafe scanner.advance(base, bytes.count) {
            case .incomplete:
                // TLS on a plain port never sends a line end; its first byte is already none that a method has.
                let first = unsafe base[0]
                if startLine == nil, !isToken(first), first != Byte.carriageReturn { throw .malformedStartLine(at: 0) }
                return .incomplete
            case .startLine(let line):
                startLine = try unsafe Self.startLine(base, line)
            case .end(let byteCount):
                guard let line = startLine else { throw .malformedStartLine(at: 0) }
                let meaning = try RequestHead.Meaning(
                    method: line.method, methodRange: line.methodRange, target: line.target, version: line.version,
                    facts: scanner.facts)
                let head = unsafe space.put(
                    meaning, UnsafeBufferPointer(start: base, count: byteCount), scanner.takeFields())
                self = RequestParser(limits: limits)
                return .head(head, byteCount: byteCount)
            }
        }
    }

    /// `method SP request-target SP HTTP-version`, with one space each (RFC 9112, section 3).
    private static func startLine(
        _ base: UnsafePointer<UInt8>, _ line: Range<Int>
    ) throws(ParseError) -> StartLine {
        let end = line.upperBound
        var methodEnd = line.lowerBound
        while methodEnd < end, unsafe isToken(base[methodEnd]) { methodEnd &+= 1 }
        guard methodEnd > line.lowerBound, methodEnd < end, unsafe base[methodEnd] == Byte.space else {
            throw .malformedStartLine(at: methodEnd)
        }
        // The version is the last nine bytes with its space; whatever lies between is the target, which has no spaces.
        let versionStart = end - 8
        guard versionStart - 1 > methodEnd, unsafe base[versionStart - 1] == Byte.space else {
            throw .malformedStartLine(at: end)
        }
        // Before the target: the preface of HTTP/2 is `PRI * HTTP/2.0`.
        let version = try unsafe httpVersion(base, versionStart..<end)
        let methodRange = line.lowerBound..<methodEnd
        let method = unsafe Method(base, methodRange)
        let target = try unsafe TargetShape(
            base, methodEnd + 1..<versionStart - 1, allowsAsterisk: method == .options)
        return StartLine(method: method, methodRange: methodRange, target: target, version: version)
    }
}

/// `HTTP/1.0` or `HTTP/1.1` in eight bytes (RFC 9112, section 2.3).
func httpVersion(_ base: UnsafePointer<UInt8>, _ range: Range<Int>) throws(ParseError) -> HTTPVersion {
    let start = range.lowerBound
    guard range.count == 8, unsafe spells(base, start..<start + 5, "HTTP/"), unsafe isDigit(base[start + 5]),
        unsafe base[start + 6] == Byte.dot, unsafe isDigit(base[start + 7])
    else { throw .malformedStartLine(at: start) }
    guard unsafe base[start + 5] == Byte.zero + 1 else { throw .unsupportedVersion }
    return unsafe base[start + 7] == Byte.zero ? .http10 : .http11
}
