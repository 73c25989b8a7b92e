import SQL
import Synchronization

/// How PostgreSQL is watched: by the turns of all writers (`PostgresWriting`), less those of this process's own. Both numbers change
/// in one transaction and are read in one statement, so the difference moves with others' commits, and with nothing else.
final class PostgresWatching: WatchingConnection {
    private let postgres: PostgresConnection
    private let ours: WriterRow
    /// What others' turns had come to, and by which row of ours they were told from them; nil where nobody can say.
    private var last: (othersTurns: Int64, row: Int64)?

    init(_ location: PostgresLocation, _ ours: WriterRow) throws(SQLError) {
        postgres = try PostgresConnection(location, for: .watching)
        self.ours = ours
    }

    /// Waits no longer for a server than the timeouts of `PostgresConnection.Use.watching`.
    func look() throws(SQLError) -> Sight {
        if postgres.isConnected() {
            do throws(SQLError) { return try lookOnce() } catch { if error.kind != .disconnected { throw error } }
        }
        // A server that crashed may have lost the last commits that need not survive that, and then turns are given twice.
        last = nil
        try postgres.reconnect()
        return try lookOnce()
    }

    private func lookOnce() throws(SQLError) -> Sight {
        let row = ours.id
        let found = try postgres.first("""
            SELECT number - COALESCE((SELECT number FROM write_turn WHERE id = $1), 0) FROM write_turn WHERE id = 1
            """, [.integer(row)]) { found throws(SQLError) in try found.integer(0) }
        guard let found else {
            throw SQLError(
                kind: .corrupt, code: "", operation: "look at", subject: "write_turn", message: "a row that writers need is gone")
        }
        defer { last = (found, row) }
        guard let last else { return .others }
        return last == (found, row) ? .nothing : .others
    }
}

/// Which row of `write_turn` is this process's; 0 where it has none. Thread: any.
final class WriterRow: Sendable {
    private let number = Atomic<Int64>(0)

    var id: Int64 {
        get { number.load(ordering: .acquiring) }
        set { number.store(newValue, ordering: .releasing) }
    }
}
