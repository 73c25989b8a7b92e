import HTTP

/// Why a request got no answer. An answer with an error status is an answer, and none of these.
package enum ClientError: Error, Sendable, CustomStringConvertible {
    /// The URL is none that can be asked.
    case malformedURL(String, reason: String)
    /// The server is not who it should be, or cannot be agreed with on an encrypted connection.
    case untrusted(host: String, cause: String)
    /// The host has no address, or nobody answers there.
    case unreachable(host: String, cause: String)
    /// A proxy that is to be used cannot be, and trying again would end the same way. `name` is the variable that names the proxy,
    /// or its host: never its password.
    case proxyFailed(name: String, cause: String)
    /// The server sends the request elsewhere, and it must not follow.
    case redirectRefused(host: String, reason: String)
    /// Nothing moved for too long.
    case timedOut(host: String, what: String)
    /// The connection ended before the answer did.
    case disconnected(host: String, what: String)
    /// The answer is not HTTP/1.1, or breaks off.
    case malformed(host: String, reason: String)
    /// The body of the answer is larger than the request allows.
    case tooLarge(host: String, byteCountMax: Int)
    /// Whoever produces the request's body failed; the cause is theirs.
    case bodyFailed(any Error)
    /// Whoever takes the answer's body failed; the cause is theirs.
    case receiverFailed(any Error)

    package var description: String {
        switch self {
        case .malformedURL(let text, let reason): "cannot use the URL \(text): \(reason)"
        case .untrusted(let host, let cause): "cannot speak to \(host) over TLS: \(cause)"
        case .unreachable(let host, let cause): "cannot connect to \(host): \(cause)"
        case .proxyFailed(let name, let cause): "cannot use the proxy of \(name): \(cause)"
        case .redirectRefused(let host, let reason): "\(host) redirects the request, which is not followed: \(reason)"
        case .timedOut(let host, let what): "\(host) took too long: \(what)"
        case .disconnected(let host, let what): "\(host) closed the connection: \(what)"
        case .malformed(let host, let reason): "the answer of \(host) is malformed: \(reason)"
        case .tooLarge(let host, let max): "the answer of \(host) is larger than \(max) bytes"
        case .bodyFailed(let cause): "cannot send the request's body: \(cause)"
        case .receiverFailed(let cause): "cannot take the answer's body: \(cause)"
        }
    }
}

/// The producer of a body did not keep to the length that it announced.
package struct BodyLengthMismatch: Error, Hashable, Sendable, CustomStringConvertible {
    package let announced: Int64
    package let written: Int64
    package var description: String { "\(announced) bytes were announced, and \(written) came" }
}
