import Platform
import SQL

/// Where tests find the PostgreSQL server that `scripts/test` starts: its URL in the environment.
///
/// Each test works in a schema of its own, whose name it adds to the URL.
package enum TestPostgres {
    /// The server's URL; nil where none was started, and then what needs it is skipped.
    package static let serverURL = Subprocess.ownEnvironment["TETRYX_TEST_POSTGRES"]

    /// Whether whole servers are tested on PostgreSQL, too: `scripts/test` runs some suites a second time so.
    package static let isForServers = serverURL != nil && Subprocess.ownEnvironment["TETRYX_TEST_DATABASE"] == "postgresql"

    /// The URL of the server with `name` as the schema in which all is looked up and made.
    package static func url(schema name: String, on server: String) -> String {
        server + (server.contains("?") ? "&" : "?") + "options=-csearch_path%3D\(name)"
    }

    /// A name that no other test has.
    package static func schemaName() -> String { "t\(UInt64.random(in: .min ... .max))" }
}

/// A schema of a test's own on the server that `scripts/test` starts; it goes with the last who has it.
package final class TestSchema: Sendable {
    private let name = TestPostgres.schemaName()
    private let server: String
    /// What names the schema's tables.
    package let url: String

    package init(onServer server: String) throws {
        self.server = server
        url = TestPostgres.url(schema: name, on: server)
        try run("CREATE SCHEMA \(name)")
    }

    deinit { try? run("SET client_min_messages = error; DROP SCHEMA \(name) CASCADE") }

    private func run(_ script: String) throws {
        try PostgresConnection(PostgresLocation(url: server, applicationName: "tests")).runScript(script)
    }
}
