import AtticAPI
@testable import AtticServer
import Encoding
import Support
import Testing

@Suite("Making tokens by hand")
struct ConfigurationMakeTokenTests {
    private func refusal(_ subject: String, _ validity: String, _ pattern: String) -> String? {
        do throws(MakeToken.UsageError) {
            _ = try MakeToken(subject: subject, validity: validity, grants: [.init(.pull, pattern)])
        } catch { return error.description }
        return nil
    }

    @Test("The tutorial's arguments give the tutorial's claims")
    func tutorial() throws {
        let configuration = try ConfigurationTests.parse(ConfigurationTests.minimal)
        let request = try MakeToken(
            subject: "alice", validity: "3 months",
            grants: [.init(.pull, "alice-*"), .init(.push, "alice-*"), .init(.createCache, "alice-*")],
            id: "00112233445566778899aabbccddeeff")
        let now: Int64 = 1_680_293_425 - 7_890_048
        #expect(try request.output(for: configuration, nowSeconds: now, dumpsClaims: true)
            == #"{"sub":"alice","exp":1680293425,"https://jwt.attic.rs/v1":{"caches":{"alice-*":{"r":1,"w":1,"cc":1}}},"iat":1672403377,"jti":"00112233445566778899aabbccddeeff"}"#)
        let jwt = try request.output(for: configuration, nowSeconds: now, dumpsClaims: false)
        #expect(jwt.hasPrefix("eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6MTY4MDI5MzQyNSwiaHR0cHM6Ly9qd3QuYXR0aWMucnMvdjEiOnsiY2FjaGVzIjp7ImFsaWNlLSoiOnsiciI6MSwidyI6MSwiY2MiOjF9f"))
        let token = try Token.verify(jwt, with: configuration.tokenKey, nowSeconds: now, rules: configuration.tokenRules)
        #expect(token.caches.map(\.permissions) == [[.pull, .push, .createCache]])
    }

    @Test("Patterns stay in the order in which they were first given")
    func order() throws {
        let request = try MakeToken(
            subject: "a", validity: "1s",
            grants: [.init(.push, "b*"), .init(.pull, "a*"), .init(.delete, "b*"), .init(.destroyCache, "*")])
        let token = request.token(for: try ConfigurationTests.parse(ConfigurationTests.minimal), nowSeconds: 10)
        #expect(token.caches.map(\.pattern.rawValue) == ["b*", "a*", "*"])
        #expect(token.caches.map(\.permissions) == [[.push, .delete], .pull, .destroyCache])
        #expect(token.expirySeconds == 11)
    }

    @Test("A token is for the server's issuer and audiences")
    func rules() throws {
        let configuration = try ConfigurationTests.parse(
            ConfigurationTests.with("token-bound-issuer = \"me\"\ntoken-bound-audiences = [\"a\", \"b\"]", in: "jwt"))
        let request = try MakeToken(subject: "x", validity: "1 day", grants: [])
        let jwt = try request.output(for: configuration, nowSeconds: 0, dumpsClaims: false)
        let token = try Token.verify(jwt, with: configuration.tokenKey, nowSeconds: 0, rules: configuration.tokenRules)
        #expect(token.issuer == "me")
        #expect(token.audiences == ["a", "b"])
    }

    @Test("With a private key of RSA a token is made, with a public one only its claims")
    func rs256() throws {
        let request = try MakeToken(subject: "x", validity: "1 day", grants: [.init(.pull, "*")])
        let signing = try ConfigurationTests.parse(ConfigurationTests.keyed("token-rs256-secret-base64", RSAKeys.privatePKCS1))
        let checking = try ConfigurationTests.parse(ConfigurationTests.keyed("token-rs256-pubkey-base64", RSAKeys.publicKey))
        let jwt = try request.output(for: signing, nowSeconds: 0, dumpsClaims: false)
        for configuration in [signing, checking] {
            #expect(try Token.verify(jwt, with: configuration.tokenKey, nowSeconds: 0, rules: configuration.tokenRules).subject == "x")
            #expect(try request.output(for: configuration, nowSeconds: 0, dumpsClaims: true).contains("\"sub\":\"x\""))
        }
        do throws(TokenKeyError) {
            _ = try request.output(for: checking, nowSeconds: 0, dumpsClaims: false)
            Issue.record("a public key has signed")
        } catch { #expect(error.description.hasPrefix("cannot sign tokens with the public key of [jwt.signing]")) }
    }

    @Test("A wrong argument is named with what is allowed")
    func usage() {
        #expect(refusal("a", "1 day", "x*") == nil)
        #expect(refusal("", "1 day", "x") == "--sub is empty; name who is to hold the token")
        #expect(refusal("a", "soon", "x")?.hasPrefix("--validity: \"soon\" is not a duration: ") == true)
        #expect(refusal("a", "0", "x") == "--validity must be from 1 second to 1000 years; \"0\" is not")
        #expect(refusal("a", "1001 years", "x") == "--validity must be from 1 second to 1000 years; \"1001 years\" is not")
        #expect(refusal("a", "1 day", "a/b") == "\"a/b\" is no cache name or pattern: \(CacheNamePattern.allowed)")
    }
}
