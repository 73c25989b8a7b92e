import AtticAPI
import Database
import HTTPServer
import Logging
import Nix
import Platform
import Testing

@testable import AtticServer

@Suite("Revoking tokens")
struct RevokedTokensTests {
    private let fixture: Fixture
    private let now = WallTime(milliseconds: 1_800_000_000_900)

    init() throws {
        fixture = try Fixture()
        try fixture.makeCache("hello")
    }

    private func token(_ subject: String = "alice", id: String? = nil, issuedAt: Int64? = nil) -> String {
        Token(subject: subject, expirySeconds: 1_900_000_000, issuedAtSeconds: issuedAt, id: id, caches: [(.all, .all)]).signed(with: .hs256(secret: fixture.secret))
    }

    private func status(_ token: String) throws -> Int {
        try fixture.send("GET", "/hello/nix-cache-info", token: token).status.code
    }

    private func revoked() throws -> RevokedTokens {
        RevokedTokens(catalog: fixture.context.catalog, configuration: fixture.context.configuration)
    }

    @Test("A revoked token is refused with the reason, also where its answers were at hand; another of its holder is not")
    func byID() throws {
        let id = Token.newID()
        let (lost, other) = (token(id: id, issuedAt: 1), token(id: Token.newID(), issuedAt: 1))
        // Asked twice, the token and the answer are known to the loops.
        #expect(try status(lost) == 200 && status(lost) == 200 && status(other) == 200)
        #expect(try revoked().revoke(id, now: now) == "Revoked the token \(id).")
        try fixture.context.readRevocations()
        let refusal = try fixture.send("GET", "/hello/nix-cache-info", token: lost)
        #expect(refusal.status == .unauthorized && refusal.text.contains("The token was revoked"))
        #expect(try status(other) == 200)
        #expect(try revoked().restore(id, now: now).contains("accepted again"))
        try fixture.context.readRevocations()
        #expect(try status(lost) == 200)
    }

    @Test("The token itself says which is meant")
    func byToken() throws {
        let id = Token.newID()
        let lost = token(id: id)
        #expect(try revoked().revoke(lost, now: now) == "Revoked the token \(id).")
        try fixture.context.readRevocations()
        #expect(try status(lost) == 401)
        let refusals = [token(): "has no jti", String(lost.dropLast(4)) + "AAAA": "signature"]
        for (word, reason) in refusals {
            let error = #expect(throws: RunnerError.self) { try revoked().revoke(word, now: now) }
            #expect(error?.description.contains(reason) == true)
        }
    }

    @Test("A subject's tokens are refused that it had, and not those it gets afterwards")
    func bySubject() throws {
        let old = [token(), token(issuedAt: now.seconds), token(id: Token.newID(), issuedAt: now.seconds - 5)]
        #expect(try revoked().revoke("alice", now: now) == "Revoked all tokens of \"alice\" that were made until now.")
        try fixture.context.readRevocations()
        for token in old { #expect(try status(token) == 401) }
        #expect(try status(token(issuedAt: now.seconds + 1)) == 200)
        #expect(try status(token("bob")) == 200)
    }

    @Test("A word whose form misleads is what it is said to be")
    func said() throws {
        let id = Token.newID()
        #expect(try revoked().revoke(id.uppercased(), now: now) == "Revoked the token \(id).")
        #expect(try revoked().revoke("6ba7b810-9dad-11d1", as: .id, now: now) == "Revoked the token 6ba7b810-9dad-11d1.")
        #expect(try revoked().revoke(id, as: .subject, now: now).contains("all tokens of"))
        try fixture.context.readRevocations()
        #expect(try status(token(id: "6ba7b810-9dad-11d1")) == 401)
        #expect(try status(token(id, issuedAt: 1)) == 401)
    }

    @Test("What is revoked is listed for people and for scripts")
    func list() throws {
        _ = try revoked().revoke("alice", now: now)
        let id = String(repeating: "0f", count: 16)
        _ = try revoked().revoke(id, now: now)
        #expect(try revoked().list(asJSON: true) == """
            [{"kind":"id","name":"\(id)","revoked_at":1800000000},{"kind":"subject","name":"alice","revoked_at":1800000000}]

            """)
        #expect(try revoked().list(asJSON: false).split(separator: "\n").count == 2)
        let error = #expect(throws: RunnerError.self) { try revoked().restore("nobody", now: now) }
        #expect(error?.description.contains("is not revoked") == true)
    }
}
