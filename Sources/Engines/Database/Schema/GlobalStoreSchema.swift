/// The global store: NARs as lists of chunks, chunks in packs.
///
/// How collection finds its work without looking at the whole store: whoever takes away what may have been the last thing
/// that kept a NAR, a chunk or a pack alive notes it in `nar_candidate`, `chunk_candidate` or `pack_candidate`,
/// in the same transaction. The sweep looks at the candidates and nothing else.
///
/// - Times are milliseconds since 1970. Hashes are 32 bytes, a store path hash its 32 characters.
/// - `chunk_reference.nar_id` is no foreign key: a NAR's row goes first and at once, its references in bounded steps after it.
/// - `object.reference_names` holds what narinfo prints (base names, separated by spaces), so that a lookup reads one row;
///   `object_reference` holds the same as a graph, for retention.
/// - `object.signatures` and `cache.upstream_cache_key_names`: one a line.
func globalStoreSchema(_ dialect: Dialect) -> String {
    let (id, integer, blob, table, tableByKey) =
        (dialect.identity, dialect.integer, dialect.blob, dialect.table, dialect.tableByKey)
    return """
    CREATE TABLE nar (
        id \(id),
        nar_hash \(blob) NOT NULL UNIQUE,
        nar_size \(integer) NOT NULL,
        file_hash \(blob) NOT NULL,
        file_size \(integer) NOT NULL,
        compression TEXT NOT NULL,
        chunk_count \(integer) NOT NULL,
        is_damaged \(integer) NOT NULL DEFAULT 0
    ) \(table);
    CREATE INDEX nar_by_file_hash ON nar (file_hash);
    CREATE TABLE nar_candidate (nar_id \(integer) NOT NULL PRIMARY KEY) \(table);

    CREATE TABLE pack (
        id \(id),
        name TEXT NOT NULL UNIQUE,
        byte_count \(integer) NOT NULL,
        is_sealed \(integer) NOT NULL
    ) \(table);
    CREATE INDEX pack_open ON pack (name) WHERE is_sealed = 0;
    CREATE TABLE pack_candidate (pack_id \(integer) NOT NULL PRIMARY KEY) \(table);

    CREATE TABLE chunk (
        id \(id),
        hash \(blob) NOT NULL,
        compression TEXT NOT NULL,
        byte_count \(integer) NOT NULL,
        pack_id \(integer) NOT NULL REFERENCES pack (id),
        pack_offset \(integer) NOT NULL,
        stored_byte_count \(integer) NOT NULL,
        is_damaged \(integer) NOT NULL DEFAULT 0
    ) \(table);
    CREATE UNIQUE INDEX chunk_by_hash ON chunk (hash, compression);
    CREATE INDEX chunk_by_place ON chunk (pack_id, pack_offset);
    CREATE TABLE chunk_candidate (chunk_id \(integer) NOT NULL PRIMARY KEY) \(table);

    CREATE TABLE chunk_reference (
        nar_id \(integer) NOT NULL,
        position \(integer) NOT NULL,
        chunk_id \(integer) NOT NULL REFERENCES chunk (id),
        PRIMARY KEY (nar_id, position)
    ) \(tableByKey);
    CREATE INDEX chunk_reference_by_chunk ON chunk_reference (chunk_id);

    CREATE TABLE dead_extent (
        id \(id),
        pack_id \(integer) NOT NULL REFERENCES pack (id),
        pack_offset \(integer) NOT NULL,
        byte_count \(integer) NOT NULL,
        recorded_at \(integer) NOT NULL
    ) \(table);
    CREATE INDEX dead_extent_by_place ON dead_extent (pack_id, pack_offset);
    """
}
