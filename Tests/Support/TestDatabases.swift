import Platform

/// Where tests find the PostgreSQL server that `scripts/test` starts: its URL in the environment.
///
/// Each test works in a schema of its own, whose name it adds to the URL.
package enum TestPostgres {
    /// The server's URL; nil where none was started, and then what needs it is skipped.
    package static let serverURL = Subprocess.ownEnvironment["TETRYX_TEST_POSTGRES"]

    /// The URL of the server with `name` as the schema in which all is looked up and made.
    package static func url(schema name: String, on server: String) -> String {
        server + (server.contains("?") ? "&" : "?") + "options=-csearch_path%3D\(name)"
    }

    /// A name that no other test has.
    package static func schemaName() -> String { "t\(UInt64.random(in: .min ... .max))" }
}
