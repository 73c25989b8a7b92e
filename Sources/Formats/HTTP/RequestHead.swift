/// The head of a request: its bytes, kept once, and where things stand in them.
///
/// Method, version, framing and connection were decided when it was parsed; everything else is looked up on demand.
package struct RequestHead: MessageHead {
    package let method: Method
    package let version: HTTPVersion
    /// How the body that follows ends.
    package let bodyFraming: BodyFraming
    /// Whether the client wants to go on with the connection after the answer (RFC 9112, section 9.3).
    package let keepsAlive: Bool
    /// Whether the client waits for `100 Continue` before it sends the body (RFC 9110, section 10.1.1).
    package let expectsContinue: Bool
    /// Whether all of what the target names is asked for, whatever the client has: without Range and If-None-Match.
    package let wantsWhole: Bool
    /// Whether there is an Authorization header.
    package let hasCredentials: Bool
    private let methodRange: Range<Int>
    private let targetShape: TargetShape
    private let fields: HeadFields

    init(
        method: Method, methodRange: Range<Int>, targetShape: TargetShape, version: HTTPVersion, facts: HeadFacts,
        fields: HeadFields
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
        self.targetShape = targetShape
        self.version = version
        self.fields = fields
    }

    /// Parses bytes that are a whole head, with nothing after it: for tests and tools.
    package init(parsing text: String, limits: HeadLimits = .standard) throws(ParseError) {
        var parser = RequestParser(limits: limits)
        let outcome = try unsafe Array(text.utf8).span.withUnsafeBytes { bytes throws(ParseError) in
            try unsafe parser.parse(bytes)
        }
        guard case .head(let head, _) = outcome else { throw .truncated }
        self = head
    }

    /// The method as it was sent; says what `Method.other` was.
    package var methodName: String { fields.string(methodRange) }

    /// Appends what was asked for, for logs: the method, and the path as it was sent. Of a query only that there is one: people put
    /// secrets there, `GET /a/b?...` of `GET /a/b?token=x`.
    package func appendRequest(to bytes: inout [UInt8]) {
        unsafe fields.bytes.withUnsafeBufferPointer { head in
            unsafe bytes.append(contentsOf: UnsafeBufferPointer(rebasing: head[methodRange]))
            bytes.append(Byte.space)
            if targetShape.path.isEmpty { bytes.append(Byte.slash) }
            unsafe bytes.append(contentsOf: UnsafeBufferPointer(rebasing: head[targetShape.path]))
        }
        if targetShape.query != nil { bytes += Array("?...".utf8) }
    }

    /// What is asked for.
    package var target: Target { Target(bytes: fields.bytes, shape: targetShape) }

    /// Lends the bytes of the target's path as they were sent, without making anything: the key of a hot table.
    package func withPath<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        unsafe fields.bytes.span.withUnsafeBytes { unsafe body(UnsafeRawBufferPointer(rebasing: $0[targetShape.path])) }
    }

    /// Host and port that the client meant: of the target where that names them, else the Host header (RFC 9112,
    /// section 3.2.2). Nil where neither says anything.
    package var authority: String? {
        let named = target.authority ?? header("Host")
        return named.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// The header lines in their order.
    package var headers: HeaderLines { HeaderLines(fields: fields) }

    /// The bytes of the head as they came, empty lines before it left in.
    package var byteCount: Int { fields.bytes.count }
}
