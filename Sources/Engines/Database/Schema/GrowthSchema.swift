/// What keeps requests for many paths from reading and writing rows all over the store.
///
/// - `nar_damaged` holds the damaged only: whether there are any is known without looking at a NAR.
/// - `access_note`: what a client relies on after it asked for many paths, as it came: the times are moved into `object`
///   afterwards (`settleAccesses`), which changes a page or two for each path. `store_path_hashes` has them end to end,
///   32 characters each. A note of a cache that was destroyed settles to nothing.
///
/// - `object_by_path` begins with the hash: to compare by a text that differs is one comparison of bytes, and a number before
///   it, which is the same in every row, would make it two for each of the twenty steps of a search.
///
/// On 1,000,000 objects this step takes two seconds.
func growthSchema(_ dialect: Dialect) -> String {
    """
    DROP INDEX object_by_path;
    CREATE UNIQUE INDEX object_by_path ON object (store_path_hash, cache_id);

    CREATE INDEX nar_damaged ON nar (is_damaged) WHERE is_damaged = 1;

    CREATE TABLE access_note (
        id \(dialect.identity),
        cache_id \(dialect.integer) NOT NULL,
        accessed_at \(dialect.integer) NOT NULL,
        store_path_hashes \(dialect.blob) NOT NULL
    ) \(dialect.table);
    """
}
