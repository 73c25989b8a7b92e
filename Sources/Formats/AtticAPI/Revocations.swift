/// The tokens that are refused although they are signed well and not expired: their holders lost them, or may not any more.
package struct Revocations: Sendable, Equatable {
    /// Refused by their `jti`.
    private var tokenIDs: Set<String> = []
    /// Refused by their `sub`, where they were made in that second since 1970 or before.
    private var subjects: [String: Int64] = [:]

    package init() {}

    package mutating func revoke(tokenID: String) { tokenIDs.insert(tokenID) }

    /// Tokens made after that second are accepted, so that the holder can be given a new one.
    package mutating func revoke(subject: String, madeUntilSeconds: Int64) {
        subjects[subject] = max(madeUntilSeconds, subjects[subject] ?? madeUntilSeconds)
    }

    /// Whether the token is refused. One that does not say when it was made (`iat`) counts as made long ago.
    package func refuse(_ token: Token) -> Bool {
        if let id = token.id, tokenIDs.contains(id) { return true }
        guard let subject = token.subject, let moment = subjects[subject] else { return false }
        return (token.issuedAtSeconds ?? .min) <= moment
    }
}
