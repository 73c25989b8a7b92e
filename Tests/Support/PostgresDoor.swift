import Glibc
import Platform
import SQL

/// A way to a schema on the test server that a test can shut and open again: as where the server goes away, and comes back.
package final class PostgresDoor {
    private let directory: TemporaryDirectory
    private let schema: TestSchema
    private let socketDirectory: String
    /// Whose connections they are.
    package let name = TestPostgres.schemaName()
    package let url: String

    package init(onServer server: String) throws {
        directory = try TemporaryDirectory()
        schema = try TestSchema(onServer: server)
        // `scripts/test.d/postgres` has the server at a socket.
        socketDirectory = String((server.split(separator: "host=").last ?? "").prefix { $0 != "&" })
        url = schema.url.replacing("host=\(socketDirectory)", with: "host=\(directory.file("door"))") + "&application_name=\(name)"
        try open()
    }

    package func open() throws(SystemError) {
        if unsafe symlink(socketDirectory, directory.file("door")) != 0 {
            throw SystemError("link", directory.file("door"), Errno.current)
        }
    }

    /// Nobody comes in any more, and who is in is thrown out.
    package func shut() throws {
        try File.remove(directory.file("door"))
        try cut()
    }

    /// Ends all connections that came this way; gives how many there were.
    @discardableResult
    package func cut() throws -> Int {
        let other = try PostgresConnection(PostgresLocation(url: schema.url, applicationName: "other"))
        func end() throws(SQLError) -> Int {
            try other.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1", [.text(name)]) {
                row throws(SQLError) in try row.integer(0)
            }.count
        }
        let count = try end()
        while try end() > 0 {}
        return count
    }

    /// Tables that are in the schema.
    package func tableNames() throws -> [String] {
        try PostgresConnection(PostgresLocation(url: schema.url, applicationName: "other")).query(
            "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename"
        ) { row throws(SQLError) in try row.text(0) }
    }

    /// Runs statements beside whoever came this way.
    package func run(_ script: String) throws {
        try PostgresConnection(PostgresLocation(url: schema.url, applicationName: "other")).runScript(script)
    }
}
