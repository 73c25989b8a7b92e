/// The first step: all tables.
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
func baseSchema(_ dialect: Dialect) -> String {
    let (id, integer, blob, table, tableByKey) =
        (dialect.identity, dialect.integer, dialect.blob, dialect.table, dialect.tableByKey)
    return """
    CREATE TABLE cache (
        id \(id),
        name TEXT NOT NULL,
        keypair TEXT NOT NULL,
        is_public \(integer) NOT NULL,
        store_directory TEXT NOT NULL,
        priority \(integer) NOT NULL,
        upstream_cache_key_names TEXT NOT NULL,
        retention_seconds \(integer),
        created_at \(integer) NOT NULL,
        deleted_at \(integer),
        is_destroyed \(integer) NOT NULL DEFAULT 0
    ) \(table);
    CREATE UNIQUE INDEX cache_by_name ON cache (name) WHERE deleted_at IS NULL;

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

    CREATE TABLE object (
        id \(id),
        cache_id \(integer) NOT NULL REFERENCES cache (id),
        store_path_hash TEXT NOT NULL,
        nar_id \(integer) NOT NULL REFERENCES nar (id),
        store_path TEXT NOT NULL,
        reference_names TEXT NOT NULL,
        system TEXT,
        deriver TEXT,
        signatures TEXT NOT NULL,
        ca TEXT,
        created_at \(integer) NOT NULL,
        last_accessed_at \(integer) NOT NULL
    ) \(table);
    CREATE UNIQUE INDEX object_by_path ON object (cache_id, store_path_hash);
    CREATE INDEX object_by_nar ON object (nar_id, cache_id);
    CREATE INDEX object_by_access ON object (cache_id, last_accessed_at);

    CREATE TABLE object_reference (
        object_id \(integer) NOT NULL REFERENCES object (id) ON DELETE CASCADE,
        store_path_hash TEXT NOT NULL,
        cache_id \(integer) NOT NULL,
        PRIMARY KEY (object_id, store_path_hash)
    ) \(tableByKey);
    CREATE INDEX object_reference_by_path ON object_reference (cache_id, store_path_hash, object_id);

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

    CREATE TABLE upload (
        id \(id),
        expires_at \(integer) NOT NULL
    ) \(table);
    CREATE INDEX upload_by_expiry ON upload (expires_at);

    CREATE TABLE upload_hold (
        upload_id \(integer) NOT NULL REFERENCES upload (id),
        chunk_id \(integer) REFERENCES chunk (id),
        nar_id \(integer) REFERENCES nar (id)
    ) \(table);
    CREATE UNIQUE INDEX upload_hold_chunk ON upload_hold (upload_id, chunk_id) WHERE chunk_id IS NOT NULL;
    CREATE UNIQUE INDEX upload_hold_nar ON upload_hold (upload_id, nar_id) WHERE nar_id IS NOT NULL;
    CREATE INDEX upload_hold_by_chunk ON upload_hold (chunk_id) WHERE chunk_id IS NOT NULL;
    CREATE INDEX upload_hold_by_nar ON upload_hold (nar_id) WHERE nar_id IS NOT NULL;

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
