/// Caches and what they claim of the global store, and the uploads that add to it.
func cacheSchema(_ dialect: Dialect) -> String {
    let (id, integer, table, tableByKey) =
        (dialect.identity, dialect.integer, dialect.table, dialect.tableByKey)
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
    """
}
