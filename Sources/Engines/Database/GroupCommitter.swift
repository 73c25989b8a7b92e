import Platform
import SQL
import Synchronization

/// The one thread that writes, and its queue.
///
/// A commit costs an fsync, and that is most of a small write. So the thread takes all that is queued, runs each body in a
/// savepoint of one transaction, commits once, and wakes the callers: eight uploads that end together
/// cost one fsync (5,400 commits a second become 50,000 rows a second here). A body that throws rolls back its own
/// savepoint; the others do not notice. A COMMIT that fails fails all of them. Where nobody in the transaction needs it to
/// survive a power cut, there is no fsync. A body may run more than once: where the database undid the whole transaction and
/// says that to try again helps.
final class GroupCommitter: Sendable {
    private struct State {
        var queue: [any WriteJob] = []
        /// What the writing thread is to look for next; those who ask meanwhile share it.
        var look: Look?
        var isClosed = false
    }

    /// Bodies that may wait; callers beyond them wait for room.
    private static let queueLengthMax = 256
    /// Bodies in one transaction: enough to share the fsync, few enough that the first one is not kept waiting long.
    private static let batchLengthMax = 64

    private let state = Monitor(State())
    /// Nil from the end on.
    private let writing: Monitor<(any WritingConnection)?>
    private let thread = Mutex<Thread?>(nil)
    private let dialect: Dialect
    /// How long bodies run in one transaction before it is committed, with what they have done so far: some are of a
    /// thousand paths, and those that came first should not wait for all others.
    private let transactionTime: Duration

    /// Moves with every commit of ours, before its callers are woken.
    let generation = Atomic<UInt64>(0)
    /// Moves where the writing connection finds that another process has committed.
    let foreignGeneration = Atomic<UInt64>(0)

