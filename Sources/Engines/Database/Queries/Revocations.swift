import SQL

/// Tokens that are refused.
extension CatalogSession {
    /// Refuses what the record says from now on; revoked again, the later time counts. Needs `write`.
    package func revoke(_ record: RevocationRecord) throws(DatabaseError) {
        try trying("revoke a token") { connection throws(SQLError) in
            try connection.execute(
                """
                INSERT INTO revocation (kind, name, revoked_at) VALUES ($1, $2, $3)
                ON CONFLICT (kind, name) DO UPDATE SET revoked_at = excluded.revoked_at
                """, [.text(record.kind.rawValue), .text(record.name), .time(record.revokedAt)])
        }
    }

    /// Takes a revocation back; false where there was none. Needs `write`.
    package func restore(_ kind: RevocationRecord.Kind, _ name: String) throws(DatabaseError) -> Bool {
        try trying("restore a token") { connection throws(SQLError) in
            try connection.execute(
                "DELETE FROM revocation WHERE kind = $1 AND name = $2", [.text(kind.rawValue), .text(name)]) == 1
        }
    }

    /// All revocations, the oldest first.
    package func revocations() throws(DatabaseError) -> [RevocationRecord] {
        try trying("read the revoked tokens") { connection throws(SQLError) in
            try connection.query("SELECT kind, name, revoked_at FROM revocation ORDER BY revoked_at, kind, name") {
                row throws(SQLError) in try RevocationRecord(row)
            }
        }
    }
}
