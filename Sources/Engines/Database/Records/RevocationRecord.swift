import Platform
import SQL

/// Which tokens are refused, and since when.
package struct RevocationRecord: Sendable, Hashable {
    package enum Kind: String, Sendable, Hashable {
        /// One token, by its `jti`.
        case id
        /// All of a subject that were made until then.
        case subject
    }

    package let kind: Kind
    /// The `jti` or the `sub`.
    package let name: String
    package let revokedAt: WallTime

    package init(_ kind: Kind, _ name: String, revokedAt: WallTime) {
        self.kind = kind
        self.name = name
        self.revokedAt = revokedAt
    }

    init(_ row: borrowing SQLRow) throws(SQLError) {
        guard let kind = Kind(rawValue: try row.text(0)) else { throw row.mismatch(0, "it is no kind of revocation") }
        self.init(kind, try row.text(1), revokedAt: WallTime(milliseconds: try row.integer(2)))
    }
}
