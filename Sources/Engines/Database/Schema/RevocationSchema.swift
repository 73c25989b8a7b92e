/// Tokens that are refused: `kind` is `id` (`name` is a token's `jti`) or `subject` (its `sub`).
func revocationSchema(_ dialect: Dialect) -> String {
    """
    CREATE TABLE revocation (
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        revoked_at \(dialect.integer) NOT NULL,
        PRIMARY KEY (kind, name)
    ) \(dialect.tableByKey);
    """
}
