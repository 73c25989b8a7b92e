import AtticAPI
import Database
import Encoding
import Logging
import Platform

/// `atticadm token`: which tokens are refused. A running server hears of a change within 5 seconds, most often within one, since it looks for
/// what other processes commit.
package struct RevokedTokens {
    private let catalog: Catalog
    private let key: TokenKey
    private let rules: TokenRules

    /// Opens the database of a configuration.
    ///
    /// - Throws: also where its schema is older than this release, which knows of no revocations.
    package init(_ configuration: Configuration, log: Logger) throws {
        if let path = configuration.database.path, !File.exists(path) {
            throw RunnerError("there is no database \(path) yet: start atticd once")
        }
        self.init(catalog: try Opening.readyCatalog(configuration, mayBeReadOnly: true, log: log), configuration: configuration)
    }

    init(catalog: Catalog, configuration: Configuration) {
        self.catalog = catalog
        key = configuration.tokenKey
        rules = configuration.tokenRules
    }

    /// What a person says a word is; nil where its form is to decide.
    package enum Meaning: Sendable { case id, subject }

    /// Refuses from now on a token, or all tokens of a subject that were made until now.
    ///
    /// - Parameter word: a token, the `jti` of one, or a `sub`.
    /// - Returns: what was done, a sentence.
    package func revoke(_ word: String, as said: Meaning? = nil, now: WallTime = .now) throws -> String {
        let (kind, name) = try meaning(of: word, said, now)
        try catalog.write { session throws(DatabaseError) in try session.revoke(RevocationRecord(kind, name, revokedAt: now)) }
        switch kind {
        case .id: return "Revoked the token \(name)."
        case .subject:
            // Tokens say in whole seconds when they were made: one that is made after this must not fall into this second.
            MonotonicTime.sleep(.milliseconds(1000 - now.milliseconds % 1000))
            return "Revoked all tokens of \"\(name)\" that were made until now."
        }
    }

    /// Takes a revocation back.
    ///
    /// - Throws: where the word names none.
    package func restore(_ word: String, as said: Meaning? = nil, now: WallTime = .now) throws -> String {
        let (kind, name) = try meaning(of: word, said, now)
        let existed = try catalog.write { session throws(DatabaseError) in try session.restore(kind, name) }
        guard existed else {
            throw RunnerError("\(kind == .id ? "the token \(name)" : "\"\(name)\"") is not revoked; atticadm token list shows who is")
        }
        return kind == .id ? "The token \(name) is accepted again." : "Tokens of \"\(name)\" are accepted again."
    }

    /// All revocations, the oldest first: a line each, or one JSON array.
    package func list(asJSON: Bool) throws -> String {
        let records = try catalog.read { session throws(DatabaseError) in try session.revocations() }
        if asJSON {
            let entries = records.map { record in
                JSON.object(JSONObject([
                    ("kind", .string(record.kind.rawValue)), ("name", .string(record.name)),
                    ("revoked_at", .integer(record.revokedAt.seconds)),
                ]))
            }
            return JSON.array(entries).serialized() + "\n"
        }
        return records.map { "\($0.revokedAt.text)  \($0.kind.rawValue)  \($0.name.escapingControls())\n" }.joined()
    }

    /// What a person means: what is said, else a token is recognised by its two dots, an id of ours by its form; all else is a
    /// subject.
    private func meaning(of word: String, _ said: Meaning?, _ now: WallTime) throws -> (RevocationRecord.Kind, String) {
        if word.isEmpty { throw RunnerError("name a token, the jti of one, or a sub") }
        switch said {
        case .id?: return (.id, word)
        case .subject?: return (.subject, word)
        case nil: break
        }
        // Ours are in lower case, whoever copied them.
        if Token.isID(word) { return (.id, word.lowercased()) }
        guard word.utf8.count(where: { $0 == UInt8(ascii: ".") }) == 2, word.hasPrefix("eyJ") else { return (.subject, word) }
        let token: Token
        do throws(TokenError) { token = try Token.verify(word, with: key, nowSeconds: now.seconds, rules: rules) } catch {
            throw RunnerError("\(error); nothing was revoked")
        }
        guard let id = token.id else {
            let advice = token.subject.map { "atticadm token revoke \"\($0)\" refuses all of its subject's" } ?? "changing the secret ends it"
            throw RunnerError("the token has no jti, so it cannot be told from others: \(advice)")
        }
        return (.id, id)
    }
}

extension Revocations {
    /// What the database has.
    init(_ records: [RevocationRecord]) {
        self.init()
        for record in records {
            switch record.kind {
            case .id: revoke(tokenID: record.name)
            case .subject: revoke(subject: record.name, madeUntilSeconds: record.revokedAt.seconds)
            }
        }
    }
}
