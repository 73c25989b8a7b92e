import Platform
import SQL
import Synchronization

/// The one thread that writes, and its queue.
///
/// A commit costs an fsync, and that is most of a small write. So the thread takes all that is queued, runs each body in a
/// savepoint of one transaction, commits once, and wakes the callers: eight uploads that end together
/// cost one fsync (5,400 commits a second become 50,000 rows a second here). A body that throws rolls back its own
/// savepoint; the others do not notice. A COMMIT that fails fails all of them. Where nobody in the transaction needs it to
/// survive a power cut, there is no fsync.
final class GroupCommitter: Sendable {
    private struct State {
        var queue: [any WriteJob] = []
        var isClosed = false
    }

    /// Bodies that may wait; callers beyond them wait for room.
    private static let queueLengthMax = 256
    /// Bodies in one transaction: enough to share the fsync, few enough that the first one is not kept waiting long.
    private static let batchLengthMax = 64

    private let state = Monitor(State())
    private let connection: Monitor<SQLiteConnection>
    private let checkpointer: Checkpointer
    private let thread = Mutex<Thread?>(nil)
    private let dialect: Dialect
    /// How often BEGIN and COMMIT are tried again where another process has the lock, each after the connection's own
    /// wait (`busyMilliseconds`) has passed.
    private let busyRetriesMax: Int
    /// How long bodies run in one transaction before it is committed, with what they have done so far: some are of a
    /// thousand paths, and those that came first should not wait for all others.
    private let transactionTime: Duration

    /// Moves with every commit of ours, before its callers are woken.
    let generation = Atomic<UInt64>(0)
    /// Moves where a transaction of ours begins and finds that another process has committed since the last.
    let foreignGeneration = Atomic<UInt64>(0)
    private let lastDataVersion = Atomic<Int64>(0)
    /// What the connection's commits survive now.
    private let durability = Monitor(WriteDurability.powerCut)

    init(
        _ connection: sending SQLiteConnection, _ dialect: Dialect, _ checkpointer: Checkpointer, busyRetriesMax: Int,
        transactionTime: Duration
    ) throws(SQLError) {
        self.dialect = dialect
        self.checkpointer = checkpointer
        self.busyRetriesMax = busyRetriesMax
        self.transactionTime = transactionTime
        lastDataVersion.store(try connection.dataVersion(), ordering: .relaxed)
        connection.countLogPages()
        self.connection = Monitor(connection)
    }

    func start() {
        thread.withLock { $0 = Thread(named: "db-writer") { [self] in run() } }
    }

    /// Queues a body, and blocks until what it did survives what it has to.
    func write<Result: Sendable>(
        surviving durability: WriteDurability = .powerCut,
        _ body: @escaping @Sendable (CatalogSession) throws(DatabaseError) -> Result
    ) throws(DatabaseError) -> Result {
        let job = BodyJob(surviving: durability, body)
        let isQueued = state.wait { state -> Bool? in
            if state.isClosed { return false }
            if state.queue.count >= GroupCommitter.queueLengthMax { return nil }
            state.queue.append(job)
            return true
        }
        if !isQueued { throw DatabaseError(.closed, "write to the database", "", "the catalog was closed") }
        return try job.result()
    }

    /// Writes what is queued, then ends the thread. What comes later is refused.
    func close() {
        state.update { $0.isClosed = true }
        let thread = self.thread.withLock { $0.take() }
        thread?.join()
    }

    /// Blocks until so many bodies are queued; for those who want to see them committed together.
    func waitUntilQueued(_ count: Int) {
        state.wait { state in state.queue.count >= count ? () : nil }
    }

    // MARK: The thread

    private func run() {
        while true {
            let batch = state.wait { state -> [any WriteJob]? in
                if state.queue.isEmpty { return state.isClosed ? [] : nil }
                let batch = Array(state.queue.prefix(GroupCommitter.batchLengthMax))
                state.queue.removeFirst(batch.count)
                return batch
            }
            if batch.isEmpty { return }
            connection.peek { connection in commit(batch, on: connection) }
        }
    }

    private func commit(_ batch: [any WriteJob], on connection: SQLiteConnection) {
        do throws(SQLError) {
            try prepare(connection, for: batch.contains { $0.durability == .powerCut } ? .powerCut : .crash)
            try check(.begin)
            try retryingBusy { () throws(SQLError) in try connection.execute("BEGIN IMMEDIATE") }
            try noticeOthers(on: connection)
        } catch {
            abandon(connection)
            for job in batch { job.fail(DatabaseError("begin a transaction", error)) }
            return
        }
        let session = CatalogSession(connection, dialect)
        let deadline = MonotonicTime.now + transactionTime
        var ran: [any WriteJob] = []
        for index in batch.indices {
            if index > 0 && MonotonicTime.now >= deadline {
                state.update { $0.queue.insert(contentsOf: batch[index...], at: 0) }
                break
            }
            let job = batch[index]
            do throws(DatabaseError) {
                // One that is alone needs no savepoint, for which SQLite would copy every page before its first change.
                if batch.count == 1 { try job.run(session) } else { try runInSavepoint(job, session) }
                ran.append(job)
            } catch {
                if batch.count == 1 { abandon(connection) }
                job.fail(error)
                if connection.isInTransaction { continue }
                // A full disk or an I/O error ends the whole transaction: what ran before is gone as well.
                for lost in ran + batch[(index + 1)...] { lost.fail(error) }
                return
            }
        }
        do throws(SQLError) {
            // "If COMMIT fails with SQLITE_BUSY, the transaction remains active and the COMMIT can be retried later."
            try check(.commit)
            try retryingBusy { () throws(SQLError) in try connection.execute("COMMIT") }
        } catch {
            abandon(connection)
            for job in ran { job.fail(DatabaseError("commit", error)) }
            return
        }
        Faults.pass(.transactionDurable)
        if !ran.isEmpty { generation.add(1, ordering: .sequentiallyConsistent) }
        for job in ran { job.succeed() }
        checkpointer.committed(connection)
    }

