import Platform
import SQL

/// The thread that moves what was committed from the write-ahead log into the database's file.
///
/// To move 4,000 pages that lie scattered takes a tenth of a second, and SQLite would have it done by the connection that commits, while
/// all other writers wait. Checkpoints run beside writers as well as beside readers; but only where a log is moved whole does the
/// next writer begin it anew (sqlite.org/wal.html, "Checkpointing"). So the thread moves nearly all of it, and the writer, beside whom
/// nobody adds to it, the little that is left.
final class Checkpointer: Sendable {
    private struct State {
        var isWanted = false
        var isClosed = false
        /// Pages of the log after the last commit.
        var pageCount = 0
        /// Those of them that were moved; 0 where it began anew.
        var movedCount = 0
        /// The thread has done its part.
        var isNearlyMoved = false
    }

    /// Pages that are moved together, 16 MiB: those that changed several times are moved once.
    static let pagesWanted = 4000
    /// Pages that are left to the writer: some ten milliseconds.
    static let pagesOfWriter = 500
    /// From this many pages on the log (64 MiB) the writer moves it however many are left: it must not grow for ever.
    static let pagesMax = 16_000
    /// While the log is moved writers add to it, each time less than the time before.
    private static let passesMax = 4

    private let state = Monitor(State())
    /// Nil from the end on.
    private let connection: Monitor<SQLiteConnection?>
    private let thread: Monitor<ThreadHandle?> = Monitor(nil)

    init(_ connection: sending SQLiteConnection) { self.connection = Monitor(connection) }

    func start() {
        let handle = ThreadHandle(named: "db-checkpoint") { [self] in run() }
        thread.update { $0 = handle }
    }

    func close() {
        state.update { $0.isClosed = true }
        thread.withLock { $0 }?.join()
        connection.withLock { $0 = nil }
    }

    // MARK: Thread: db-writer

    /// Notes how many pages the log has after a commit, and moves what is left to the writer.
    func committed(_ writer: SQLiteConnection) {
        guard note(pages: writer.logPageCount) else { return }
        // Where that fails, or somebody else is at it, another commit tries again.
        if let log = try? writer.checkpoint(), log.movedCount >= 0 { state.withLock { $0.movedCount = log.movedCount } }
    }

    /// - Returns: whether the writer is to move what is left.
    func note(pages: Int) -> Bool {
        let (isWanted, isLeft) = state.withLock { state in
            if pages < state.movedCount {
                state.movedCount = 0
                state.isNearlyMoved = false
            }
            state.pageCount = pages
            let left = pages - state.movedCount
            let isLeft = pages >= Checkpointer.pagesMax || state.isNearlyMoved && left <= Checkpointer.pagesOfWriter
            let isWanted = !isLeft && !state.isWanted && (left >= Checkpointer.pagesWanted || state.isNearlyMoved)
            if isLeft || isWanted { state.isNearlyMoved = false }
            return (isWanted, isLeft)
        }
        if isWanted { state.update { $0.isWanted = true } }
        return isLeft
    }

    // MARK: Thread: db-checkpoint

    private func run() {
        while state.wait({ $0.isClosed ? false : $0.isWanted ? true : nil }) {
            for _ in 0..<Checkpointer.passesMax {
                // A disk that fails here fails writers as well, who say so; the next commits ask again. Less than nothing is moved
                // where another process is at it.
                guard let log = try? connection.withLock({ connection throws(SQLError) in try connection?.checkpoint() }),
                    log.movedCount >= 0
                else { break }
                let left = state.withLock { state in
                    state.movedCount = log.movedCount
                    return state.pageCount - log.movedCount
                }
                if left <= Checkpointer.pagesOfWriter { break }
            }
            state.update { state in
                state.isWanted = false
                state.isNearlyMoved = state.pageCount > state.movedCount
            }
        }
    }
}

extension Checkpointer {
    /// Blocks until the thread has done what was wanted; for those who want to see it.
    func waitUntilMoved() {
        state.wait { $0.isWanted ? nil : () }
    }
}
