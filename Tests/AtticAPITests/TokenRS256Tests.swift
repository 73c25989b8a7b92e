import AtticAPI
import Crypto
import Encoding
import Support
import Testing

/// Tokens under RS256, and what somebody might make of knowing the public key. Beside `TokenAttackTests`, whose key is HS256.
@Suite("Tokens signed with RSA")
struct TokenRS256Tests {
    private static let keys: [TokenKey] = {
        guard
            let privateKey = try? RSAPrivateKey(pem: Array(RSAKeys.privatePKCS1.utf8)),
            let publicKey = try? RSAPublicKey(pem: Array(RSAKeys.publicKey.utf8))
        else { return [] }
        return [.rs256(privateKey), .rs256PublicKey(publicKey)]
    }()

    private static func refusal(_ jwt: String, _ key: TokenKey) -> String? {
        do throws(TokenError) { _ = try Token.verify(jwt, with: key, nowSeconds: 1000, rules: TokenRules()) } catch { return error.description }
        return nil
    }

    private static let parts = RSAKeys.token.split(separator: ".").map(String.init)
    private static let signature = Base64.decodeURL(parts[2]) ?? []
    private static func encoded(_ bytes: some Collection<UInt8>) -> String { Base64.encodeURL(Array(bytes)) }
    /// The good token's claims under another header and signature.
    private static func token(_ header: String, _ sign: (String) -> [UInt8]) -> String {
        let input = "\(encoded(header.utf8)).\(parts[1])"
        return "\(input).\(encoded(sign(input)))"
    }

    /// Texts that everybody has who has the public key.
    private static let publicTexts: [String] = [
        RSAKeys.publicKey, String(RSAKeys.publicKey.dropLast()), RSAKeys.publicPKCS1, RSAKeys.certificate,
        RSAKeys.publicKey.split(separator: "\n").dropFirst().dropLast().joined(), RSAKeys.publicKey.replacing("\n", with: "\r\n"),
        Base64.encode(Array(RSAKeys.publicKey.utf8)),
    ]

