import Platform
import SQL

extension Catalog {
    /// Copies the database, as it is at one moment, into a new file, while others read and write it.
    ///
    /// - Parameter path: must not be there. Only its owner may read it.
    package func copy(to path: String) throws(DatabaseError) {
        guard let source = location.path else {
            throw DatabaseError(
                .other, "copy the database", location.name, "it is not a file; copy it with pg_dump, and the storage after it")
        }
        // Before any byte is in it: signing keys lie in the database. SQLite takes an empty file for a new one.
        do throws(SystemError) { _ = try File.open(path, .create(permissions: 0o600)) } catch {
            throw DatabaseError(.cannotOpen, "copy the database", path, "\(error)")
        }
        do throws(SQLError) {
            // A connection of its own: it reads one state for as long as it takes.
            let connection = try SQLiteConnection(path: source, access: .readWrite)
            try connection.execute("VACUUM INTO $1", [.text(path)])
        } catch { throw DatabaseError("copy the database to \(path)", error) }
    }
}

extension CatalogSession {
    /// Bytes of all chunks as they are stored.
    package func namedByteCount() throws(DatabaseError) -> Int64 {
        try trying("add up the chunks") { connection throws(SQLError) in
            try connection.first("SELECT CAST(COALESCE(sum(stored_byte_count), 0) AS BIGINT) FROM chunk") { row throws(SQLError) in
                try row.integer(0)
            } ?? 0
        }
    }
}
