/// Packs that are in a bucket, or may be, and that no row of `pack` names: one that an upload writes, and one that nothing lives in
/// any more. The row is there before the object is, and goes after it; what a crash leaves is found here.
///
/// - `expires_at`: of one that is written, when its writer has given up; of one that is going, when it may be deleted.
/// - `is_going`: it is being deleted, or will be: no commit can have it any more.
func loosePackSchema(_ dialect: Dialect) -> String {
    """
    CREATE TABLE loose_pack (
        name TEXT NOT NULL PRIMARY KEY,
        expires_at \(dialect.integer) NOT NULL,
        is_going \(dialect.integer) NOT NULL DEFAULT 0
    ) \(dialect.tableByKey);
    CREATE INDEX loose_pack_by_time ON loose_pack (expires_at);
    """
}
