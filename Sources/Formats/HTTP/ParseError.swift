/// Why a head was refused, with the byte in it where that says something.
///
/// The parsers refuse whatever two readers could understand differently (RFC 9112, section 11.2): this server may
/// stand behind a proxy, and a request that the two of them cut apart differently is an attack.
package enum ParseError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The first line is not `METHOD target HTTP/x.y`, or `HTTP/x.y status reason` in an answer.
    case malformedStartLine(at: Int)
    /// HTTP/2 and later, also its preface.
    case unsupportedVersion
    case malformedTarget(TargetFlaw)
    case malformedField(FieldFlaw, at: Int)
    /// The first line alone is longer than a head may be.
    case startLineTooLong(byteCountMax: Int)
    case headTooLarge(byteCountMax: Int)
    case tooManyFields(countMax: Int)
    case missingHost
    case repeatedHost
    case malformedHost
    /// There are two lines of Authorization.
    case repeatedCredentials
    case ambiguousFraming(FramingFlaw)
    case unknownTransferCoding
    /// Bytes that were said to be a whole head are only the beginning of one.
    case truncated

    /// What is wrong with a request's target.
    package enum TargetFlaw: String, Hashable, Sendable {
        case unknownForm = "it is neither a path nor an absolute http URL"
        case forbiddenByte = "it has a byte that must be percent-encoded"
        case badEscape = "a percent sign is not followed by two hexadecimal digits"
        case forbiddenEscape = "it has an encoded slash or control character"
        case notUnicode = "its percent-encoded bytes are not UTF-8"
        case dotSegment = "it has a segment . or .."
        case badAuthority = "its host is malformed"
    }

    /// What is wrong with a header line.
    package enum FieldFlaw: String, Hashable, Sendable {
        case bareLineFeed = "a line ends without carriage return"
        case controlCharacter = "a value has a control character"
        case foldedLine = "a line begins with white space"
        case spaceBeforeColon = "white space stands before the colon"
        case badName = "a name has a byte that names may not have, or there is no colon"
    }

    /// What makes the end of the body uncertain.
    package enum FramingFlaw: String, Hashable, Sendable {
        case lengthAndCoding = "both Content-Length and Transfer-Encoding are given"
        case repeatedLength = "Content-Length is given more than once"
        case malformedLength = "Content-Length is not a number that fits"
        case malformedCoding = "Transfer-Encoding is not chunked alone"
        case codingInOldVersion = "Transfer-Encoding is given in HTTP/1.0"
    }

    /// The status that a server answers with before it closes.
    package var status: Status {
        switch self {
        case .unsupportedVersion: .versionNotSupported
        case .startLineTooLong: .targetTooLong
        case .headTooLarge, .tooManyFields: .headerFieldsTooLarge
        case .unknownTransferCoding: .notImplemented
        case .malformedStartLine, .malformedTarget, .malformedField, .missingHost, .repeatedHost, .malformedHost,
            .repeatedCredentials, .ambiguousFraming, .truncated: .badRequest
        }
    }

    package var description: String {
        switch self {
        case .malformedStartLine(let offset): "the first line is malformed at byte \(offset)"
        case .unsupportedVersion: "only HTTP/1.0 and HTTP/1.1 are spoken here"
        case .malformedTarget(let flaw): "the request target is refused: \(flaw.rawValue)"
        case .malformedField(let flaw, let offset): "a header is refused at byte \(offset): \(flaw.rawValue)"
        case .startLineTooLong(let max): "the first line is longer than \(max) bytes"
        case .headTooLarge(let max): "the head is larger than \(max) bytes"
        case .tooManyFields(let max): "the head has more than \(max) header lines"
        case .missingHost: "the Host header is missing"
        case .repeatedHost: "the Host header is given more than once"
        case .malformedHost: "the Host header is malformed"
        case .repeatedCredentials: "the Authorization header is given more than once"
        case .ambiguousFraming(let flaw): "the end of the body is uncertain: \(flaw.rawValue)"
        case .unknownTransferCoding: "the only transfer coding understood here is chunked"
        case .truncated: "the head is not complete"
        }
    }
}

/// How large a head may be. A parser is given them by whoever knows what its callers need.
package struct HeadLimits: Hashable, Sendable {
    /// First line, header lines and the empty line at the end, with their line ends; also empty lines before it.
    package let headBytesMax: Int
    /// Header lines.
    package let headerCountMax: Int

    package init(headBytesMax: Int, headerCountMax: Int) {
        precondition((16...(64 << 20)).contains(headBytesMax), "a head's limit lies between 16 bytes and 64 MiB")
        precondition((1...65_536).contains(headerCountMax), "a head's limit of lines lies between 1 and 65,536")
        self.headBytesMax = headBytesMax
        self.headerCountMax = headerCountMax
    }

    /// What browsers, Nix and proxies stay far below.
    package static var standard: HeadLimits { HeadLimits(headBytesMax: 32 << 10, headerCountMax: 100) }
}
