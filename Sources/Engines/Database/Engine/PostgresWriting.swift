import Platform
import SQL

/// How PostgreSQL is written: one writer of all processes at a time, as with SQLite.
///
/// The first row of `write_turn` is the turn: a transaction begins by changing it, and whoever comes second waits for that row and
/// then reads what the first has committed. So no two transactions race: none fails to serialize, none deadlocks.
///
/// Each writer has a row of its own there, too, with the number of its transactions. It says what became of a commit whose answer was
/// lost, whatever happened to the server meanwhile: it is part of that transaction, and locked until that has ended. And it tells
/// what others have written from what this process has (`PostgresWatching`).
final class PostgresWriting: WritingConnection {
    private let postgres: PostgresConnection
    /// The row of this writer; 0, which no row has, where it has none.
    private var writer: Int64 = 0 {
        didSet { row.id = writer }
    }
    /// The same, for the connection that watches.
    private let row: WriterRow
    /// Whether the transaction that is open made that row.
    private var isWriterNew = false
    /// What the transaction that is open made of the number of ours.
    private var openCount: Int64?
    private let reconnectTime: Duration
    private let absence: Absence
    /// Whether `write_turn` is there, and has a row of this writer. A database without it is left alone until something is written.
    private var hasTurn = false

    /// How often a transaction is tried again that the server undid; each time it has waited already.
    private static let triesMax = 5
    /// Rows of writers that are kept; they are some bytes each, and most are of processes that ended long ago.
    private static let writersMax = 1000
    /// Between two questions what became of a commit.
    private static let settlePause = Duration.milliseconds(20)

    var connection: any SQLConnection { postgres }
    /// The server does that.
    var checkpointer: Checkpointer? { nil }

    /// - Parameter row: is told which row is this writer's.
    init(_ location: PostgresLocation, options: Catalog.Options, row: WriterRow = WriterRow()) throws(SQLError) {
        postgres = try PostgresConnection(location, for: .writing)
        reconnectTime = options.reconnectTime
        self.row = row
        absence = Absence(patience: options.reconnectTime)
        if try findsTable() { try makeTurn() }
    }

    private func findsTable() throws(SQLError) -> Bool {
        try postgres.first("SELECT to_regclass('write_turn') IS NOT NULL") { row throws(SQLError) in try row.integer(0) != 0 } ?? false
    }

    /// The one table that no step of the schema makes, as the steps are written in turns, too; and a row of this writer in it.
    private func makeTurn() throws(SQLError) {
        try postgres.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
        do throws(SQLError) {
            // Two that make the same table at once would both try: the second waits here.
            try postgres.runScript("SELECT pg_advisory_xact_lock(\(Catalog.applicationID))")
            // Who may only write rows is not to be asked for the right to make tables.
            if try !findsTable() {
                try postgres.runScript("""
                    CREATE TABLE write_turn (id BIGINT NOT NULL PRIMARY KEY, number BIGINT NOT NULL);
                    INSERT INTO write_turn (id, number) VALUES (1, 0);
                    """)
            }
            try makeWriter(number: 0)
            try postgres.execute(
                "DELETE FROM write_turn WHERE id > 1 AND id NOT IN (SELECT id FROM write_turn ORDER BY id DESC LIMIT $1)",
                [.integer(Int64(PostgresWriting.writersMax))])
            try postgres.execute("COMMIT")
            isWriterNew = false
            hasTurn = true
        } catch {
            rollBack()
            throw error
        }
    }

    /// In a transaction that has the lock of `makeTurn`.
    private func makeWriter(number: Int64) throws(SQLError) {
        let id = PostgresWriting.newWriter(at: .now)
        try postgres.execute("INSERT INTO write_turn (id, number) VALUES ($1, $2)", [.integer(id), .integer(number)])
        writer = id
        isWriterNew = true
    }

    /// A number that no writer has had: milliseconds, then 20 bits of chance, so that later ones are higher. One above the highest of
    /// the table would not do: where a standby takes over that lacks the last commits, another process may have that number, whose row
    /// is gone, and each would take the other's commits for its own.
    static func newWriter(at time: WallTime) -> Int64 { time.milliseconds << 20 | Int64.random(in: 0..<1 << 20) }

