/// What tokens are signed and checked with.
package enum TokenKey: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible {
    /// HMAC with SHA-256 (RFC 7518, section 3.2): one secret, known to whoever makes tokens and to the server.
    case hs256(secret: [UInt8])

    /// The `alg` of the tokens this key is for. A token that names any other is refused before its signature is
    /// looked at, so a token cannot choose how it is checked (RFC 8725, section 3.1).
    package var algorithm: String {
        switch self {
        case .hs256: "HS256"
        }
    }

    /// The algorithm alone: a secret never reaches a log.
    package var description: String { "\(algorithm) key" }
    package var debugDescription: String { description }
}

/// What a server asks of a token beyond its signature and its times.
package struct TokenRules: Sendable, Equatable {
    /// `iss` must be this, where set.
    package let issuer: String?
    /// `aud` must name one of these, where there are any.
    package let audiences: [String]

    package init(issuer: String? = nil, audiences: [String] = []) {
        self.issuer = issuer
        self.audiences = audiences
    }
}
