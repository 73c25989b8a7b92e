import Platform
import SQL

/// One step of the schema: a name that is never changed, and statements that are never changed either.
///
/// Steps are applied in order, each in one transaction with its row in `migration`. A later change is a later step.
struct Migration: Sendable {
    let name: String
    let script: @Sendable (Dialect) -> String

    static let all = [
        Migration(name: "NARs to chunks", script: globalStoreSchema),
        Migration(name: "NAR schema", script: cacheSchema),
        Migration(name: "look-ups of many paths", script: growthSchema),
        Migration(name: "listings of NARs", script: listingSchema),
        Migration(name: "build logs and realisations", script: documentSchema),
        Migration(name: "revoked tokens", script: revocationSchema),
        Migration(name: "files of plain Nix", script: receivedFileSchema),
        Migration(name: "packs in a bucket", script: loosePackSchema),
        Migration(name: "the storage's id", script: storageSchema),
        Migration(name: "checksums of frames", script: checksumSchema),
    ]

    static let names = all.map(\.name)

    /// How many of them are the schema as it was first. Those after it change what is there: in a new database there is
    /// nothing to change, and nobody need be told.
    static let firstCount = 2

    /// The names of those that were not applied, in their order.
    static func missing(in applied: some Sequence<String>) -> [String] { names.filter { !applied.contains($0) } }
}

extension CatalogSession {
    /// Applies a step where it was not applied yet; whether it did. Two processes may try at once: the writer's lock is held.
    func apply(_ step: Migration, at now: WallTime) throws(DatabaseError) -> Bool {
        let dialect = self.dialect
        let applied = try appliedMigrations()
        return try trying("apply the schema step \(step.name)") { connection throws(SQLError) in
            if applied.contains(step.name) { return false }
            if applied.isEmpty {
                try connection.runScript("""
                    \(dialect.mark)
                    CREATE TABLE IF NOT EXISTS migration (
                        name TEXT NOT NULL PRIMARY KEY, applied_at \(dialect.integer) NOT NULL) \(dialect.table);
                    """)
            }
            try connection.runScript(step.script(dialect))
            try connection.execute(
                "INSERT INTO migration (name, applied_at) VALUES ($1, $2)", [.text(step.name), .integer(now.milliseconds)])
            return true
        }
    }

    /// The names of the steps that were applied.
    func appliedMigrations() throws(DatabaseError) -> Set<String> {
        do throws(SQLError) { return Set(try appliedMigrationNames()) } catch { throw DatabaseError("read the schema", error) }
    }

    func appliedMigrationNames() throws(SQLError) -> [String] {
        // A new file has no table to ask.
        let exists = try connection.first(dialect.hasSchema) { _ in true } ?? false
        if !exists { return [] }
        return try connection.query("SELECT name FROM migration ORDER BY name") { row throws(SQLError) in try row.text(0) }
    }
}
