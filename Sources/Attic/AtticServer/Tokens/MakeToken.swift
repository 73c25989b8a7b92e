import AtticAPI

/// `atticadm make-token`, from its arguments to a token.
package struct MakeToken: Sendable {
    /// One pattern given for one permission, as on the command line.
    package struct Grant: Sendable {
        package let permission: Permissions
        package let pattern: String

        package init(_ permission: Permissions, _ pattern: String) {
            self.permission = permission
            self.pattern = pattern
        }
    }

    /// An argument that is not allowed: one line for the user.
    package struct UsageError: Error, Sendable, CustomStringConvertible {
        package let description: String
    }

    private let subject: String
    private let validitySeconds: Int64
    /// The token's `jti`.
    private let id: String
    private let caches: [(CacheNamePattern, Permissions)]

    /// Checks the arguments.
    ///
    /// - Parameters:
    ///   - subject: who is to hold the token.
    ///   - validity: for how long, in words: `3 months`.
    ///   - grants: in the order in which the patterns were given, which is theirs in the token, and there decides.
    ///   - id: what tells the token from all others.
    package init(subject: String, validity: String, grants: [Grant], id: String = Token.newID()) throws(UsageError) {
        if subject.isEmpty { throw UsageError(description: "--sub is empty; name who is to hold the token") }
        let seconds: Int64
        do throws(DurationError) { seconds = try DurationWords.parse(validity) } catch {
            throw UsageError(description: "--validity: \(error)")
        }
        guard (1...Configuration.durationSecondsMax).contains(seconds) else {
            throw UsageError(description: "--validity must be from 1 second to 1000 years; \"\(validity)\" is not")
        }
        var caches: [(CacheNamePattern, Permissions)] = []
        for grant in grants {
            guard let pattern = CacheNamePattern(grant.pattern) else {
                throw UsageError(
                    description: "\"\(grant.pattern)\" is no cache name or pattern: \(CacheNamePattern.allowed)")
            }
            caches.append((pattern, grant.permission))
        }
        self.subject = subject
        self.validitySeconds = seconds
        self.caches = caches
        self.id = id
    }

    /// Whether no permission was asked for, which is allowed and hardly ever meant.
    package var allowsNothing: Bool { caches.isEmpty }

    /// The token that a server of this configuration accepts; it is for its issuer and audiences.
    package func token(for configuration: Configuration, nowSeconds: Int64) -> Token {
        Token(
            subject: subject, expirySeconds: nowSeconds + validitySeconds, issuedAtSeconds: nowSeconds, id: id,
            issuer: configuration.tokenRules.issuer, audiences: configuration.tokenRules.audiences, caches: caches)
    }

    /// What is printed: the token, or its claims where only they are asked for.
    ///
    /// - Throws: where the configuration can only check tokens; their claims can be had even so.
    package func output(
        for configuration: Configuration, nowSeconds: Int64, dumpsClaims: Bool
    ) throws(TokenKeyError) -> String {
        let token = token(for: configuration, nowSeconds: nowSeconds)
        if dumpsClaims { return token.claimsJSON() }
        guard let signer = configuration.tokenKey.signer else { throw TokenKeyError() }
        return token.signed(with: signer)
    }
}

/// A token was to be made where only the public key is.
package struct TokenKeyError: Error, Sendable, CustomStringConvertible {
    package var description: String {
        "cannot sign tokens with the public key of [jwt.signing] (token-rs256-pubkey-base64), which only checks them: make tokens where the "
            + "private key is, with a configuration that has it as token-rs256-secret-base64"
    }
}
