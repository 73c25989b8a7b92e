import AtticAPI
import Crypto
import Encoding
import Testing

@Suite("Tokens")
struct TokenTests {
    /// As the reference implementation printed them; their secret is not known, so only header and claims are compared.
    static let printed: [(jwt: String, expiry: Int64, caches: [(String, Permissions)], claims: String)] = [
        (
            "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6MTY4MDI5MzMzOSwiaHR0cHM6Ly9qd3QuYXR0aWMucnMvdjEiOnsiY2FjaGVzIjp7ImhlbGxvIjp7InIiOjEsInciOjF9fX19.XJsaVfjrX5l7p9z76836KXP6Vixn41QJUfxjiK7D-LM",
            1_680_293_339, [("hello", [.pull, .push])],
            #"{"sub":"alice","exp":1680293339,"https://jwt.attic.rs/v1":{"caches":{"hello":{"r":1,"w":1}}}}"#
        ),
        (
            "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6MTY4MDI5MzQyNSwiaHR0cHM6Ly9qd3QuYXR0aWMucnMvdjEiOnsiY2FjaGVzIjp7ImFsaWNlLSoiOnsiciI6MSwidyI6MSwiY2MiOjF9fX19.MkSnK6yGDWYUVnYiJF3tQgdTlqstfWlbziFWUr-lKUk",
            1_680_293_425, [("alice-*", [.pull, .push, .createCache])],
            #"{"sub":"alice","exp":1680293425,"https://jwt.attic.rs/v1":{"caches":{"alice-*":{"r":1,"w":1,"cc":1}}}}"#
        ),
    ]

    static let key = TokenKey.hs256(secret: Array("0123456789abcdef0123456789abcdef".utf8))

    /// Signs whatever header and claims, also wrong ones.
    static func jwt(header: String = #"{"typ":"JWT","alg":"HS256"}"#, claims: String, key: TokenKey = key) -> String {
        let input = Base64.encodeURL(Array(header.utf8)) + "." + Base64.encodeURL(Array(claims.utf8))
        guard case .hs256(let secret) = key else { return input }
        return input + "." + Base64.encodeURL(HMAC.sha256(key: secret, message: Array(input.utf8)))
    }

    static func verify(_ jwt: String, now: Int64 = 1000, rules: TokenRules = TokenRules()) throws(TokenError) -> Token {
        try Token.verify(jwt, with: key, nowSeconds: now, rules: rules)
    }

    static func refusal(_ jwt: String, now: Int64 = 1000, rules: TokenRules = TokenRules()) -> TokenError? {
        do throws(TokenError) { _ = try verify(jwt, now: now, rules: rules) } catch { return error }
        return nil
    }

    static func token(_ caches: [(String, Permissions)], expiry: Int64? = 2000) throws -> Token {
        Token(subject: "alice", expirySeconds: expiry, caches: try caches.map { (try #require(CacheNamePattern($0)), $1) })
    }

    @Test("The tokens of the tutorial are made again, byte for byte up to the signature", arguments: printed.indices)
    func tutorial(index: Int) throws {
        let printed = Self.printed[index]
        let parts = printed.jwt.split(separator: ".")
        let payload = try #require(Base64.decodeURL(parts[1]))
        #expect(String(decoding: payload, as: UTF8.self) == printed.claims)

        let token = try Self.token(printed.caches, expiry: printed.expiry)
        #expect(token.claimsJSON() == printed.claims)
        let made = token.signed(with: try #require(Self.key.signer)).split(separator: ".")
        #expect(made[0] == parts[0])
        #expect(made[1] == parts[1])
        #expect(made.count == 3)
    }

    @Test("What the tutorial's claims say is what is read", arguments: printed.indices)
    func reading(index: Int) throws {
        let printed = Self.printed[index]
        let token = try Self.verify(Self.jwt(claims: printed.claims))
        #expect(token.subject == "alice")
        #expect(token.expirySeconds == printed.expiry)
        #expect(token.caches.map(\.pattern.rawValue) == printed.caches.map(\.0))
        #expect(token.caches.map(\.permissions) == printed.caches.map(\.1))
    }

    @Test("A tutorial's token does not pass with our secret")
    func otherSecret() {
        #expect(Self.refusal(Self.printed[0].jwt) == .badSignature)
    }

    @Test("HS256 is that of RFC 7515, appendix A.1")
    func rfc7515() throws {
        let secret = try #require(Base64.decodeURL(
            "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"))
        let jwt = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
            + "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
            + "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
        let token = try Token.verify(jwt, with: .hs256(secret: secret), nowSeconds: 1_300_819_379, rules: TokenRules())
        #expect(token.issuer == "joe")
        #expect(token.caches.isEmpty)
        #expect(throws: TokenError.expired(at: 1_300_819_380)) {
            try Token.verify(jwt, with: .hs256(secret: secret), nowSeconds: 1_300_819_380, rules: TokenRules())
        }
    }

    @Test("Everything that a token can hold comes back")
    func roundTrip() throws {
        let token = Token(
            subject: "a \"quoted\" é", expirySeconds: 2000, notBeforeSeconds: 500, issuedAtSeconds: 400, id: "one", issuer: "me", audiences: ["x", "y"],
            caches: [(.all, .all), (try #require(CacheNamePattern("b")), .delete), (try #require(CacheNamePattern("c")), [])])
        let read = try Self.verify(token.signed(with: try #require(Self.key.signer)), rules: TokenRules(issuer: "me", audiences: ["z", "y"]))
        #expect(read.claimsJSON() == token.claimsJSON())
        #expect(read.issuedAtSeconds == 400 && read.id == "one")
        #expect(read.caches[0].permissions == .all)
        #expect(read.caches[2].permissions == [])
    }

    @Test("The entry that equals the name wins, then the first pattern that matches; entries are not added up")
    func order() throws {
        let token = try Self.token([("te*", .push), ("*", .pull), ("test", .delete), ("*st", .destroyCache)])
        func permissions(_ name: String) throws -> Permissions { token.permissions(for: try #require(CacheName(name))) }
        #expect(try permissions("test") == .delete)
        #expect(try permissions("team") == .push)
        #expect(try permissions("best") == .pull)
        #expect(try Self.token([("a", .pull)]).permissions(for: #require(CacheName("b"))) == [])
        #expect(Permissions.delete.allowsDiscovery)
        #expect(!Permissions([]).allowsDiscovery)
    }

    @Test("A pattern given twice keeps its place and gets both permissions")
    func merging() throws {
        let token = try Self.token([("a", .pull), ("b", .pull), ("a", .push)])
        #expect(token.caches.map(\.pattern.rawValue) == ["a", "b"])
        #expect(token.caches[0].permissions == [.pull, .push])
    }

    @Test("A key never shows its secret")
    func secrecy() {
        #expect("\(Self.key)" == "HS256 key")
        #expect(String(reflecting: Self.key) == "HS256 key")
    }
}
