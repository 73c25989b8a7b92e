import AtticAPI
import Crypto
import Encoding
import Testing

/// What somebody might do to a token, or make in place of one, to be let in. All of it against one good token, at one time.
private struct TokenAttack: CustomTestStringConvertible {
    let testDescription: String
    let jwt: String
    /// The kind of refusal, by the beginning of its words.
    let refusal: String

    init(_ name: String, _ jwt: String, _ refusal: String) {
        (testDescription, self.jwt, self.refusal) = (name, jwt, refusal)
    }

    static let caches = #""https://jwt.attic.rs/v1":{"caches":{"*":{"r":1,"w":1}}}"#
    static let claims = #"{"sub":"alice","exp":2000,"iat":900,\#(caches)}"#
    static let header = #"{"typ":"JWT","alg":"HS256"}"#
    static let good = TokenTests.jwt(claims: claims)
    private static let parts = good.split(separator: ".").map(String.init)
    private static let signature = Base64.decodeURL(parts[2]) ?? []

    private static func encoded(_ text: String) -> String { Base64.encodeURL(Array(text.utf8)) }
    private static func encoded(_ bytes: [UInt8]) -> String { Base64.encodeURL(bytes) }
    private static func joined(_ parts: String...) -> String { parts.joined(separator: ".") }

    /// Signed with the server's secret over whatever bytes these are.
    private static func signed(header: [UInt8], claims: [UInt8]) -> String {
        let input = joined(encoded(header), encoded(claims))
        guard case .hs256(let secret) = TokenTests.key else { return input }
        return joined(input, encoded(HMAC.sha256(key: secret, message: Array(input.utf8))))
    }

