import AtticAPI
import Testing

@Suite("Revoked tokens")
struct RevocationsTests {
    private func token(_ subject: String?, id: String? = nil, issuedAt: Int64? = nil) -> Token {
        Token(subject: subject, expirySeconds: nil, issuedAtSeconds: issuedAt, id: id, caches: [])
    }

    @Test("A token is refused by its jti, and no other")
    func byID() {
        var revocations = Revocations()
        revocations.revoke(tokenID: "one")
        #expect(revocations.refuse(token("alice", id: "one")))
        #expect(!revocations.refuse(token("alice", id: "two")))
        #expect(!revocations.refuse(token("alice")))
        #expect(!revocations.refuse(token("one")))
    }

    @Test("A subject's tokens are refused that were made until then, and those that do not say when")
    func bySubject() {
        var revocations = Revocations()
        revocations.revoke(subject: "alice", madeUntilSeconds: 1000)
        revocations.revoke(subject: "alice", madeUntilSeconds: 900)
        #expect(revocations.refuse(token("alice", issuedAt: 1000)))
        #expect(revocations.refuse(token("alice", issuedAt: 950)))
        #expect(revocations.refuse(token("alice")))
        #expect(!revocations.refuse(token("alice", issuedAt: 1001)))
        #expect(!revocations.refuse(token("bob", issuedAt: 1)))
        #expect(!revocations.refuse(token(nil)))
    }

    @Test("Ids are recognised by their form")
    func ids() {
        let id = Token.newID()
        #expect(Token.isID(id) && Token.newID() != id)
        for other in ["alice", "", String(id.dropLast()), id + "0", String(repeating: "g", count: 32)] { #expect(!Token.isID(other)) }
    }
}
