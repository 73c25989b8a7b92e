/// The head of an answer: its bytes, kept once, and where things stand in them.
package struct ResponseHead: MessageHead {
    package let status: Status
    package let version: HTTPVersion
    /// Whether the server lets the connection live on after this answer, as far as its headers say.
    package let keepsAlive: Bool
    private let facts: HeadFacts
    private let reasonRange: Range<Int>
    private let fields: HeadFields

    init(
        status: Status, reasonRange: Range<Int>, version: HTTPVersion, facts: HeadFacts, fields: HeadFields
    ) throws(ParseError) {
        try facts.refuseAmbiguity(version: version)
        self.status = status
        self.reasonRange = reasonRange
        self.version = version
        self.facts = facts
        self.fields = fields
        keepsAlive = facts.keepsAlive(version: version)
    }

    /// The phrase that came with the status; often empty.
    package var reason: String { fields.string(reasonRange) }

    /// The header lines in their order.
    package var headers: HeaderLines { HeaderLines(fields: fields) }

    /// What Content-Length says; about the body only where `bodyFraming` says so too (an answer to HEAD has none).
    package var contentLength: Int64? { facts.contentLength }

    /// How the body that follows ends, when this answers a request of that method (RFC 9112, section 6.3).
    package func bodyFraming(answering method: Method) -> ResponseFraming {
        if method == .head || status.neverHasBody { return .none }
        if facts.transferCodings == .chunked { return .chunked }
        return facts.contentLength.map(ResponseFraming.contentLength) ?? .untilClose
    }
}

/// Parses the heads of answers, also the interim ones (1xx) that come before the real one.
///
/// It works as `RequestParser` does, and is as strict.
package struct ResponseParser: Sendable {
    package enum Outcome: Sendable {
        case incomplete
        /// The head, and how many of the bytes shown it took. Where `status.isInterim`, another head follows.
        case head(ResponseHead, byteCount: Int)
    }

    private let limits: HeadLimits
    private var scanner: HeadScanner
    private var startLine: (version: HTTPVersion, status: Status, reason: Range<Int>)?

    package init(limits: HeadLimits) {
        self.limits = limits
        scanner = HeadScanner(limits: limits)
    }

    /// Looks at the bytes that are there, from the first one of the head on.
    ///
    /// - Throws: `ParseError` as soon as a line is wrong or a limit is passed; the parser is of no use after that.
    package mutating func parse(_ bytes: UnsafeRawBufferPointer) throws(ParseError) -> Outcome {
        guard let start = bytes.baseAddress, bytes.count > 0 else { return .incomplete }
        let base = unsafe start.assumingMemoryBound(to: UInt8.self)
        while true {
            switch try unsafe scanner.advance(base, bytes.count) {
            case .incomplete:
                return .incomplete
            case .startLine(let line):
                startLine = try unsafe Self.startLine(base, line)
            case .end(let byteCount):
                guard let line = startLine else { throw .malformedStartLine(at: 0) }
                let owned = unsafe [UInt8](UnsafeRawBufferPointer(rebasing: bytes[..<byteCount]))
                let head = try ResponseHead(
                    status: line.status, reasonRange: line.reason, version: line.version, facts: scanner.facts,
                    fields: HeadFields(bytes: owned, ranges: scanner.takeFields()))
                self = ResponseParser(limits: limits)
                return .head(head, byteCount: byteCount)
            }
        }
    }

    /// `HTTP-version SP status-code SP [reason-phrase]` (RFC 9112, section 4); the second space may be missing.
    private static func startLine(
        _ base: UnsafePointer<UInt8>, _ line: Range<Int>
    ) throws(ParseError) -> (version: HTTPVersion, status: Status, reason: Range<Int>) {
        let start = line.lowerBound
        guard line.count >= 12, unsafe base[start + 8] == Byte.space else { throw .malformedStartLine(at: start) }
        let version = try unsafe httpVersion(base, start..<start + 8)
        var code = 0
        for index in start + 9..<start + 12 {
            guard unsafe isDigit(base[index]) else { throw .malformedStartLine(at: index) }
            code = unsafe code * 10 + Int(base[index] - Byte.zero)
        }
        guard code >= 100 else { throw .malformedStartLine(at: start + 9) }
        var reason = line.upperBound..<line.upperBound
        if line.count > 12 {
            guard unsafe base[start + 12] == Byte.space else { throw .malformedStartLine(at: start + 12) }
            reason = start + 13..<line.upperBound
        }
        if let control = unsafe firstControl(base, reason) { throw .malformedStartLine(at: control) }
        return (version, Status(code), reason)
    }
}
