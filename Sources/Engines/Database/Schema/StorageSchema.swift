/// The storage that packs lie in: one row, once a server has opened both, with a directory's id, or `bucket` and a
/// bucket's.
func storageSchema(_ dialect: Dialect) -> String {
    """
    CREATE TABLE storage (
        id TEXT NOT NULL PRIMARY KEY
    ) \(dialect.tableByKey);
    """
}
