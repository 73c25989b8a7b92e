import Platform
import SQL

/// Finds out whether other processes have committed. What this process is writing is waited for only where the database is a file and
/// somebody has committed: then the writing connection alone can tell who, and has up to `lookPatience` for it. Thread: any, one at a
/// time.
///
/// Its connection is made when somebody asks first: a process that only collects, or ends soon, has none.
final class Watcher: Sendable {
    private struct State {
        var connection: (any WatchingConnection)?
        /// Somebody has committed, and the writing thread was not asked yet whether that was another process.
        var isAsking = false
        /// What the writing thread's had come to (`GroupCommitter.foreignGeneration`).
        var lastGeneration: UInt64 = 0
        var isClosed = false
    }

    private let state = Monitor(State())
    private let writer: GroupCommitter
    private let location: DatabaseLocation
    private let options: Catalog.Options
    private let row: WriterRow

    /// - Parameter row: of the writing connection, where the database has such rows.
    init(_ location: DatabaseLocation, _ writer: GroupCommitter, _ row: WriterRow, _ options: Catalog.Options) {
        self.location = location
        self.writer = writer
        self.row = row
        self.options = options
    }

    /// Whether another process has committed since this was asked last, as far as was visible when this was called; also true where
    /// nobody can tell, as the first time.
    func look() throws(DatabaseError) -> Bool {
        try state.withLock { state throws(DatabaseError) in
            if state.isClosed { throw DatabaseError(.closed, "look for others' changes", "", "the catalog was closed") }
            var isChanged = state.connection == nil
            do throws(SQLError) {
                let connection = if let known = state.connection { known } else { try connect() }
                state.connection = connection
                switch try connection.look() {
                case .nothing: break
                case .something: state.isAsking = true
                case .others: isChanged = true
                }
            } catch { throw DatabaseError("look for others' changes", error) }
            if state.isAsking {
                // One that has much to commit may take seconds for it. Then it is another process's until it says otherwise.
                if try !writer.look(waitingAtMost: options.lookPatience) { isChanged = true }
                state.isAsking = false
            }
            // Also moved by an answer that came too late for the last one who asked.
            let generation = writer.foreignGeneration.load(ordering: .sequentiallyConsistent)
            defer { state.lastGeneration = generation }
            return isChanged || generation != state.lastGeneration
        }
    }

    /// Ends the connection; who asks later is refused.
    func close() {
        state.withLock { state in
            state.connection = nil
            state.isClosed = true
        }
    }

    private func connect() throws(SQLError) -> any WatchingConnection {
        switch location {
        case .sqlite(let path): try SQLiteWatching(path: path, options: options)
        case .postgres(let server): try PostgresWatching(server, row)
        }
    }
}
