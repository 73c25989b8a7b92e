import Crypto
import Encoding

// From untrusted text to a token, in the order in which trust is earned: shape, header, signature, and only then the
// claims. Nothing of the claims is parsed before the signature is good.

extension Token {
    /// Checks a token and gives what it says.
    ///
    /// - Parameters:
    ///   - jwt: the compact form, three parts of unpadded base64url.
    ///   - key: the server's; it alone decides on the algorithm.
    ///   - nowSeconds: the time, in seconds since 1970; no leeway is added.
    ///   - rules: issuer and audiences that the server asks for.
    package static func verify(
        _ jwt: String, with key: TokenKey, nowSeconds: Int64, rules: TokenRules
    ) throws(TokenError) -> Token {
        guard jwt.utf8.count <= byteCountMax else { throw .malformed("it is longer than \(byteCountMax) bytes") }
        let parts = jwt.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).map { Substring($0) }
        guard parts.count == 3 else { throw .malformed("it has not three parts") }

        try check(header: try object(in: parts[0], named: "header"), for: key)

        guard let signature = Base64.decodeURL(parts[2]) else { throw .malformed("its signature is not base64url") }
        // The bytes as they came are what was signed (RFC 7515, section 5.2, step 8).
        let signed = Array(parts[0].utf8) + [UInt8(ascii: ".")] + Array(parts[1].utf8)
        guard key.verify(signature: signature, message: signed) else { throw .badSignature }

        let token = try Token(claims: try object(in: parts[1], named: "payload"))
        try token.check(nowSeconds: nowSeconds, rules: rules)
        return token
    }

    private static func object(in part: Substring, named name: String) throws(TokenError) -> JSONObject {
        guard let bytes = Base64.decodeURL(part) else { throw .malformed("its \(name) is not base64url") }
        // Duplicate members are an error of the parser, as RFC 7515, section 4 allows: two readers could differ.
        let json: JSON
        do throws(JSONError) { json = try JSON.parse(bytes, depthMax: 16) } catch {
            // Short whatever came: this is read, and logged, before anything is trusted.
            if case .duplicateMember = error.reason { throw .malformed("a member of its \(name) comes twice") }
            throw .malformed("its \(name) is not JSON, at byte \(error.byteOffset)")
        }
        guard let object = json.objectValue else { throw .malformed("its \(name) is not a JSON object") }
        return object
    }

    private static func check(header: JSONObject, for key: TokenKey) throws(TokenError) {
        guard let algorithm = header["alg"]?.stringValue else { throw .malformed("its header has no \"alg\"") }
        guard algorithm == key.algorithm else {
            // It comes back in messages, so only as much of it as any real name has.
            throw .wrongAlgorithm(name: printable(algorithm), wanted: key.algorithm)
        }
        if let critical = header["crit"] {
            // RFC 7515, section 4.1.11: never empty, and whatever it names must be understood; nothing is, here.
            guard let first = critical.arrayValue?.first?.stringValue else {
                throw .malformed("its \"crit\" is not a list of names")
            }
            throw .unknownCritical(printable(first))
        }
    }

    private static func printable(_ name: String) -> String {
        String(name.unicodeScalars.prefix(32).map { $0.value > 0x20 && $0.value < 0x7F ? Character($0) : "?" })
    }

    private func check(nowSeconds: Int64, rules: TokenRules) throws(TokenError) {
        // RFC 7519, section 4.1.4: not accepted on or after the expiration time.
        if let expirySeconds, nowSeconds >= expirySeconds { throw .expired(at: expirySeconds) }
        if let notBeforeSeconds, nowSeconds < notBeforeSeconds { throw .notYetValid(from: notBeforeSeconds) }
        // Revoking all tokens of a subject spares those that are made later: one must not claim to be.
        if let issuedAtSeconds, issuedAtSeconds > nowSeconds, issuedAtSeconds - nowSeconds > Token.clockDifferenceMax { throw .madeInTheFuture(at: issuedAtSeconds) }
        if let wanted = rules.issuer, issuer != wanted { throw .wrongIssuer }
        if !rules.audiences.isEmpty, !rules.audiences.contains(where: audiences.contains) { throw .wrongAudience }
    }
}

extension Token {
    /// Reads the claims. Claims that are not known are left alone; a known one of the wrong kind is an error.
    init(claims: JSONObject) throws(TokenError) {
        self.init(
            subject: try Self.text("sub", of: claims),
            expirySeconds: try Self.moment("exp", of: claims),
            notBeforeSeconds: try Self.moment("nbf", of: claims),
            issuedAtSeconds: try Self.moment("iat", of: claims),
            id: try Self.text("jti", of: claims),
            issuer: try Self.text("iss", of: claims),
            audiences: try Self.audiences(of: claims),
            caches: try Self.caches(of: claims))
    }

    private static func text(_ name: String, of claims: JSONObject) throws(TokenError) -> String? {
        guard let value = claims[name] else { return nil }
        guard let text = value.stringValue else { throw .malformed("\"\(name)\" is not a string") }
        return text
    }

    /// A NumericDate in whole seconds. RFC 7519, section 2 allows fractions; they are rounded up, which with a clock of
    /// whole seconds gives the same answers: at 1000, `"exp":1000.5` is still valid and `"nbf":1000.5` not yet.
    private static func moment(_ name: String, of claims: JSONObject) throws(TokenError) -> Int64? {
        guard let value = claims[name] else { return nil }
        if let seconds = value.integerValue { return seconds }
        guard case .number(let fraction) = value, let seconds = Int64(exactly: fraction.rounded(.up)) else {
            throw .malformed("\"\(name)\" is not a time in seconds since 1970")
        }
        return seconds
    }

    /// One name or a list of names (RFC 7519, section 4.1.3).
    private static func audiences(of claims: JSONObject) throws(TokenError) -> [String] {
        guard let value = claims["aud"] else { return [] }
        if let name = value.stringValue { return [name] }
        let names = value.arrayValue.map { $0.map(\.stringValue) }
        guard let names, !names.contains(nil) else { throw .malformed("\"aud\" is neither a string nor a list of strings") }
        return names.compactMap { $0 }
    }

    /// The permissions; a token without the claim has none.
    private static func caches(of claims: JSONObject) throws(TokenError) -> [(CacheNamePattern, Permissions)] {
        guard let value = claims[claim] else { return [] }
        guard let entries = value.objectValue?["caches"]?.objectValue else {
            throw .malformed("\"\(claim)\" has no object \"caches\"")
        }
        var caches: [(CacheNamePattern, Permissions)] = []
        for (text, value) in entries.members {
            guard let pattern = CacheNamePattern(text) else {
                throw .malformed("an entry of \"caches\" is not a cache name or pattern")
            }
            guard let flags = value.objectValue else { throw .malformed("\"caches\" has no object for \"\(text)\"") }
            var permissions: Permissions = []
            for (name, permission) in Permissions.claimNames {
                switch flags[name]?.integerOrRefused {
                case nil, 0: break
                case 1: permissions.insert(permission)
                default: throw .malformed("\"\(name)\" of \"\(text)\" is neither 0 nor 1")
                }
            }
            caches.append((pattern, permissions))
        }
        return caches
    }
}

extension JSON {
    /// The integer, or what no permission can be.
    fileprivate var integerOrRefused: Int64 { integerValue ?? -1 }
}
