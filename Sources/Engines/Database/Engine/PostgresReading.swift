import SQL

/// How PostgreSQL is read: each body sees one state.
final class PostgresReading: ReadingConnection {
    private let postgres: PostgresConnection
    private let absence: Absence
    var connection: any SQLConnection { postgres }
    private(set) var refusal: SQLError?

    /// - Parameter absence: what all readers of a catalog know of the server's.
    init(_ location: PostgresLocation, _ absence: Absence) throws(SQLError) {
        postgres = try PostgresConnection(location, for: .reading)
        self.absence = absence
    }

    func begin() throws(SQLError) {
        // A restart of the server breaks all connections at once; each notices when it is used next.
        if !postgres.isConnected() { try connectAgain() }
        postgres.beginWithNext("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY") { [unowned self] () throws(SQLError) in
            try connectAgain()
        }
    }

    func end() { postgres.rollBackLater() }

    func touch() { if postgres.isConnected() { _ = try? postgres.execute("SELECT 1") } }

    private func connectAgain() throws(SQLError) {
        try absence.wait { () throws(SQLError) in
            do throws(SQLError) { try postgres.reconnect() } catch {
                // Who says so is not away, and other connections may do.
                guard error.isForWantOfConnections else { throw error }
                refusal = error
            }
        }
        if let refusal { throw refusal }
    }
}
