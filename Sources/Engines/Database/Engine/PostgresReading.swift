import SQL

/// How PostgreSQL is read: each body sees one state.
final class PostgresReading: ReadingConnection {
    private let postgres: PostgresConnection
    /// Set where the server may have crashed since it was asked for the turn, and may give turns twice.
    private var isTurnDoubtful = false
    var connection: any SQLConnection { postgres }

    init(_ location: PostgresLocation) throws(SQLError) { postgres = try PostgresConnection(location, for: .reading) }

    func begin() throws(SQLError) {
        try connectAgain()
        postgres.beginWithNext("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    }

    func end() { postgres.rollBackLater() }

    func turn() throws(SQLError) -> Int64? {
        try connectAgain()
        if isTurnDoubtful {
            isTurnDoubtful = false
            return -1
        }
        return try postgres.turn()
    }

    /// A restart of the server breaks all connections at once; each notices when it is used next.
    private func connectAgain() throws(SQLError) {
        if postgres.isConnected() { return }
        isTurnDoubtful = true
        try postgres.reconnect()
    }
}

extension SQLConnection {
    /// The turn to which writers of a PostgreSQL server have come; in a transaction that writes, its own.
    func turn() throws(SQLError) -> Int64? {
        try first("SELECT number FROM write_turn WHERE id = 1") { row throws(SQLError) in try row.integer(0) }
    }
}

extension CatalogSession {
    /// Needs `write`, and PostgreSQL.
    func turn() throws(DatabaseError) -> Int64 {
        try trying("ask whose turn it is") { connection throws(SQLError) in try connection.turn() ?? 0 }
    }
}
