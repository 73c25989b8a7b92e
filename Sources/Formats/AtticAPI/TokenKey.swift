import Crypto

/// What a server checks tokens with.
package enum TokenKey: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible {
    /// HMAC with SHA-256 (RFC 7518, section 3.2): one secret, known to whoever makes tokens and to the server.
    case hs256(secret: [UInt8])
    /// RSA with PKCS #1 v1.5 and SHA-256 (RFC 7518, section 3.3), by the private key: makes tokens, and checks them.
    case rs256(RSAPrivateKey)
    /// The same by the public key, which only checks: tokens are made elsewhere.
    case rs256PublicKey(RSAPublicKey)

    /// The `alg` of the tokens this key is for. A token that names any other is refused before its signature is
    /// looked at, so a token cannot choose how it is checked (RFC 8725, section 3.1).
    package var algorithm: String {
        switch self {
        case .hs256: "HS256"
        case .rs256, .rs256PublicKey: "RS256"
        }
    }

    /// What makes tokens that this key accepts; nil where it can only check.
    package var signer: TokenSigner? {
        switch self {
        case .hs256(let secret): .hs256(secret: secret)
        case .rs256(let key): .rs256(key)
        case .rs256PublicKey: nil
        }
    }

    /// Whether `signature` is that of `message`.
    package func verify(signature: [UInt8], message: [UInt8]) -> Bool {
        switch self {
        case .hs256(let secret): ConstantTime.equal(signature, HMAC.sha256(key: secret, message: message))
        case .rs256(let key): key.publicKey.verify(signature: signature, message: message)
        case .rs256PublicKey(let key): key.verify(signature: signature, message: message)
        }
    }

    /// The algorithm alone: a secret never reaches a log.
    package var description: String { "\(algorithm) key" }
    package var debugDescription: String { description }
}

/// What tokens are signed with.
package enum TokenSigner: Sendable, CustomStringConvertible, CustomDebugStringConvertible {
    case hs256(secret: [UInt8])
    case rs256(RSAPrivateKey)

    /// The `alg` of what it signs.
    package var algorithm: String {
        switch self {
        case .hs256: "HS256"
        case .rs256: "RS256"
        }
    }

    /// The signature of `message`.
    package func sign(_ message: [UInt8]) -> [UInt8] {
        switch self {
        case .hs256(let secret): HMAC.sha256(key: secret, message: message)
        case .rs256(let key): key.sign(message)
        }
    }

    package var description: String { "\(algorithm) signer" }
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