    /// With NORMAL "commits can be lost following a power loss", and with nothing else; the next commit with FULL makes those
    /// before it durable as well, since it syncs the whole log (sqlite.org/pragma.html#pragma_synchronous).
    private func prepare(_ connection: SQLiteConnection, for needed: WriteDurability) throws(SQLError) {
        let isThere = durability.peek { $0 == needed }
        if isThere { return }
        try connection.runScript("PRAGMA synchronous = \(needed == .powerCut ? "FULL" : "NORMAL");")
        durability.peek { $0 = needed }
    }

    private func runInSavepoint(_ job: any WriteJob, _ session: CatalogSession) throws(DatabaseError) {
        try session.trying("begin a savepoint") { connection throws(SQLError) in _ = try connection.execute("SAVEPOINT body") }
        do throws(DatabaseError) {
            try job.run(session)
            try session.trying("release a savepoint") { connection throws(SQLError) in _ = try connection.execute("RELEASE body") }
        } catch {
            // Where the transaction is gone, so is the savepoint; the caller looks.
            _ = try? session.connection.execute("ROLLBACK TO body")
            _ = try? session.connection.execute("RELEASE body")
            throw error
        }
    }

    private func abandon(_ connection: SQLiteConnection) {
        if connection.isInTransaction { _ = try? connection.execute("ROLLBACK") }
    }

    /// Fails where a test wants it to, as the database does on a disk that is full or broken.
    private func check(_ site: FaultSite) throws(SQLError) {
        do throws(Errno) { try Faults.check(site) } catch {
            throw SQLError(
                kind: error == .noSpace ? .full : .inputOutput, code: 0, operation: site.name, subject: "a transaction", message: "\(error)")
        }
    }

    private func noticeOthers(on connection: SQLiteConnection) throws(SQLError) {
        let version = try connection.dataVersion()
        if lastDataVersion.exchange(version, ordering: .relaxed) != version {
            foreignGeneration.add(1, ordering: .sequentiallyConsistent)
        }
    }

    private func retryingBusy(_ statement: () throws(SQLError) -> Int) throws(SQLError) {
        for _ in 0..<busyRetriesMax {
            do throws(SQLError) {
                _ = try statement()
                return
            } catch { if error.kind != .busy { throw error } }
        }
        _ = try statement()
    }
}

extension FaultSite {
    /// A transaction is about to begin. Thread: db-writer.
    package static let begin = FaultSite("begin")
    /// All of a transaction was done, and it is about to be committed. Thread: db-writer.
    package static let commit = FaultSite("commit")
}

/// What a write has to survive before its caller may go on.
package enum WriteDurability: Sendable, Hashable {
    /// The machine may lose its power: what users were told is done.
    case powerCut
    /// The process may die, but a power cut may undo it: what means nothing after a restart (an upload's holds), or may be a
    /// little old (times of access).
    case crash
}

/// A body in the queue, whatever it answers. Run by the writing thread, waited for by its caller.
private protocol WriteJob: AnyObject, Sendable {
    var durability: WriteDurability { get }
    func run(_ session: CatalogSession) throws(DatabaseError)
    /// What it did is durable: its caller may go on.
    func succeed()
    func fail(_ error: DatabaseError)
}

private final class BodyJob<Result: Sendable>: WriteJob {
    private enum State {
        case queued
        case ran(Result)
        case durable(Result)
        case failed(DatabaseError)
    }
    private let body: @Sendable (CatalogSession) throws(DatabaseError) -> Result
    private let state = Monitor(State.queued)
    let durability: WriteDurability

    init(
        surviving durability: WriteDurability,
        _ body: @escaping @Sendable (CatalogSession) throws(DatabaseError) -> Result
    ) {
        self.durability = durability
        self.body = body
    }

    func run(_ session: CatalogSession) throws(DatabaseError) {
        let result = try body(session)
        state.peek { $0 = .ran(result) }
    }

    func succeed() {
        state.update { state in if case .ran(let result) = state { state = .durable(result) } }
    }

    func fail(_ error: DatabaseError) {
        state.update { $0 = .failed(error) }
    }

    func result() throws(DatabaseError) -> Result {
        let outcome = state.wait { state -> Swift.Result<Result, DatabaseError>? in
            switch state {
            case .queued, .ran: nil
            case .durable(let result): .success(result)
            case .failed(let error): .failure(error)
            }
        }
        return try outcome.get()
    }
}
