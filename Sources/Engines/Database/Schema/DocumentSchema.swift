/// What a cache keeps beside store paths: build logs, and realisations of content-addressed derivations.
///
/// - `build_log.name` is a derivation's base name. Its body is one zstd stream of `byte_count` bytes, in a table of its own:
///   a row is written anew as a whole when one of its columns changes, and the time of the last access often does.
/// - `realisation.name` is its id as Nix writes it, `body` the file's JSON without the cache's own signatures.
/// - `realisation_candidate` is to realisations what `nar_candidate` is to NARs: those whose output path's object may be gone.
func documentSchema(_ dialect: Dialect) -> String {
    let (id, integer, blob, table) = (dialect.identity, dialect.integer, dialect.blob, dialect.table)
    return """
    CREATE TABLE build_log (
        id \(id),
        cache_id \(integer) NOT NULL REFERENCES cache (id),
        name TEXT NOT NULL,
        byte_count \(integer) NOT NULL,
        created_at \(integer) NOT NULL,
        last_accessed_at \(integer) NOT NULL
    ) \(table);
    CREATE UNIQUE INDEX build_log_by_name ON build_log (name, cache_id);
    CREATE INDEX build_log_by_access ON build_log (cache_id, last_accessed_at);

    CREATE TABLE build_log_body (
        build_log_id \(integer) NOT NULL PRIMARY KEY REFERENCES build_log (id) ON DELETE CASCADE,
        body \(blob) NOT NULL
    ) \(table);

    CREATE TABLE realisation (
        id \(id),
        cache_id \(integer) NOT NULL REFERENCES cache (id),
        name TEXT NOT NULL,
        output_path_hash TEXT NOT NULL,
        body TEXT NOT NULL,
        created_at \(integer) NOT NULL
    ) \(table);
    CREATE UNIQUE INDEX realisation_by_name ON realisation (name, cache_id);
    CREATE INDEX realisation_by_output ON realisation (cache_id, output_path_hash);

    CREATE TABLE realisation_candidate (
        realisation_id \(integer) NOT NULL PRIMARY KEY REFERENCES realisation (id) ON DELETE CASCADE
    ) \(table);
    """
}
