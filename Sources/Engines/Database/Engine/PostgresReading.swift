import Platform
import SQL

/// How PostgreSQL is read: each body sees one state.
final class PostgresReading: ReadingConnection {
    private let postgres: PostgresConnection
    private let absence: Absence
    var connection: any SQLConnection { postgres }

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
        let deadline = absence.begin() + Absence.patience
        var pause = Duration.milliseconds(20)
        while true {
            do throws(SQLError) {
                try postgres.reconnect()
                absence.end()
                return
            } catch {
                if error.kind != .disconnected || MonotonicTime.now + pause > deadline { throw error }
            }
            MonotonicTime.sleep(pause)
            pause = min(pause * 2, .milliseconds(500))
        }
    }
}

/// Since when a server is away. Who asks first waits for it, as it may be about to come back; who asks later is refused at once.
final class Absence: Sendable {
    /// A restart takes a second or two.
    static let patience = Duration.seconds(3)

    private let since = Monitor<MonotonicTime?>(nil)

    func begin() -> MonotonicTime {
        since.peek { since in
            let begun = since ?? .now
            since = begun
            return begun
        }
    }

    func end() { since.peek { $0 = nil } }
}
