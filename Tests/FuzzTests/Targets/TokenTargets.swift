import AtticAPI
import Crypto
import Encoding
import HTTP
import HTTPClient

@testable import AtticClient

extension FuzzTarget {
    /// Tokens as a server reads them, and as a client looks at its own.
    static let tokens = [
        FuzzTarget("token") { try checkToken($0) },
        FuzzTarget("token-claims", byteCountMax: 2048) { try checkClaims($0) },
        FuzzTarget("token-refusal", byteCountMax: 2048) { try checkRefusal($0) },
    ]

    fileprivate static let secret = Array("the secret of the corpus".utf8)
    fileprivate static let now: Int64 = 1_700_000_000
    fileprivate static let rules = TokenRules(issuer: nil, audiences: [])
}

private func sign(_ input: String) -> String {
    "\(input).\(Base64.encodeURL(HMAC.sha256(key: FuzzTarget.secret, message: Array(input.utf8))))"
}

/// The whole token, whatever it is.
private func checkToken(_ bytes: [UInt8]) throws {
    let text = String(decoding: bytes, as: UTF8.self)
    do throws(TokenError) {
        _ = try Token.verify(text, with: .hs256(secret: FuzzTarget.secret), nowSeconds: FuzzTarget.now, rules: FuzzTarget.rules)
    } catch { return try readable(error) }
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    try rule(parts.count == 3, "a token has three parts")
    try same(sign("\(parts[0]).\(parts[1])"), text, "only what was signed is accepted, in one spelling")
    let header = try JSON.parse(Base64.decodeURL(parts[0]) ?? [])
    try same(header.objectValue?["alg"]?.stringValue, "HS256", "only the key's own algorithm is accepted")
    try rule(header.objectValue?["crit"] == nil, "what a token needs is understood")
}

/// The bytes as the payload of a token that is signed well, and as the header of one.
private func checkClaims(_ bytes: [UInt8]) throws {
    let key = TokenKey.hs256(secret: FuzzTarget.secret)
    try checkToken(Array(sign("\(Base64.encodeURL(bytes)).\(Base64.encodeURL(Array("{}".utf8)))").utf8))
    let text = sign("\(Base64.encodeURL(Array(#"{"alg":"HS256"}"#.utf8))).\(Base64.encodeURL(bytes))")
    try checkToken(Array(text.utf8))
    guard let token = try? Token.verify(text, with: key, nowSeconds: FuzzTarget.now, rules: FuzzTarget.rules) else { return }
    try rule((token.expirySeconds ?? .max) > FuzzTarget.now && (token.notBeforeSeconds ?? .min) <= FuzzTarget.now, "a token has its time")
    let again: Token
    do throws(TokenError) {
        again = try Token.verify(token.signed(with: .hs256(secret: FuzzTarget.secret)), with: key, nowSeconds: FuzzTarget.now, rules: FuzzTarget.rules)
    } catch { throw BrokenRule("a token that is made anew is refused: \(error)") }
    try same(again.claimsJSON(), token.claimsJSON(), "a token that is made and read")
    for entry in token.caches {
        // A pattern that has no star is a name, and names itself.
        guard let name = CacheName(entry.pattern.rawValue) else { continue }
        try same(token.permissions(for: name), entry.permissions, "a name has what its entry says")
    }
    if let foreign = CacheName("zz-of-somebody-else") {
        let isMatched = token.caches.contains { $0.pattern.rawValue.utf8.contains(0x2A) || $0.pattern.rawValue == foreign.rawValue }
        if !isMatched { try rule(token.permissions(for: foreign).isEmpty, "a token opens nothing that it does not name") }
    }
    var wrong = Array(text.utf8)
    wrong[wrong.count - 1] ^= 1
    let isTaken = (try? Token.verify(String(decoding: wrong, as: UTF8.self), with: key, nowSeconds: FuzzTarget.now, rules: FuzzTarget.rules)) != nil
    try rule(!isTaken, "a signature has one spelling")
}

/// The bytes as the payload of the client's own token, and as what a server answers to it.
private func checkRefusal(_ bytes: [UInt8]) throws {
    guard let cache = CacheName("cache"), let endpoint = try? HTTPURL("http://localhost:8080/") else { return }
    let payload = Base64.encodeURL(bytes)
    for (token, body) in [("h.\(payload).s", Array("{}".utf8)), ("h.e30.s", bytes)] {
        for status in [401, 403, 404, 500] {
            let target = ResolvedCache(serverName: "local", endpoint: endpoint, token: token, cache: cache)
            let refusal = RefusedOperation(operation: .push, target: target, status: Status(status), body: body, nowSeconds: FuzzTarget.now)
            let text = "\(refusal.failure)"
            try rule(
                !text.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" || (0x7F...0x9F).contains($0.value) },
                "a terminal is shown text and nothing else: \(text.debugDescription)")
        }
    }
}
