import Crypto
import Encoding

/// What a token says: who holds it, until when, and what it allows with which caches.
///
/// On the wire it is a JSON Web Token (RFC 7519). Its claims, as they are written:
///
///     {"sub":"alice","exp":1680293339,"https://jwt.attic.rs/v1":{"caches":{"hello":{"r":1,"w":1}}}}
///
/// Ours have `iat` and `jti` as well.
package struct Token: Sendable {
    /// The claim that holds the permissions.
    package static let claim = "https://jwt.attic.rs/v1"

    /// The longest token that is looked at, in bytes; some 500 patterns. What comes with a request is bounded by
    /// its head already; this is for all other ways in.
    package static let byteCountMax = 32 << 10

    /// How far the clock of whoever makes tokens may be ahead of the server's, in seconds.
    package static let clockDifferenceMax: Int64 = 300

    package let subject: String?
    /// `jti`: tells this token from all others, so that it can be revoked; nil in tokens that others made.
    package let id: String?
    /// `iat`: when it was made, in seconds since 1970.
    package let issuedAtSeconds: Int64?
    /// From this second since 1970 on it is not accepted; nil: it never expires.
    package let expirySeconds: Int64?
    /// Before this second since 1970 it is not accepted.
    package let notBeforeSeconds: Int64?
    package let issuer: String?
    package let audiences: [String]
    /// What it allows, in the order of the JSON object, which decides between patterns.
    package let caches: [(pattern: CacheNamePattern, permissions: Permissions)]

    /// - Parameter caches: a pattern that comes twice keeps its first place and gets both permissions.
    package init(
        subject: String?, expirySeconds: Int64?, notBeforeSeconds: Int64? = nil, issuedAtSeconds: Int64? = nil, id: String? = nil, issuer: String? = nil,
        audiences: [String] = [],
        caches: [(CacheNamePattern, Permissions)]
    ) {
        self.subject = subject
        self.id = id
        self.issuedAtSeconds = issuedAtSeconds
        self.expirySeconds = expirySeconds
        self.notBeforeSeconds = notBeforeSeconds
        self.issuer = issuer
        self.audiences = audiences
        var places: [CacheNamePattern: Int] = [:]
        var merged: [(pattern: CacheNamePattern, permissions: Permissions)] = []
        for (pattern, permissions) in caches {
            if let place = places[pattern] {
                merged[place].permissions.formUnion(permissions)
            } else {
                places[pattern] = merged.count
                merged.append((pattern, permissions))
            }
        }
        self.caches = merged
    }

    /// An id for a new token: 128 random bits, in hexadecimal.
    package static func newID() -> String { Hex.encode(SecureRandom.bytes(16)) }

    /// Whether a text has the form of the ids that are made here.
    package static func isID(_ text: String) -> Bool { text.utf8.count == 32 && Hex.decode(text) != nil }

    /// What it allows with a cache: the entry that equals the name, else the first pattern that matches, else nothing.
    /// Entries are not added up.
    package func permissions(for cache: CacheName) -> Permissions {
        let entry = caches.first { $0.pattern.rawValue == cache.rawValue } ?? caches.first { $0.pattern.matches(cache) }
        return entry?.permissions ?? []
    }

    /// Whether it allows this with every cache, whatever its name.
    package func allowsEverywhere(_ permission: Permissions) -> Bool {
        // The first pattern that matches decides, so one without the permission may stand before.
        caches.contains { $0.pattern == .all } && caches.allSatisfy { $0.permissions.isSuperset(of: permission) }
    }

    /// The claims, compact, members in the order sub, exp, nbf, iss, aud, permissions, iat, jti; what is not set is left out.
    package func claimsJSON() -> String {
        var claims: [(String, JSON)] = []
        if let subject { claims.append(("sub", .string(subject))) }
        if let expirySeconds { claims.append(("exp", .integer(expirySeconds))) }
        if let notBeforeSeconds { claims.append(("nbf", .integer(notBeforeSeconds))) }
        if let issuer { claims.append(("iss", .string(issuer))) }
        if !audiences.isEmpty { claims.append(("aud", .array(audiences.map { .string($0) }))) }
        let entries = caches.map { entry in
            let granted = Permissions.claimNames.filter { entry.permissions.contains($0.permission) }
            return (entry.pattern.rawValue, JSON.object(JSONObject(granted.map { ($0.name, .integer(1)) })))
        }
        claims.append((Self.claim, .object(JSONObject([("caches", .object(JSONObject(entries)))]))))
        if let issuedAtSeconds { claims.append(("iat", .integer(issuedAtSeconds))) }
        if let id { claims.append(("jti", .string(id))) }
        return JSON.object(JSONObject(claims)).serialized()
    }

    /// The token in compact form (RFC 7515, section 7.1), signed.
    package func signed(with signer: TokenSigner) -> String {
        let header = "{\"typ\":\"JWT\",\"alg\":\"\(signer.algorithm)\"}"
        let input = Base64.encodeURL(Array(header.utf8)) + "." + Base64.encodeURL(Array(claimsJSON().utf8))
        return input + "." + Base64.encodeURL(signer.sign(Array(input.utf8)))
    }
}
