import Platform
import SQL

// Whether a database is ours, looked at before anything is written to it.

extension Catalog {
    /// What a database says to who only looks at it.
    package struct Outline: Sendable {
        /// The names of the schema's steps that `migrate` would apply.
        package let missingSteps: [String]
        /// What it says of its storage; nil where it is of an older release, whose tables say less.
        package let storage: StorageOutline?

        init(_ session: CatalogSession) throws(DatabaseError) {
            missingSteps = Migration.missing(in: try session.appliedMigrations())
            switch missingSteps.count {
            case 0: storage = try session.storageOutline()
            case Migration.all.count: storage = .empty
            default: storage = nil
            }
        }
    }

    /// What the database says.
    package func outline() throws(DatabaseError) -> Outline {
        try read { session throws(DatabaseError) in try Outline(session) }
    }

    /// What a database on a server says, by one connection, which changes nothing.
    ///
    /// - Throws: as opening it does; also where steps are missing that its user may not apply.
    package static func outline(of location: DatabaseLocation) throws(DatabaseError) -> Outline {
        guard case .postgres(let server) = location else { preconditionFailure("a file is opened to look at it") }
        let operation = "open the database \(location.name)"
        let refusal: DatabaseError?
        let session: CatalogSession
        let mayMake: Bool
        do throws(SQLError) {
            let connection = try PostgresConnection(server)
            refusal = try self.refusal(of: connection, server)
            session = CatalogSession(connection, location.dialect)
            mayMake = try connection.first("SELECT COALESCE(has_schema_privilege(current_schema(), 'CREATE'), false)") {
                row throws(SQLError) in try row.integer(0) != 0
            } ?? false
        } catch { throw DatabaseError(operation, error) }
        if let refusal { throw refusal }
        let outline = try Outline(session)
        if !outline.missingSteps.isEmpty && !mayMake {
            throw DatabaseError(
                .cannotOpen, operation, location.name,
                "its schema is to be made or changed, which this user may not do; make it the owner (ALTER DATABASE … OWNER TO …)")
        }
        return outline
    }

    /// Why the database must not be used, found without changing it; nil where it is empty or ours.
    static func refusal(of location: DatabaseLocation, _ options: Options) throws(SQLError) -> DatabaseError? {
        switch location {
        case .sqlite(let path): try refusal(ofFile: path, options)
        case .postgres(let server): try refusal(of: PostgresConnection(server), server)
        }
    }

    private static func refusal(ofFile path: String, _ options: Options) throws(SQLError) -> DatabaseError? {
        let connection = try SQLiteConnection.open(path, .create, options)
        let mark = try connection.first("PRAGMA application_id") { row throws(SQLError) in try row.integer(0) } ?? 0
        if mark == applicationID { return try refusalOfSchema(connection, .sqlite(path: path)) }
        let tables = try connection.first("SELECT count(*) FROM sqlite_schema") { row throws(SQLError) in
            try row.integer(0)
        }
        if mark == 0 && tables == 0 { return nil }
        return DatabaseError(
            .notOurs, "open the database \(path)", path,
            "it is an SQLite database of another program; name another file in the database url")
    }

    /// A server's database has no mark: it is ours where our steps were applied, and may become ours where nothing is in it but what
    /// extensions brought along.
    private static func refusal(of connection: PostgresConnection, _ server: PostgresLocation) throws(SQLError) -> DatabaseError? {
        let location = DatabaseLocation.postgres(server)
        let columns = try connection.first("""
            SELECT count(*) FROM pg_attribute
            WHERE attrelid = to_regclass('migration') AND attname IN ('name', 'applied_at') AND NOT attisdropped
            """) { row throws(SQLError) in try row.integer(0) }
        let isOurTable = columns == 2
        let applied = isOurTable ? try CatalogSession(connection, location.dialect).appliedMigrationNames() : []
        if applied.contains(where: { Migration.names.contains($0) }) { return try refusalOfSchema(connection, location) }
        let stranger = try connection.first("""
            SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
                AND c.relname <> 'write_turn' AND (c.relname <> 'migration' OR CAST($1 AS BIGINT) = 0)
                AND NOT EXISTS (
                    SELECT 1 FROM pg_depend d
                    WHERE d.classid = CAST('pg_class' AS regclass) AND d.objid = c.oid AND d.deptype = 'e')
            ORDER BY c.relname LIMIT 1
            """, [.integer(isOurTable && applied.isEmpty ? 1 : 0)]) { row throws(SQLError) in try row.text(0) }
        guard let stranger else { return nil }
        return DatabaseError(
            .notOurs, "open the database \(location.name)", location.name,
            "it is a database of another program, and has a table \"\(stranger)\" of that; name a database of its own in the database url")
    }

    /// Why a schema is not of this version, where it is newer.
    static func refusalOfSchema(
        _ connection: any SQLConnection, _ location: DatabaseLocation
    ) throws(SQLError) -> DatabaseError? {
        let applied = try CatalogSession(connection, location.dialect).appliedMigrationNames()
        guard let unknown = applied.first(where: { !Migration.names.contains($0) }) else { return nil }
        return DatabaseError(
            .tooNew, "open the database \(location.name)", location.name,
            "its schema has the step \"\(unknown)\", which this version does not know: a newer version has used it; "
                + "run that version, or restore a backup from before the upgrade")
    }
}