    private static func withHeader(_ text: String) -> String { signed(header: Array(text.utf8), claims: Array(claims.utf8)) }
    private static func withClaims(_ text: String) -> String { TokenTests.jwt(claims: text) }
    private static func alg(_ name: String) -> String { withHeader(#"{"alg":"\#(name)"}"#) }

    /// The good token with a public key as its secret, which everybody knows.
    private static let publicKey = """
        -----BEGIN PUBLIC KEY-----
        MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAu1SU1LfVLPHCozMxH2Mo4lgOEePzNm0tRgeLezV6ffAt0gunVTLw7onLRnrq0/IzW7yWR7QkrmBL7jTKEn5u
        -----END PUBLIC KEY-----

        """
    private static func underPublicKey(_ header: String) -> String {
        TokenTests.jwt(header: header, claims: claims, key: .hs256(secret: Array(publicKey.utf8)))
    }
    private static let ownKey = TokenKey.hs256(secret: Array("the attacker's own key, which is long enough".utf8))

    /// A token whose signature has a character of either alphabet.
    private static let oddSignature: String = {
        let all = (0..<200).lazy.map { withClaims(#"{"sub":"\#($0)","exp":2000}"#) }
        return all.first { $0.suffix(43).contains { $0 == "-" || $0 == "_" } } ?? good
    }()

    private static func nested(_ depth: Int) -> String {
        String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }

    /// The last character of 43 has two bits that stand for nothing.
    private static let respelled: String = {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        guard let last = good.last, let index = alphabet.firstIndex(of: last) else { return good }
        return String(good.dropLast()) + String(alphabet[index | 1])
    }()

    static let all: [TokenAttack] = [
        algorithms, unsigned, otherKeys, signatures, shapes, critical, ownKeys, json, expiries, oddExpiries, beginnings, makings, wrongKinds,
        wrongAudiences, wrongEntries, wrongNames, wrongFlags, repeatedEntries,
    ].flatMap { $0 }

    private static let algorithms: [TokenAttack] =
        ["none", "None", "NONE", "nOnE", "none ", "", "hs256", "Hs256", "HS256 ", "HS384", "HS512", "RS256", "ES256", "PS256", "EdDSA", "HS256\\u0000"].map {
            TokenAttack("alg \($0), signed with the secret", alg($0), "the token is signed with")
        }

    private static let unsigned: [TokenAttack] =
        ["none", "None", "NONE", "nOnE"].map {
            TokenAttack("alg \($0) and no signature", joined(encoded(#"{"alg":"\#($0)"}"#), parts[1], ""), "the token is signed with")
        }

    private static let otherKeys: [TokenAttack] = [
            TokenAttack("no alg", withHeader(#"{"typ":"JWT"}"#), "the token is malformed"),
            TokenAttack("alg null", withHeader(#"{"alg":null}"#), "the token is malformed"),
            TokenAttack("alg a list", withHeader(#"{"alg":["HS256"]}"#), "the token is malformed"),
            TokenAttack("alg twice", withHeader(#"{"alg":"none","alg":"HS256"}"#), "the token is malformed"),
            TokenAttack("alg twice, once with escapes", withHeader(#"{"alg":"HS256","\u0061lg":"none"}"#), "the token is malformed"),
            TokenAttack("RS256 with the public key as secret", underPublicKey(#"{"alg":"RS256"}"#), "the token is signed with"),
            TokenAttack("HS256 with a public key as secret", underPublicKey(header), "the token's signature is wrong"),
            TokenAttack("an empty secret", TokenTests.jwt(claims: claims, key: .hs256(secret: [])), "the token's signature is wrong"),
        ]

    private static let signatures: [TokenAttack] = [
        TokenAttack("none", joined(parts[0], parts[1], ""), "the token's signature is wrong"),
        TokenAttack("one byte of it", joined(parts[0], parts[1], encoded(Array(signature.prefix(1)))), "the token's signature is wrong"),
        TokenAttack("all but a byte of it", joined(parts[0], parts[1], encoded(Array(signature.dropLast()))), "the token's signature is wrong"),
        TokenAttack("a byte more", joined(parts[0], parts[1], encoded(signature + [0])), "the token's signature is wrong"),
        TokenAttack("twice", joined(parts[0], parts[1], encoded(signature + signature)), "the token's signature is wrong"),
        TokenAttack("zeros", joined(parts[0], parts[1], encoded([UInt8](repeating: 0, count: 32))), "the token's signature is wrong"),
        TokenAttack("the last bit changed", joined(parts[0], parts[1], encoded(signature.dropLast() + [(signature.last ?? 0) ^ 1])), "the token's signature is wrong"),
        TokenAttack("cut by a character", String(good.dropLast()), "the token"),
        TokenAttack("with padding", good + "=", "the token is malformed"),
        TokenAttack("with bits that stand for nothing", respelled, "the token is malformed"),
        TokenAttack(
            "in the other alphabet", oddSignature.dropLast(43) + String(oddSignature.suffix(43).map { $0 == "-" ? "+" : $0 == "_" ? "/" : $0 }),
            "the token is malformed"),
        TokenAttack("of another token", joined(parts[0], parts[1], String(withClaims("{}").suffix(43))), "the token's signature is wrong"),
        TokenAttack("of other claims", joined(parts[0], encoded(#"{"sub":"root",\#(caches)}"#), parts[2]), "the token's signature is wrong"),
        TokenAttack("of another header", joined(encoded(#"{"alg":"HS256"}"#), parts[1], parts[2]), "the token's signature is wrong"),
        TokenAttack("by the attacker's key", TokenTests.jwt(claims: claims, key: ownKey), "the token's signature is wrong"),
        TokenAttack(
            "over claims as they are (b64)", {
                guard case .hs256(let secret) = TokenTests.key else { return "" }
                let head = encoded(#"{"alg":"HS256","b64":false}"#)
                return joined(head, parts[1], encoded(HMAC.sha256(key: secret, message: Array("\(head).\(claims)".utf8))))
            }(), "the token's signature is wrong"),
    ]

    private static let shapes: [TokenAttack] = [
        TokenAttack("nothing", "", "the token is malformed"), TokenAttack("dots", "..", "the token is malformed"),
        TokenAttack("two parts", joined(parts[0], parts[1]), "the token is malformed"),
        TokenAttack("four parts", good + ".", "the token is malformed"),
        TokenAttack("five parts, as of an encrypted one", joined(parts[0], "", parts[1], "", parts[2]), "the token is malformed"),
        TokenAttack("a dot before it", "." + good, "the token is malformed"),
        TokenAttack("two tokens", good + ", " + good, "the token is malformed"),
        TokenAttack("a line end behind it", good + "\n", "the token is malformed"),
        TokenAttack("a space before it", " " + good, "the token is malformed"),
        TokenAttack("a NUL behind it", good + "\0", "the token is malformed"),
        TokenAttack("header with padding", joined(parts[0] + "=", parts[1], parts[2]), "the token is malformed"),
        TokenAttack("claims with white space", joined(parts[0], parts[1] + " ", parts[2]), "the token"),
        TokenAttack("32 KiB and more", joined(parts[0], parts[1], String(repeating: "A", count: Token.byteCountMax)), "the token is malformed"),
    ]

    private static let critical: [TokenAttack] = [
        TokenAttack("crit of something unknown", withHeader(#"{"alg":"HS256","crit":["exp"],"exp":1}"#), "the token needs the extension"),
        TokenAttack("crit of b64", withHeader(#"{"alg":"HS256","crit":["b64"],"b64":true}"#), "the token needs the extension"),
        TokenAttack("crit empty", withHeader(#"{"alg":"HS256","crit":[]}"#), "the token is malformed"),
        TokenAttack("crit not a list", withHeader(#"{"alg":"HS256","crit":"b64"}"#), "the token is malformed"),
    ]

    private static let ownKeys: [TokenAttack] = [
        #""jwk":{"kty":"oct","k":"dGhlIGF0dGFja2VyJ3Mgb3duIGtleSwgd2hpY2ggaXMgbG9uZyBlbm91Z2g"}"#, #""jku":"http://127.0.0.1:1/keys""#,
        #""x5u":"http://127.0.0.1:1/chain""#, #""x5c":["MIIB"]"#, #""kid":"../../../../dev/null""#, #""kid":"' UNION SELECT 'x""#,
    ].map { member in
        TokenAttack("a key of its own: \(member)", TokenTests.jwt(header: #"{"alg":"HS256",\#(member)}"#, claims: claims, key: ownKey), "the token's signature is wrong")
    }

    private static let json: [TokenAttack] = [
        TokenAttack("header no JSON", withHeader("alg=HS256"), "the token is malformed"),
        TokenAttack("header a list", withHeader(#"["HS256"]"#), "the token is malformed"),
        TokenAttack("header with something behind it", withHeader(Self.header + "{}"), "the token is malformed"),
        TokenAttack("header nested deep", withHeader(#"{"alg":"HS256","x":\#(nested(1000))}"#), "the token is malformed"),
        TokenAttack("header with a byte order mark", signed(header: [0xEF, 0xBB, 0xBF] + Array(Self.header.utf8), claims: Array(claims.utf8)), "the token is malformed"),
        TokenAttack("header of invalid UTF-8", signed(header: Array(#"{"alg":"HS256","x":""#.utf8) + [0xC0, 0x80] + Array("\"}".utf8), claims: Array(claims.utf8)), "the token is malformed"),
        TokenAttack("header in UTF-16", signed(header: Array(Self.header.utf8).flatMap { [$0, 0] }, claims: Array(claims.utf8)), "the token is malformed"),
        TokenAttack("header with half a surrogate", withHeader(#"{"alg":"HS256","x":"\ud800"}"#), "the token is malformed"),
        TokenAttack("claims no JSON", withClaims("sub=alice"), "the token is malformed"),
        TokenAttack("claims a text", withClaims("\"alice\""), "the token is malformed"),
        TokenAttack("claims nested deep", withClaims(#"{"exp":2000,"x":\#(nested(5000))}"#), "the token is malformed"),
        TokenAttack("claims of invalid UTF-8", signed(header: Array(Self.header.utf8), claims: Array(#"{"sub":""#.utf8) + [0xFF] + Array("\"}".utf8)), "the token is malformed"),
        TokenAttack("claims with half a surrogate", withClaims(#"{"sub":"\udc00"}"#), "the token is malformed"),
        TokenAttack("claims with a NUL behind them", withClaims(claims + "\0"), "the token is malformed"),
        TokenAttack("exp twice", withClaims(#"{"exp":1,"exp":2000}"#), "the token is malformed"),
        TokenAttack("exp twice, once with escapes", withClaims(#"{"exp":1,"e\u0078p":2000}"#), "the token is malformed"),
        TokenAttack("permissions twice", withClaims(#"{\#(caches),\#(caches)}"#), "the token is malformed"),
    ]

    private static func timed(_ text: String, _ refusal: String) -> TokenAttack { TokenAttack(text, withClaims("{\(text),\(caches)}"), refusal) }

    private static let expiries: [TokenAttack] =
        ["1000", "999", "0", "-1", "-1e18", "1e3", "999.9", "-9223372036854775808"].map { timed("\"exp\":\($0)", "the token has expired") }

    private static let oddExpiries: [TokenAttack] =
        [
            "\"2000\"", "null", "true", "[2000]", "{}", "1e300", "-1e300", "9223372036854775808", "1e19", "99999999999999999999999999",
            "0x7d0", "2000.", "+2000", "02000", "NaN", "Infinity", "1e400",
        ].map { timed("\"exp\":\($0)", "the token is malformed") }

    private static let beginnings: [TokenAttack] =
        ["1001", "1000.5", "9e18"].map { timed("\"nbf\":\($0)", "the token is not valid yet") }

    private static let makings: [TokenAttack] =
        ["1301", "1300.5", "9223372036854775807", "9e18"].map { timed("\"iat\":\($0)", "the token says that it was made in the future") }

    private static let wrongKinds: [TokenAttack] =
        [
            "\"sub\":1", "\"sub\":null", "\"sub\":[\"a\"]", "\"sub\":{}", "\"jti\":1", "\"jti\":null", "\"jti\":[\"a\"]", "\"iss\":1", "\"iss\":null",
            "\"iss\":[\"a\"]", "\"nbf\":\"1\"", "\"nbf\":1e300", "\"nbf\":false", "\"iat\":\"900\"", "\"iat\":1e300", "\"iat\":null",
        ].map { timed($0, "the token is malformed") }

    private static let wrongAudiences: [TokenAttack] =
        ["1", "null", "{}", "[1]", "[\"a\",null]", "[[\"a\"]]"].map { timed("\"aud\":\($0)", "the token is malformed") }

    private static func entry(_ json: String) -> TokenAttack {
        TokenAttack(json, withClaims(#"{"exp":2000,"https://jwt.attic.rs/v1":\#(json)}"#), "the token is malformed")
    }

    private static let wrongEntries: [TokenAttack] =
        ["1", "null", "[]", "{}", #"{"caches":null}"#, #"{"caches":[]}"#, #"{"caches":"*"}"#, #"{"caches":{"a":true}}"#, #"{"caches":{"a":["r"]}}"#].map(entry)

    private static let wrongNames: [TokenAttack] =
        ["", " ", "a ", "a/b", "..", ".", "-a", "_a", "+a", "a.b", "a\\u0000", "\\u0000", "é", "ａ", "a\\n", "?", "[a]", String(repeating: "a", count: 51), String(repeating: "*", count: 51)]
            .map { entry(#"{"caches":{"\#($0)":{"r":1}}}"#) }

    private static let wrongFlags: [TokenAttack] =
        ["true", "\"1\"", "1.0", "1e0", "2", "-1", "null", "[1]", "9223372036854775808"].map { entry(#"{"caches":{"a":{"r":\#($0)}}}"#) }

    private static let repeatedEntries: [TokenAttack] =
        [entry(#"{"caches":{"a":{"r":1},"a":{"w":1}}}"#), entry(#"{"caches":{"a":{"r":1,"r":0}}}"#), entry(#"{"caches":{},"caches":{"*":{"r":1}}}"#)]
}

@Suite("Attacks on tokens")
struct TokenAttackTests {
    @Test("the token that they are made of is good")
    func good() throws {
        #expect(try TokenTests.verify(TokenAttack.good).permissions(for: #require(CacheName("a"))) == [.pull, .push])
    }

    @Test("get nobody in", arguments: TokenAttack.all)
    fileprivate func refused(_ attack: TokenAttack) {
        let refusal = TokenTests.refusal(attack.jwt)
        #expect(refusal?.description.hasPrefix(attack.refusal) == true, "\(refusal.map { "\($0)" } ?? "it was accepted")")
        // What is told is short, and holds nothing of a signature.
        #expect(refusal.map { $0.description.utf8.count < 200 } ?? true)
        if attack.jwt.utf8.count > 60 { #expect(refusal?.description.contains(attack.jwt.suffix(12)) != true) }
    }

    @Test("by what a header says beside its algorithm change nothing where the signature is good", arguments: [
        #""kid":"x""#, #""jwk":{"kty":"oct","k":"AAAA"}"#, #""jku":"http://127.0.0.1:1/""#, #""x5u":"http://127.0.0.1:1/""#, #""typ":"JWE""#,
        #""typ":1"#, #""cty":"JWT""#, #""b64":false"#, #""zip":"DEF""#, #""enc":"A256GCM""#,
    ])
    func ignored(member: String) throws {
        let jwt = TokenTests.jwt(header: #"{"alg":"HS256",\#(member)}"#, claims: TokenAttack.claims)
        #expect(try TokenTests.verify(jwt).subject == "alice")
    }

    @Test("by what is not a permission grant nothing", arguments: [
        "{}", #"{"R":1}"#, #"{"r ":1}"#, #"{"pull":1}"#, #"{"*":1}"#, #"{"admin":true}"#, #"{"\u0000r":1}"#, #"{"r":0}"#,
    ])
    func nothingGranted(entry: String) throws {
        let token = try TokenTests.verify(TokenTests.jwt(claims: #"{"https://jwt.attic.rs/v1":{"caches":{"*":\#(entry)}}}"#))
        #expect(token.permissions(for: try #require(CacheName("a"))).isEmpty)
    }

    @Test("by clocks: one that is a little ahead makes tokens that are good at once")
    func clocks() throws {
        #expect(try TokenTests.verify(TokenTests.jwt(claims: #"{"iat":1300}"#)).issuedAtSeconds == 1300)
        #expect(try TokenTests.verify(TokenTests.jwt(claims: #"{"iat":-5}"#)).issuedAtSeconds == -5)
    }

    @Test("by issuers and audiences that look alike", arguments: ["", "A", "a ", "b", "a\\u0000", "aa"])
    func names(name: String) {
        #expect(TokenTests.refusal(TokenTests.jwt(claims: #"{"iss":"\#(name)"}"#), rules: TokenRules(issuer: "a")) == .wrongIssuer)
        #expect(TokenTests.refusal(TokenTests.jwt(claims: #"{"aud":["x","\#(name)"]}"#), rules: TokenRules(audiences: ["a"])) == .wrongAudience)
        #expect(TokenTests.refusal(TokenTests.jwt(claims: #"{"aud":[]}"#), rules: TokenRules(audiences: ["a"])) == .wrongAudience)
    }

    @Test("Pull everywhere is what a pattern for every cache grants, where none takes it back")
    func everywhere() throws {
        #expect(try TokenTests.token([("*", .pull)]).allowsEverywhere(.pull))
        #expect(try TokenTests.token([("a", .all), ("*", .pull)]).allowsEverywhere(.pull))
        #expect(try !TokenTests.token([("a", .push), ("*", .pull)]).allowsEverywhere(.pull))
        #expect(try !TokenTests.token([("a*", .pull)]).allowsEverywhere(.pull))
        #expect(try !TokenTests.token([]).allowsEverywhere(.pull))
    }
}