    func begin(surviving durability: WriteDurability) throws(SQLError) {
        if !postgres.isConnected() { try reconnect() }
        if !hasTurn { try makeTurn() }
        // READ COMMITTED: each statement sees what was committed before it began, and nobody else writes after our first.
        // All of it goes on one way to the server and back.
        try postgres.executeLater("BEGIN ISOLATION LEVEL READ COMMITTED", [[]])
        if durability == .crash { try postgres.executeLater("SET LOCAL synchronous_commit = off", [[]]) }
        var (turn, count): (Int64?, Int64?) = (nil, nil)
        try postgres.run(
            "UPDATE write_turn SET number = number + 1 WHERE id IN (1, $1) RETURNING id, number", [.integer(writer)]
        ) { row throws(SQLError) in
            let number = try row.integer(1)
            if try row.integer(0) == 1 { turn = number } else { count = number }
        }
        if turn != nil && count == nil {
            // So many writers came since ours began that its row was taken for one of a process that has ended.
            try postgres.runScript("SELECT pg_advisory_xact_lock(\(Catalog.applicationID))")
            try makeWriter(number: 1)
            count = 1
        }
        guard turn != nil, let count else {
            throw SQLError(
                kind: .corrupt, code: "", operation: "begin in", subject: "write_turn", message: "a row that writers need is gone")
        }
        openCount = count
    }

    func commit() throws(SQLError) {
        guard let openCount else { return }
        do throws(SQLError) { try postgres.execute("COMMIT") } catch {
            guard error.kind == .disconnected else { throw error }
            try settle(openCount, after: error)
        }
        self.openCount = nil
        isWriterNew = false
    }

    /// Finds out what became of the commit with that number of ours, whose answer was lost.
    func settle(_ count: Int64, after failure: SQLError) throws(SQLError) {
        let deadline = MonotonicTime.now + reconnectTime
        while MonotonicTime.now < deadline {
            do throws(SQLError) {
                if postgres.isBroken { try reconnect() }
                // Waits while the server still holds the old transaction open, and has not noticed that nobody listens any more.
                let last = try postgres.first("SELECT number FROM write_turn WHERE id = $1 FOR UPDATE", [.integer(writer)]) {
                    row throws(SQLError) in try row.integer(0)
                }
                guard let last else { break }
                if last == count { return }
                throw failure
            } catch {
                if error == failure { throw error }
                // A lock that was waited for too long, or a server that went away again: until the time is over.
                if error.kind != .disconnected && error.kind != .busy { break }
                MonotonicTime.sleep(PostgresWriting.settlePause)
            }
        }
        // Should it be done yet, its row moves while ours, a new one, does not: so the watcher sees it as somebody else's change.
        writer = 0
        throw SQLError(
            kind: .inDoubt, code: failure.code, operation: "commit to", subject: failure.subject,
            message: "the server went away before it said whether it did: \(failure.message)")
    }

    /// One that is lost is noticed by who writes next.
    func look() throws(SQLError) -> Bool {
        if postgres.isConnected() { try postgres.execute("SELECT 1") }
        return false
    }

    func committed() {}

    func rollBack() {
        openCount = nil
        if isWriterNew { writer = 0 }
        isWriterNew = false
        if postgres.isInTransaction { _ = try? postgres.execute("ROLLBACK") }
    }

    func shouldTryAgain(after failure: DatabaseError, tries: Int) -> Bool {
        switch failure.kind {
        case .busy: return tries < PostgresWriting.triesMax
        case .unreachable:
            if tries >= PostgresWriting.triesMax { return false }
            do throws(SQLError) { try reconnect() } catch { return false }
            return true
        default: return false
        }
    }

    /// Connects again, for as long as a restart of the server may take. Who comes when it has been away for longer is refused at once:
    /// many may wait in the queue.
    private func reconnect() throws(SQLError) {
        try absence.wait { () throws(SQLError) in
            if postgres.isBroken { try postgres.reconnect() }
        }
    }
}
