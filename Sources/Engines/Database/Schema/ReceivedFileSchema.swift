/// The files that plain Nix pushes: a NAR comes before the narinfo that says whose it is, under the hash of the bytes as they came,
/// and that hash is what the next push asks for.
///
/// - `coding` is narinfo's word for how the file was compressed; what is kept of it is its NAR.
/// - `held_until`: until then the row keeps its NAR, which no object names yet. Null once the narinfo has come: then the object
///   keeps it, and the row goes with the NAR.
/// - `cache_id` is no foreign key: the rows of a cache that was destroyed answer nobody, and go as all others do.
func receivedFileSchema(_ dialect: Dialect) -> String {
    let (integer, blob) = (dialect.integer, dialect.blob)
    return """
    CREATE TABLE received_file (
        id \(dialect.identity),
        file_hash \(blob) NOT NULL,
        cache_id \(integer) NOT NULL,
        coding TEXT NOT NULL,
        file_size \(integer) NOT NULL,
        nar_id \(integer) NOT NULL REFERENCES nar (id) ON DELETE CASCADE,
        received_at \(integer) NOT NULL,
        held_until \(integer)
    ) \(dialect.table);
    CREATE UNIQUE INDEX received_file_by_hash ON received_file (file_hash, cache_id);
    CREATE INDEX received_file_by_nar ON received_file (nar_id, cache_id);
    CREATE INDEX received_file_held ON received_file (held_until) WHERE held_until IS NOT NULL;
    """
}
