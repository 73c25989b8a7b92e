/// Listings of NARs. Each belongs to its NAR and goes with it, whoever deletes that.
///
/// - `listing`: the text in one frame of zstd; empty where there is none.
/// - `byte_count`: bytes of the text.
/// - `obstacle`: why there is no listing; null where there is one.
func listingSchema(_ dialect: Dialect) -> String {
    """
    CREATE TABLE nar_listing (
        nar_id \(dialect.integer) NOT NULL PRIMARY KEY REFERENCES nar (id) ON DELETE CASCADE,
        listing \(dialect.blob) NOT NULL,
        byte_count \(dialect.integer) NOT NULL,
        obstacle TEXT
    ) \(dialect.table);
    """
}
