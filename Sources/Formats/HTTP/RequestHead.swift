/// The head of a request: its bytes, kept once, and where things stand in them.
///
/// Method, version, framing and connection were decided when it was parsed; everything else is looked up on demand.
package struct RequestHead: MessageHead {
    /// What was decided when it was parsed.
    struct Meaning: Sendable {
        let method: Method
        let methodRange: Range<Int>
        let target: TargetShape
        let version: HTTPVersion
        let bodyFraming: BodyFraming
        let keepsAlive: Bool
        let expectsContinue: Bool
        let wantsWhole: Bool
        let hasCredentials: Bool
    }

    /// What a head is.
    struct Content: Sendable {
        var meaning: Meaning
        var fields: HeadFields
    }

    /// One: an array of one is a box that is handed on as a single reference, is copied where it is written while somebody else
    /// holds it, and is written in place where nobody does.
    private let box: [Content]
    private var meaning: Meaning { box[0].meaning }

    /// - Parameter box: has one element.
    init(_ box: [Content]) { self.box = box }

    /// `.other` where it is none of those that are known; see `methodName`.
    package var method: Method { meaning.method }
    /// Which HTTP the client speaks.
    package var version: HTTPVersion { meaning.version }
    /// How the body that follows ends.
    package var bodyFraming: BodyFraming { meaning.bodyFraming }
    /// Whether the client wants to go on with the connection after the answer (RFC 9112, section 9.3).
    package var keepsAlive: Bool { meaning.keepsAlive }
    /// Whether the client waits for `100 Continue` before it sends the body (RFC 9110, section 10.1.1).
    package var expectsContinue: Bool { meaning.expectsContinue }
    /// Whether all of what the target names is asked for, whatever the client has: without Range and If-None-Match.
    package var wantsWhole: Bool { meaning.wantsWhole }
    /// Whether there is an Authorization header.
    package var hasCredentials: Bool { meaning.hasCredentials }

    /// Parses bytes that are a whole head, with nothing after it: for tests and tools.
    package init(parsing text: String, limits: HeadLimits = .standard) throws(ParseError) {
        var parser = RequestParser(limits: limits)
        let outcome = try unsafe Array(text.utf8).span.withUnsafeBytes { bytes throws(ParseError) in
            try unsafe parser.parse(bytes)
        }
        guard case .head(let head, _) = outcome else { throw .truncated }
        self = head
    }

    /// Lends the bytes, without counting another owner of them.
    private func withBytes<Result>(_ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result {
        unsafe box.withUnsafeBufferPointer { content in
            guard let content = content.baseAddress else { preconditionFailure("a head without content") }
            return unsafe content.pointee.fields.bytes.withUnsafeBufferPointer(body)
        }
    }

    /// The method as it was sent; says what `Method.other` was.
    package var methodName: String { box[0].fields.string(meaning.methodRange) }

    /// Appends what was asked for, for logs: the method, and the path as it was sent. Of a query only that there is one: people put
    /// secrets there, `GET /a/b?...` of `GET /a/b?token=x`.
    package func appendRequest(to bytes: inout [UInt8]) {
        let (method, path, hasQuery) = (meaning.methodRange, meaning.target.path, meaning.target.query != nil)
        unsafe withBytes { head in
            if path.lowerBound == method.upperBound + 1 {
                // As nearly always: they stand side by side.
                unsafe bytes.append(contentsOf: UnsafeBufferPointer(rebasing: head[method.lowerBound..<path.upperBound]))
            } else {
                unsafe bytes.append(contentsOf: UnsafeBufferPointer(rebasing: head[method]))
                bytes.append(Byte.space)
                if path.isEmpty { bytes.append(Byte.slash) }
                unsafe bytes.append(contentsOf: UnsafeBufferPointer(rebasing: head[path]))
            }
        }
        if hasQuery { bytes += Array("?...".utf8) }
    }

    /// What is asked for.
    package var target: Target { Target(bytes: box[0].fields.bytes, shape: meaning.target) }

    /// Lends the bytes of the target's path as they were sent, without making anything: the key of a hot table.
    package func withPath<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        let path = meaning.target.path
        return unsafe withBytes { unsafe body(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer($0)[path])) }
    }

    /// Host and port that the client meant: of the target where that names them, else the Host header (RFC 9112,
    /// section 3.2.2). Nil where neither says anything.
    package var authority: String? {
        let named = target.authority ?? header("Host")
        return named.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// The header lines in their order.
    package var headers: HeaderLines { HeaderLines(fields: box[0].fields) }

    /// The bytes of the head as they came, empty lines before it left in.
    package var byteCount: Int { box[0].fields.bytes.count }
}

extension RequestHead.Meaning {
    /// - Throws: where what the lines say cannot be, or can be read two ways.
    init(
        method: Method, methodRange: Range<Int>, target: TargetShape, version: HTTPVersion, facts: HeadFacts
    ) throws(ParseError) {
        // RFC 9112, section 3.2: a request of HTTP/1.1 without Host is answered with 400.
        if version == .http11 && !facts.hasHost { throw .missingHost }
        bodyFraming = try facts.requestFraming(version: version)
        keepsAlive = facts.keepsAlive(version: version)
        // RFC 9110, section 10.1.1: a server ignores the expectation of a client of HTTP/1.0.
        expectsContinue = facts.expectsContinue && version == .http11 && bodyFraming.hasBytes
        wantsWhole = !facts.isConditional
        hasCredentials = facts.hasCredentials
        self.method = method
        self.methodRange = methodRange
        self.target = target
        self.version = version
    }
}
