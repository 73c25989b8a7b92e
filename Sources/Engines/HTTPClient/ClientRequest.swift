import HTTP

/// A request, as a caller states it. Host, framing and Expect are added when it is sent.
package struct ClientRequest {
    package var method: Method
    /// Below the session's endpoint: begins with a slash, percent-encoded, with a query where there is one.
    package var path: String
    /// In this order. Host, Content-Length, Transfer-Encoding, Connection and Expect are not the caller's.
    package var headers: [(String, String)]
    package var body: ClientBody
    /// Ask the server whether it wants the body before sending it (RFC 9110, section 10.1.1). Worth a round trip for
    /// large bodies that may be refused.
    package var expectContinue: Bool
    /// Whether the request may be sent a second time when a kept connection turns out to be dead and nothing of an
    /// answer came. The server may still have acted on the first one.
    package var mayRepeat: Bool
    /// Largest body of an answer that is kept in memory.
    package var answerBytesMax: Int
    /// Which successful answers a receiver takes the body of: it is asked when the head is there. Nil: all.
    package var isReceived: ((ResponseHead) -> Bool)?

    /// - Parameter mayRepeat: nil asks the method and the body: POST and PATCH are not sent twice, unless told so.
    package init(
        _ method: Method, _ path: String, headers: [(String, String)] = [], body: ClientBody = .none,
        expectContinue: Bool = false, mayRepeat: Bool? = nil, answerBytesMax: Int = 64 << 20
    ) {
        self.method = method
        self.path = path
        self.headers = headers
        self.body = body
        self.expectContinue = expectContinue
        self.mayRepeat = (mayRepeat ?? method.isIdempotent) && body.isRepeatable
        self.answerBytesMax = answerBytesMax
    }
}

/// The body of a request.
package enum ClientBody {
    /// No body, and no Content-Length; PUT, POST and PATCH say `Content-Length: 0`.
    case none
    case bytes([UInt8])
    /// Bytes that are made while they are sent: with Content-Length where `byteCount` is known, else in chunks.
    ///
    /// `write` is called on the thread that sends. It hands its bytes to the writer, whose `write` throws when there
    /// is no use in going on: let that error through. Where the body can be made again, `isRepeatable` says so.
    case stream(byteCount: Int64?, isRepeatable: Bool = false, write: (RequestWriter) throws -> Void)

    var isRepeatable: Bool {
        switch self {
        case .none, .bytes: true
        case .stream(_, let isRepeatable, _): isRepeatable
        }
    }
}

/// What came back.
package struct ClientResponse: Sendable {
    package let head: ResponseHead
    /// The whole body; empty where it went to the caller's receiver.
    package let body: [UInt8]
    /// Whether the request's body had been sent when the answer came. False: the server had heard enough.
    package let sentWholeBody: Bool
    /// The server that answers, as `scheme://host:port`, where the request was sent there by another, and went without the
    /// credentials that were for that one; nil as a rule.
    package internal(set) var withheldFrom: String?

    package var status: Status { head.status }
    package var headers: HeaderLines { head.headers }

    /// The value of a header, by name in any case; nil where it is absent.
    package func header(_ name: String) -> String? { head.header(name) }
}

/// How long a client waits.
package struct ClientTimeouts: Hashable, Sendable {
    /// For a connection, each address by itself; and again for what has to be agreed on over it, with a proxy or by TLS.
    package var connect: Duration
    /// For the next byte to move, in either direction; also for a server that is thinking.
    package var silence: Duration
    /// For an answer that is kept in memory, from its first byte to its last.
    package var answer: Duration
    /// For `100 Continue`; then the body is sent unasked, since some servers never say it (RFC 9110, 10.1.1).
    package var `continue`: Duration

    package init(
        connect: Duration = .seconds(10), silence: Duration = .seconds(300), answer: Duration = .seconds(900),
        continue: Duration = .seconds(1)
    ) {
        self.connect = connect
        self.silence = silence
        self.answer = answer
        self.continue = `continue`
    }
}
