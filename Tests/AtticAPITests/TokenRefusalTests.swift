import AtticAPI
import Encoding
import Testing

@Suite("Tokens that are not accepted")
struct TokenRefusalTests {
    static let caches = #""https://jwt.attic.rs/v1":{"caches":{"a":{"r":1}}}"#

    @Test("An algorithm other than the configured one is refused before the signature is looked at", arguments: [
        "none", "None", "nOnE", "HS512", "RS256", "hs256", "ES256", "",
    ])
    func algorithms(name: String) {
        let jwt = TokenTests.jwt(header: "{\"alg\":\"\(name)\"}", claims: "{\(Self.caches)}")
        #expect(TokenTests.refusal(jwt) == .wrongAlgorithm(name: name, wanted: "HS256"))
        // Also with no signature at all, as alg none has it.
        let unsigned = jwt.split(separator: ".")[..<2].joined(separator: ".") + "."
        #expect(TokenTests.refusal(unsigned) == .wrongAlgorithm(name: name, wanted: "HS256"))
    }

    @Test("The name of an algorithm comes back short and printable")
    func longAlgorithm() {
        let name = String(repeating: "x", count: 500)
        #expect(TokenTests.refusal(TokenTests.jwt(header: "{\"alg\":\"\(name)\"}", claims: "{}"))
            == .wrongAlgorithm(name: String(repeating: "x", count: 32), wanted: "HS256"))
        #expect(TokenTests.refusal(TokenTests.jwt(header: #"{"alg":"\n\u001b"}"#, claims: "{}"))
            == .wrongAlgorithm(name: "??", wanted: "HS256"))
    }

    @Test("A header that asks for something unknown is refused", arguments: [
        (#"{"alg":"HS256","crit":["exp"],"exp":1}"#, "exp"), (#"{"alg":"HS256","crit":["b64"],"b64":false}"#, "b64"),
    ])
    func critical(header: String, name: String) {
        #expect(TokenTests.refusal(TokenTests.jwt(header: header, claims: "{}")) == .unknownCritical(name))
    }

    @Test("A header that is not one is malformed, whatever its signature", arguments: [
        "", "[]", "null", "{}", #"{"alg":1}"#, #"{"alg":null}"#, #"{"alg":["HS256"]}"#, #"{"alg":"HS256","alg":"HS256"}"#,
        #"{"alg":"none","alg":"HS256"}"#, #"{"alg":"HS256","crit":[]}"#, #"{"alg":"HS256","crit":"exp"}"#,
        #"{"alg":"HS256","crit":[1]}"#, #"{"alg":"HS256","crit":null}"#, #"{"alg":"HS256"} x"#, #"{"alg":"HS256""#,
    ])
    func headers(header: String) {
        guard case .malformed = TokenTests.refusal(TokenTests.jwt(header: header, claims: "{}")) else {
            Issue.record("\(header) was not malformed")
            return
        }
    }

    @Test("Unknown members of the header that nobody must understand are left alone", arguments: [
        #"{"alg":"HS256"}"#, #"{"alg":"HS256","kid":"x","typ":"at+jwt"}"#, #" { "alg" : "HS256", "jwk":{"k":"AA"} } "#,
    ])
    func harmlessHeaders(header: String) throws {
        #expect(try TokenTests.verify(TokenTests.jwt(header: header, claims: "{\(Self.caches)}")).caches.count == 1)
    }

    @Test("Text that has not three parts of base64url is malformed", arguments: [
        "", ".", "..", "a.b", "a.b.c.d", "eyJhbGciOiJIUzI1NiJ9", "eyJhbGciOiJIUzI1NiJ9.e30", "eyJhbGciOiJIUzI1NiJ9=.e30.AAAA",
        "eyJhbGciOiJIUzI1NiJ9.e30.A", "eyJhbGciOiJIUzI1NiJ9.e30.++++", " eyJhbGciOiJIUzI1NiJ9.e30.AAAA", "é.é.é",
        "eyJhbGciOiJIUzI1NiJ9.e30.AAAA.",
    ])
    func shapes(jwt: String) {
        guard case .malformed = TokenTests.refusal(jwt) else {
            Issue.record("\(jwt) was not malformed")
            return
        }
    }

    @Test("Any change of a signed token breaks it")
    func changes() throws {
        let jwt = Array(TokenTests.jwt(claims: "{\(Self.caches)}").utf8)
        for index in jwt.indices where jwt[index] != UInt8(ascii: ".") {
            var changed = jwt
            changed[index] = changed[index] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
            #expect(TokenTests.refusal(String(decoding: changed, as: UTF8.self)) != nil)
        }
        #expect(TokenTests.refusal(String(decoding: jwt.dropLast(), as: UTF8.self)) != nil)
        #expect(TokenTests.refusal(String(decoding: jwt, as: UTF8.self) + "A") != nil)
    }

    @Test("An empty signature, and one of all the wrong lengths, is a bad one")
    func signatureLengths() {
        let signed = TokenTests.jwt(claims: "{}").split(separator: ".")[..<2].joined(separator: ".")
        for count in [0, 1, 31, 33, 64] {
            let jwt = signed + "." + Base64.encodeURL([UInt8](repeating: 0, count: count))
            #expect(TokenTests.refusal(jwt) == .badSignature)
        }
    }

    @Test("A token of more than 32 KiB is refused unread, and one just below is taken")
    func huge() throws {
        #expect(TokenTests.refusal(String(repeating: "a", count: Token.byteCountMax + 1))
            == .malformed("it is longer than 32768 bytes"))
        let entries = (0..<500).map { "\"cache-\($0)-*\":{\"r\":1,\"w\":1}" }.joined(separator: ",")
        let token = try TokenTests.verify(TokenTests.jwt(claims: "{\"https://jwt.attic.rs/v1\":{\"caches\":{\(entries)}}}"))
        #expect(token.caches.count == 500)
        #expect(token.permissions(for: try #require(CacheName("cache-499-x"))) == [.pull, .push])
    }

    @Test("A token expires with its second, and fractions are rounded up", arguments: [
        ("1001", true), ("1000", false), ("999", false), ("1000.5", true), ("1000.0", false), ("999.5", false), ("1e3", false),
        ("1.0001e3", true), ("-5", false), ("9007199254740993", true), ("9e18", true),
    ])
    func expiry(text: String, isValid: Bool) {
        let refusal = TokenTests.refusal(TokenTests.jwt(claims: "{\"exp\":\(text)}"))
        if isValid { #expect(refusal == nil) } else {
            guard case .expired = refusal else { Issue.record("\(text): \(String(describing: refusal))"); return }
        }
    }

    @Test("A token is not valid before its nbf", arguments: [
        ("1000", true), ("999.5", true), ("1000.5", false), ("1001", false), ("-1", true),
    ])
    func notBefore(text: String, isValid: Bool) {
        let refusal = TokenTests.refusal(TokenTests.jwt(claims: "{\"nbf\":\(text)}"))
        if isValid { #expect(refusal == nil) } else { #expect(refusal == .notYetValid(from: 1001)) }
    }

    @Test("Without exp a token never expires")
    func noExpiry() throws {
        #expect(try TokenTests.verify(TokenTests.jwt(claims: "{}"), now: .max).expirySeconds == nil)
    }

    @Test("A token without the permissions claim is good for nothing, and unknown claims are left alone")
    func noPermissions() throws {
        let token = try TokenTests.verify(TokenTests.jwt(claims: #"{"sub":"a","jti":"x","x":{"y":[1,2]}}"#))
        #expect(token.caches.isEmpty)
    }

    @Test("Issuer and audience are checked where the server asks for them")
    func rules() {
        func refusal(_ claims: String, _ rules: TokenRules) -> TokenError? {
            TokenTests.refusal(TokenTests.jwt(claims: claims), rules: rules)
        }
        #expect(refusal(#"{"iss":"a"}"#, TokenRules(issuer: "a")) == nil)
        #expect(refusal(#"{"iss":"b"}"#, TokenRules(issuer: "a")) == .wrongIssuer)
        #expect(refusal("{}", TokenRules(issuer: "a")) == .wrongIssuer)
        #expect(refusal(#"{"iss":"b","aud":"c"}"#, TokenRules()) == nil)
        #expect(refusal(#"{"aud":"a"}"#, TokenRules(audiences: ["a", "b"])) == nil)
        #expect(refusal(#"{"aud":["x","b"]}"#, TokenRules(audiences: ["a", "b"])) == nil)
        #expect(refusal(#"{"aud":["x"]}"#, TokenRules(audiences: ["a", "b"])) == .wrongAudience)
        #expect(refusal("{}", TokenRules(audiences: ["a"])) == .wrongAudience)
    }

    @Test("Claims of the wrong kind are malformed", arguments: [
        "[]", "x", #"{"sub":1}"#, #"{"sub":null}"#, #"{"exp":"1"}"#, #"{"exp":null}"#, #"{"exp":1e300}"#, #"{"nbf":true}"#, #"{"iss":[]}"#,
        #"{"aud":1}"#, #"{"aud":[1]}"#, #"{"exp":3000,"exp":4000}"#, #"{"https://jwt.attic.rs/v1":1}"#, #"{"https://jwt.attic.rs/v1":{}}"#,
        #"{"https://jwt.attic.rs/v1":{"caches":[]}}"#, #"{"https://jwt.attic.rs/v1":{"caches":{"a":1}}}"#,
        #"{"https://jwt.attic.rs/v1":{"caches":{"a":{"r":2}}}}"#, #"{"https://jwt.attic.rs/v1":{"caches":{"a":{"r":true}}}}"#,
        #"{"https://jwt.attic.rs/v1":{"caches":{"a":{"r":"1"}}}}"#, #"{"https://jwt.attic.rs/v1":{"caches":{"a":{"r":1.5}}}}"#,
        #"{"https://jwt.attic.rs/v1":{"caches":{"a/b":{"r":1}}}}"#, #"{"https://jwt.attic.rs/v1":{"caches":{"":{"r":1}}}}"#,
        #"{"https://jwt.attic.rs/v1":{"caches":{"a":{"r":1},"a":{"w":1}}}}"#,
        #"{"https://jwt.attic.rs/v1":{"caches":{"a":{"r":0,"r":1}}}}"#,
    ])
    func claims(claims: String) {
        guard case .malformed = TokenTests.refusal(TokenTests.jwt(claims: claims)) else {
            Issue.record("\(claims) was not malformed")
            return
        }
    }

    @Test("An entry's unknown members and zeros grant nothing")
    func zeros() throws {
        let claims = #"{"https://jwt.attic.rs/v1":{"caches":{"a":{"r":0,"x":7,"cd":1}},"more":1}}"#
        #expect(try TokenTests.verify(TokenTests.jwt(claims: claims)).caches.map(\.permissions) == [.destroyCache])
    }

    @Test("No reason holds the token")
    func reasons() {
        let jwt = TokenTests.jwt(claims: #"{"exp":1}"#)
        #expect(TokenTests.refusal(jwt)?.description.contains(jwt.prefix(20)) == false)
    }
}