    private static let attacks: [(name: String, jwt: String, refusal: String)] = {
        var attacks: [(String, String, String)] = []
        for (index, text) in publicTexts.enumerated() {
            for alg in ["HS256", "HS384", "hs256"] {
                attacks.append(("\(alg) under the public key's text \(index)", token(#"{"alg":"\#(alg)"}"#) { HMAC.sha256(key: Array(text.utf8), message: Array($0.utf8)) }, "the token is signed with"))
            }
            attacks.append(("an HMAC that says RS256, under text \(index)", token(#"{"alg":"RS256"}"#) { HMAC.sha256(key: Array(text.utf8), message: Array($0.utf8)) }, "the token's signature is wrong"))
        }
        for alg in ["none", "None", "NONE", "nOnE", ""] {
            attacks.append(("alg \(alg) without signature", token(#"{"alg":"\#(alg)"}"#) { _ in [] }, "the token is signed with"))
        }
        for alg in ["rs256", "RS256 ", "RS384", "RS512", "PS256", "ES256", "EdDSA", "RS256\\u0000"] {
            attacks.append(("alg \(alg) with the good signature", token(#"{"alg":"\#(alg)"}"#) { _ in signature }, "the token is signed with"))
        }
        let signatures: [(String, [UInt8])] = [
            ("none", []), ("zeros", [UInt8](repeating: 0, count: 256)), ("the number 1", [UInt8](repeating: 0, count: 255) + [1]),
            ("ones", [UInt8](repeating: 0xFF, count: 256)), ("a byte less", signature.dropLast()), ("a byte more", [0] + signature),
            ("twice", signature + signature), ("a bit changed", signature.dropLast() + [(signature.last ?? 0) ^ 1]),
        ]
        attacks += signatures.map { ("signature: \($0.0)", "\(parts[0]).\(parts[1]).\(encoded($0.1))", "the token's signature is wrong") }
        attacks.append(("a signature in base64 with padding", RSAKeys.token + "==", "the token is malformed"))
        attacks.append(("of other claims", "\(parts[0]).\(encoded(#"{"sub":"root"}"#.utf8)).\(parts[2])", "the token's signature is wrong"))
        attacks.append(("of another header", "\(encoded(#"{"alg":"RS256"}"#.utf8)).\(parts[1]).\(parts[2])", "the token's signature is wrong"))
        for member in [#""jwk":{"kty":"RSA","n":"AQAB","e":"AQ"}"#, #""x5c":["MIIB"]"#, #""jku":"http://127.0.0.1:1/keys""#] {
            attacks.append(("a key of its own: \(member)", token(#"{"alg":"RS256",\#(member)}"#) { _ in signature }, "the token's signature is wrong"))
        }
        return attacks
    }()

    @Test("are those that openssl signs, byte for byte")
    func signing() throws {
        let token = Token(subject: "alice", expirySeconds: 2000, issuedAtSeconds: 900, caches: [(.all, [.pull, .push])])
        let signer = try #require(Self.keys.first?.signer)
        let made = token.signed(with: signer)
        #expect(made.hasPrefix(Self.parts[0] + "."))
        #expect(Self.keys.count == 2)
        for key in Self.keys {
            #expect(try Token.verify(made, with: key, nowSeconds: 1000, rules: TokenRules()).claimsJSON() == token.claimsJSON())
            let theirs = try Token.verify(RSAKeys.token, with: key, nowSeconds: 1000, rules: TokenRules())
            #expect(theirs.permissions(for: try #require(CacheName("a"))) == [.pull, .push])
            #expect(Self.refusal(RSAKeys.token, key) == nil)
            #expect("\(key)" == "RS256 key")
        }
    }

    @Test("by another key are refused, and a public key makes none")
    func others() throws {
        let other = try RSAPrivateKey(pem: Array(Self.otherKey.utf8))
        let jwt = Token(subject: "alice", expirySeconds: 2000, caches: [(.all, .all)]).signed(with: .rs256(other))
        for key in Self.keys { #expect(Self.refusal(jwt, key)?.hasPrefix("the token's signature is wrong") == true) }
        #expect(Self.refusal(jwt, .rs256PublicKey(other.publicKey)) == nil)
        #expect(Self.keys.last?.signer == nil)
        #expect(Self.refusal(jwt, TokenTests.key) == "the token is signed with \"RS256\"; this server takes HS256")
    }

    @Test("let nobody in who knows the public key", arguments: attacks.indices)
    func refused(index: Int) {
        let attack = Self.attacks[index]
        for key in Self.keys {
            let refusal = Self.refusal(attack.jwt, key)
            #expect(refusal?.hasPrefix(attack.refusal) == true, "\(attack.name): \(refusal ?? "it was accepted")")
        }
    }

    private static let otherKey = """
        -----BEGIN RSA PRIVATE KEY-----
        MIIEpAIBAAKCAQEAozwSecrxBuEAwBMNJa2tO8wr9H6K+ln8fw5Zgr2XTX3eiMMK
        2Sbc3avMKetqCMTgOo5/wnd6oC9CwN9CKL4O0nsDSudjoX7pQnFnnawKXpKFUVKY
        mpgYtevhZf63CA2SeITkisyW8kfG+kP8TjHSxDgv/jdVmwLYCWOw73Uu1zwWXnzH
        1+AMHBaoCCwFary9LAu4X2LsMHl8mez4XpBbQ4mdXGXn6zU7hxJ9pUcNC+E9cMwj
        AuQKm3KZSOhdm9E2rbg/6v/m5FFKLRlyR6BNWRehe7/u2WwUGXMFLxoUprBkYV0H
        cWWFF9gSbKLUu/hmD/qI3DnYJio2eA6KoIg0/QIDAQABAoIBACIpWsaBadLiOOl5
        szks8UG/93z6FLTTK0wd4S7C5czSaEWf5//NKdD8eMRXH8BJD5JBq0wz/AZVDbfW
        oX5sVCbJlsVQyqGMMV315NTzIdJsAJml2wkThqxf+rKBTaXSTVKKoVfI/FglHGfY
        3Y8xzyXAio693t0LidHhOrDKieyCMYkQHtZagtpSef3ex9NZhjg7YeWuWlK/mYSI
        CvdGMX1wGdV9PaPd/ueuKPaTOhB1tY6YJe5yWi1wzkj69wKMcnJiIhj/R9Vcrn5L
        GpxE9WBOIblaW5/3bRVjEmfNVliddsxkPb46a2ZdtWeH/mxcvBJtOxACVs9IUMAt
        6bG1FUMCgYEA2KX/tDkZzkGvxb3g2z+7pHkBJn+xzqQp388axmqVj1QXfz84AxRB
        w6oJbnX5bevG35dQdL6NnPP+NiETnK81sFpqtLYkJoq+HYzMY6eFbiYH8iAps+TO
        T+9WoZ7ZGAPCU1hC9am1427KQx+r5uiWXkli0gzCN15e6digsbqIUFcCgYEAwOJe
        teTyxcGXBkUXH305+hC4FjK/GtI0HSr0P98I2LC/kCMJ58SelYALigFpZt/5Z2Qa
        tysbRs6HuFZeHBC02mx9ZrbE6JbJWitVupRHhnOkXrTekST+uuabINQ+9+C0khHK
        JxYyiUKGZj15eRQoK4jvuqtq66mGx4gwJwTDgMsCgYEAkRejR5zSRotBX8pJtCxb
        y8vqVFFC0KSrEqPOR8IMBeCImATLy2wemx7ekCbcdJxqJUZecMFJcCsMPk4qp03E
        RCZZvksZrOJQbtPj8n2348v+mE6n/z2mWmxs9XK/69BgrZa3yXTuRrHlLc0hQFTW
        l7DISOqYi6JdKHmXLVBCiKMCgYEAkDgyLLr1MxweuhdqxKazdOCPZDmpXnqRcMWv
        Pxqa2Lq/YRxxyZPgJ1RITHXlw3/wUXgt6YsXqAfAvvoE/+MV9sNruCMsc+RaxUrl
        nM5F9Kf+3LlMOSZ6OHE4yIEqW9jt6tHWXwdf3fWZ3FRWwUtrBbIr3V1SYsas+gBA
        UMxlCaUCgYAJzRO1I3YqbWBwsaTskGKy8uLGIurYrzJ9PAkF/yRA0ZdUhigHF04K
        a7BJKsbqB2GamTZ1Tx7/JNYz3GMCtW0zn0wyr//zWcEZoXf9XXaIaEaXaFRr+KQ7
        bCTlo8gVF3ZLIs4cVOLt9N0oeirB7BiHDjle+MoF9BAj4JFmbIyFvw==
        -----END RSA PRIVATE KEY-----

        """
}
