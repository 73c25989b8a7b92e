/// How the end of a request's body is found (RFC 9112, section 6.3).
package enum BodyFraming: Hashable, Sendable {
    /// There is no body.
    case none
    /// The body has exactly that many bytes; 0 where the sender said so.
    case contentLength(Int64)
    /// The body comes in chunks and says itself where it ends.
    case chunked

    /// True where bytes of a body follow the head.
    package var hasBytes: Bool { self != .none && self != .contentLength(0) }

    /// How many bytes the sender announced; nil where it did not.
    package var declaredByteCount: Int64? {
        switch self {
        case .none: 0
        case .contentLength(let count): count
        case .chunked: nil
        }
    }
}

/// How the end of an answer's body is found; an answer may also end with its connection.
package enum ResponseFraming: Hashable, Sendable {
    case none
    case contentLength(Int64)
    case chunked
    case untilClose
}

/// What the header lines said that decides about framing and the connection, gathered line by line.
struct HeadFacts {
    var contentLength: Int64?
    var transferCodings = TransferCodings.none
    var hasHost = false
    var hasCredentials = false
    var connectionSaysClose = false
    var connectionSaysKeepAlive = false
    var expectsContinue = false
    /// There is a Range or an If-None-Match.
    var isConditional = false

    enum TransferCodings { case none, chunked, unknown }

    init() {}

    /// Takes notice of one header line.
    ///
    /// - Throws: where a line that decides about the body is malformed, or given again.
    @inline(__always)
    mutating func note(_ base: UnsafePointer<UInt8>, name: Range<Int>, value: Range<Int>) throws(ParseError) {
        // The length of the name sorts out nearly every line before a byte is compared.
        switch name.count {
        case 4 where unsafe spellsAnyCase(base, name, "host"):
            try unsafe noteHost(base, value)
        case 5 where unsafe spellsAnyCase(base, name, "range"):
            isConditional = true
        case 6 where unsafe spellsAnyCase(base, name, "expect"):
            if unsafe spellsAnyCase(base, value, "100-continue") { expectsContinue = true }
        case 10 where unsafe spellsAnyCase(base, name, "connection"):
            unsafe noteConnection(base, value)
        case 13 where unsafe spellsAnyCase(base, name, "if-none-match"):
            isConditional = true
        case 13 where unsafe spellsAnyCase(base, name, "authorization"):
            // Of two, one reader takes the first and the next the last (RFC 9110, section 11.6.2 has one).
            if hasCredentials { throw .repeatedCredentials }
            hasCredentials = true
        case 14 where unsafe spellsAnyCase(base, name, "content-length"):
            try unsafe noteContentLength(base, value)
        case 17 where unsafe spellsAnyCase(base, name, "transfer-encoding"):
            try unsafe noteTransferEncoding(base, value)
        default: break
        }
    }

    /// RFC 9112, section 3.2: more than one, or a malformed one, is answered with 400.
    private mutating func noteHost(_ base: UnsafePointer<UInt8>, _ value: Range<Int>) throws(ParseError) {
        if hasHost { throw .repeatedHost }
        hasHost = true
        guard unsafe isHost(base, value) else { throw .malformedHost }
    }

    private mutating func noteConnection(_ base: UnsafePointer<UInt8>, _ value: Range<Int>) {
        unsafe forEachListed(base, value) { member in
            if unsafe spellsAnyCase(base, member, "close") { connectionSaysClose = true }
            if unsafe spellsAnyCase(base, member, "keep-alive") { connectionSaysKeepAlive = true }
        }
    }

    /// RFC 9110, section 8.6: digits and nothing else. Lists of the same number may be accepted; here they are not.
    private mutating func noteContentLength(_ base: UnsafePointer<UInt8>, _ value: Range<Int>) throws(ParseError) {
        if contentLength != nil { throw .ambiguousFraming(.repeatedLength) }
        var number: Int64 = 0
        for index in value {
            let byte = unsafe base[index]
            if byte == Byte.comma { throw .ambiguousFraming(.repeatedLength) }
            guard isDigit(byte) else { throw .ambiguousFraming(.malformedLength) }
            let (tenfold, overflow) = number.multipliedReportingOverflow(by: 10)
            let (sum, carry) = tenfold.addingReportingOverflow(Int64(byte &- Byte.zero))
            if overflow || carry { throw .ambiguousFraming(.malformedLength) }
            number = sum
        }
        if value.isEmpty { throw .ambiguousFraming(.malformedLength) }
        contentLength = number
    }

    private mutating func noteTransferEncoding(_ base: UnsafePointer<UInt8>, _ value: Range<Int>) throws(ParseError) {
        if transferCodings == .none, unsafe spellsAnyCase(base, value, "chunked") { return transferCodings = .chunked }
        var hasUnknown = transferCodings == .unknown
        unsafe forEachListed(base, value) { member in
            if unsafe !spellsAnyCase(base, member, "chunked") { hasUnknown = true }
        }
        // A second chunked would wrap the first, and commas around one are a list of one; nobody means that, and not everybody
        // reads it alike.
        if !hasUnknown { throw .ambiguousFraming(.malformedCoding) }
        transferCodings = .unknown
    }

    /// The framing of a request: none of the ways out that RFC 9112, section 6.3, leaves for guessing is taken.
    func requestFraming(version: HTTPVersion) throws(ParseError) -> BodyFraming {
        try refuseAmbiguity(version: version)
        if transferCodings == .chunked { return .chunked }
        return contentLength.map(BodyFraming.contentLength) ?? .none
    }

    /// Refuses what can be read two ways, in both directions.
    func refuseAmbiguity(version: HTTPVersion) throws(ParseError) {
        if transferCodings == .none { return }
        if contentLength != nil { throw .ambiguousFraming(.lengthAndCoding) }
        // RFC 9112, section 6.1: HTTP/1.0 has no such field; who sends it anyway has not understood the message.
        if version == .http10 { throw .ambiguousFraming(.codingInOldVersion) }
        if transferCodings == .unknown { throw .unknownTransferCoding }
    }

    /// RFC 9112, section 9.3.
    func keepsAlive(version: HTTPVersion) -> Bool {
        if connectionSaysClose { return false }
        return version == .http11 || connectionSaysKeepAlive
    }
}

/// The versions spoken here. HTTP/1.2 and up, which nobody defined, count as 1.1 (RFC 9110, section 6.2).
package enum HTTPVersion: Hashable, Sendable { case http10, http11 }

/// Calls `body` for every member of a comma-separated list, trimmed; empty ones are left out (RFC 9110, 5.6.1).
func forEachListed(_ base: UnsafePointer<UInt8>, _ range: Range<Int>, _ body: (Range<Int>) -> Void) {
    var start = range.lowerBound
    while start <= range.upperBound {
        var end = start
        while end < range.upperBound, unsafe base[end] != Byte.comma { end += 1 }
        let member = unsafe trimmed(base, start..<end)
        if !member.isEmpty { body(member) }
        start = end + 1
    }
}