    init(_ writing: sending any WritingConnection, _ dialect: Dialect, transactionTime: Duration) {
        self.dialect = dialect
        self.transactionTime = transactionTime
        self.writing = Monitor(writing)
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

    /// Has the writing thread use its connection between two transactions, to ask whether others have committed:
    /// `foreignGeneration` says it then.
    ///
    /// - Returns: false where it did not come to that in time; it will.
    func look(waitingAtMost patience: Duration) throws(DatabaseError) -> Bool {
        let queued = state.update { state -> Look? in
            if state.isClosed { return nil }
            let look = state.look ?? Look()
            state.look = look
            return look
        }
        guard let queued else { throw DatabaseError(.closed, "look for others' changes", "", "the catalog was closed") }
        guard let outcome = queued.outcome.wait(until: .now + patience, { $0 }) else { return false }
        try outcome.get()
        return true
    }

    /// Writes what is queued, then ends the thread. What comes later is refused.
    func close() {
        state.update { $0.isClosed = true }
        let thread = self.thread.withLock { $0.take() }
        thread?.join()
    }

    /// Ends the connection, after `close`.
    func disconnect() { writing.withLock { $0 = nil } }

    /// Blocks until so many bodies are queued; for those who want to see them committed together.
    func waitUntilQueued(_ count: Int) {
        state.wait { state in state.queue.count >= count ? () : nil }
    }

    // MARK: The thread

    private func run() {
        while true {
            let (batch, look) = state.wait { state -> ([any WriteJob], Look?)? in
                if state.queue.isEmpty && state.look == nil { return state.isClosed ? ([], nil) : nil }
                let batch = Array(state.queue.prefix(GroupCommitter.batchLengthMax))
                state.queue.removeFirst(batch.count)
                return (batch, state.look.take())
            }
            if batch.isEmpty && look == nil { return }
            writing.withLock { writing in
                guard let writing else { return }
                if let look { answer(look, on: writing) }
                if !batch.isEmpty { commit(batch, on: writing) }
            }
        }
    }

    private func answer(_ look: Look, on writing: any WritingConnection) {
        let outcome: Swift.Result<Void, DatabaseError>
        do throws(SQLError) {
            if try writing.look() { foreignGeneration.add(1, ordering: .sequentiallyConsistent) }
            outcome = .success(())
        } catch { outcome = .failure(DatabaseError("look for others' changes", error)) }
        look.outcome.update { $0 = outcome }
    }

    /// One transaction, tried again where the database says that this helps, and what becomes of each body.
    private func commit(_ batch: [any WriteJob], on writing: any WritingConnection) {
        var attempt = Attempt(batch: batch)
        var tries = 0
        while true {
            do throws(DatabaseError) {
                try run(&attempt, on: writing)
                break
            } catch {
                writing.rollBack()
                tries += 1
                if writing.shouldTryAgain(after: error, tries: tries) {
                    attempt.ran = []
                    attempt.refused = []
                    continue
                }
                // What was refused for itself was told why.
                let refused = Set(attempt.refused.map { ObjectIdentifier($0.job) })
                for job in attempt.batch where !refused.contains(ObjectIdentifier(job)) { job.fail(error) }
                for (job, reason) in attempt.refused { job.fail(reason) }
                return
            }
        }
        Faults.pass(.transactionDurable)
        if !attempt.ran.isEmpty { generation.add(1, ordering: .sequentiallyConsistent) }
        for job in attempt.ran { job.succeed() }
        for (job, reason) in attempt.refused { job.fail(reason) }
        writing.committed()
    }

    /// What happens to a batch in one transaction; nobody hears of it before its end.
    private struct Attempt {
        var batch: [any WriteJob]
        var ran: [any WriteJob] = []
        /// Bodies that threw; what they did was rolled back.
        var refused: [(job: any WriteJob, reason: DatabaseError)] = []
    }

    /// - Throws: what ended the transaction as a whole; nothing of it is left.
    private func run(_ attempt: inout Attempt, on writing: any WritingConnection) throws(DatabaseError) {
        let needed: WriteDurability = attempt.batch.contains { $0.durability == .powerCut } ? .powerCut : .crash
        do throws(SQLError) {
            try check(.begin)
            try writing.begin(surviving: needed)
        } catch { throw DatabaseError("begin a transaction", error) }
        let session = CatalogSession(writing.connection, dialect)
        let deadline = MonotonicTime.now + transactionTime
        for index in attempt.batch.indices {
            if index > 0 && MonotonicTime.now >= deadline {
                let rest = attempt.batch[index...]
                state.update { $0.queue.insert(contentsOf: rest, at: 0) }
                attempt.batch.removeSubrange(index...)
                break
            }
            let job = attempt.batch[index]
            do throws(DatabaseError) {
                // One that is alone needs no savepoint, for which SQLite would copy every page before its first change.
                if attempt.batch.count == 1 { try job.run(session) } else { try runInSavepoint(job, session) }
                attempt.ran.append(job)
            } catch {
                // A full disk, an I/O error, a lost connection ends the whole transaction: what ran before is gone as well. One
                // that lost a race may win it the next time, with all others.
                if attempt.batch.count == 1 || !session.connection.isInTransaction || error.kind == .busy { throw error }
                attempt.refused.append((job, error))
            }
        }
        do throws(SQLError) {
            try check(.commit)
            try writing.commit()
        } catch { throw DatabaseError("commit", error) }
    }

    private func runInSavepoint(_ job: any WriteJob, _ session: CatalogSession) throws(DatabaseError) {
        try session.trying("begin a savepoint") { connection throws(SQLError) in _ = try connection.execute("SAVEPOINT body") }
        do throws(DatabaseError) {
            try job.run(session)
            try session.trying("release a savepoint") { connection throws(SQLError) in _ = try connection.execute("RELEASE SAVEPOINT body") }
        } catch {
            // Where the transaction is gone, so is the savepoint; the caller looks.
            _ = try? session.connection.execute("ROLLBACK TO SAVEPOINT body")
            _ = try? session.connection.execute("RELEASE SAVEPOINT body")
            throw error
        }
    }

    /// Fails where a test wants it to, as the database does on a disk that is full or broken, or where others are in the way.
    private func check(_ site: FaultSite) throws(SQLError) {
        do throws(Errno) { try Faults.check(site) } catch {
            let kind: SQLError.Kind = switch error {
            case .noSpace: .full
            case .wouldBlock: .busy
            default: .inputOutput
            }
            throw SQLError(kind: kind, code: "", operation: site.name, subject: "a transaction", message: "\(error)")
        }
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

/// Who asked for others' changes, and waits.
private final class Look: Sendable {
    let outcome = Monitor<Swift.Result<Void, DatabaseError>?>(nil)
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
        state.withLock { $0 = .ran(result) }
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
