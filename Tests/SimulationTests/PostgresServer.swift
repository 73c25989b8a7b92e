import Database
import Platform
import SQL
import Support

/// A schema of a PostgreSQL server that runs on. A crash leaves what was committed: the sessions of the dead server end, and with
/// them their transactions and locks.
final class PostgresServer: SimulatedDatabase {
    private let schema: TestSchema
    private let wire: PostgresWire
    /// A session of the test's own.
    private let control: Monitor<PostgresConnection>
    private let applicationName: String
    let settings: String

    struct NoServer: Error, CustomStringConvertible {
        let description = "TETRYX_TEST_POSTGRES has no URL as scripts/test.d/postgres prints it; scripts/simulate starts a server"
    }

    init(_ stage: Stage) throws {
        guard let server = TestPostgres.serverURL, let host = PostgresServer.host(server) else { throw NoServer() }
        schema = try TestSchema(onServer: server)
        wire = try PostgresWire(to: "\(host)/.s.PGSQL.5432")
        applicationName = TestPostgres.schemaName()
        settings = "url = \"\(schema.url.replacing(host, with: wire.directory))&application_name=\(applicationName)\""
        control = Monitor(try PostgresConnection(PostgresLocation(url: server, applicationName: "simulation")))
        stage.use { [weak self] strike in self?.lose(strike) }
    }

    /// The directory of its socket.
    private static func host(_ url: String) -> String? {
        guard let start = url.firstRange(of: "host=")?.upperBound else { return nil }
        let host = url[start...].prefix { $0 != "&" }
        return host.hasPrefix("/") ? String(host) : nil
    }

    func prepare() throws { try endSessions() }

    func crashed() -> any SimulatedDatabase { self }

    /// Thread: db-writer.
    private func lose(_ strike: DatabaseStrike) {
        switch strike {
        case .terminate:
            do { try endSessions() } catch { preconditionFailure("the database's server does not end sessions: \(error)") }
        case .cut: wire.strike(.cut)
        case .loseAnswer: wire.strike(.loseAnswer)
        case .conflict: break
        }
    }

    /// Ends all sessions of the simulated server, and returns when they have: theirs are no locks any more.
    private func endSessions() throws(SQLError) {
        let name = SQLValue.text(applicationName)
        try control.withLock { control throws(SQLError) in
            while try control.first("""
                SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = $1
                """, [name], { row throws(SQLError) in try row.integer(0) }) ?? 0 > 0 { MonotonicTime.sleep(.milliseconds(1)) }
        }
        wire.waitUntilUnused()
    }
}
