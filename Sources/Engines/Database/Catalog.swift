import Logging
import Platform
import SQL

/// What the server remembers: caches, objects, NARs, chunks, packs and uploads, in one SQLite file, or on a PostgreSQL server.
///
/// Any thread may call it; all calls block. One thread of its own writes (`GroupCommitter`), readers run beside it
/// (`ReaderPool`). Other processes (a collector, replicas) may use the same database.
package final class Catalog: Sendable {
    /// How the database is used. The defaults are for a server; tests take shorter waits.
    package struct Options: Sendable {
        /// How long one try waits for another process's lock, in milliseconds.
        package var busyMilliseconds: Int32 = 5000
        /// How often that is tried again before `.busy` is thrown. A collector's transactions take 50 ms.
        package var busyRetriesMax = 5
        /// How long writes are gathered into one transaction, measured by what they take.
        package var transactionTime = Duration.milliseconds(50)
        /// How long who wants to read from a server waits for a connection to be free.
        package var readerPatience = Duration.seconds(10)
        /// How long a writer that lost its server waits for it to come back.
        package var reconnectTime = Duration.seconds(15)
        /// The same of readers: a restart takes a second or two.
        package var readerReconnectTime = Duration.seconds(3)
        /// How long who looks for others' changes waits for the writing thread, where only that can tell whose one was.
        package var lookPatience = Duration.milliseconds(500)
        /// Whether a file is only read, and none is made beside it unless its directory takes one: each write is refused.
        package var isReadOnly = false
        package init() {}
    }

    /// What a catalog on a server has beside the connections that read: one that writes, one that looks for others' changes, and one that
    /// holds a lock while it collects.
    package static let otherConnections = 3

    /// Marks a database as ours (PRAGMA application_id): `ttrx` in ASCII.
    static let applicationID: Int64 = 0x7474_7278

    let writer: GroupCommitter
    let readers: ReaderPool
    /// Where the database is a file.
    private let checkpointer: Checkpointer?
    private let log: Logger
    private let options: Options
    let location: DatabaseLocation
    private let isClosed = Monitor(false)
    private let watcher: Watcher
    /// The locks that live, each of which has a connection of its own.
    let sessionLocks = Monitor<[SessionLock]>([])
    /// Room for the log was taken in advance.
    let hasReservedLog = Monitor(false)
    /// When the log of a full disk may be begun anew again.
    let nextLogRestart = Monitor(MonotonicTime.now)

    /// Opens the database, and makes the file where it is one that is not there. The schema is not touched: `migrate` makes it.
    ///
    /// - Parameter readers: connections for reading at most, at least one.
    /// - Throws: `.notOurs` (and the file is left as it is), `.tooNew`, `.cannotOpen`, `.unreachable`, `.corrupt`, `.busy`.
    package init(
        _ location: DatabaseLocation, readers: Int, log: Logger, options: Options = Options()
    ) throws(DatabaseError) {
        precondition(readers > 0, "a catalog needs a connection to read with")
        let operation = "open the database \(location.name)"
        let refusal: DatabaseError?
        do throws(SQLError) {
            refusal = try Catalog.refusal(of: location, options)
        } catch { throw DatabaseError(operation, error) }
        if let refusal { throw refusal }
        do throws(SQLError) {
            let row = WriterRow()
            let writing = try Catalog.openWriter(location, row, options)
            checkpointer = writing.checkpointer
            writer = GroupCommitter(writing, location.dialect, transactionTime: options.transactionTime)
            self.readers = try ReaderPool(location, countMax: readers, options)
            watcher = Watcher(location, writer, row, options)
        } catch { throw DatabaseError(operation, error) }
        self.location = location
        self.log = log
        self.options = options
        checkpointer?.start()
        writer.start()
    }

    /// Opens an SQLite file.
    package convenience init(
        path: String, readers: Int, log: Logger, options: Options = Options()
    ) throws(DatabaseError) {
        try self.init(.sqlite(path: path), readers: readers, log: log, options: options)
    }

    deinit { close() }

    /// Ends the writing thread when all that is queued is durable, waits for readers, and ends all connections. Later calls throw `.closed`.
    package func close() {
        let isFirst = isClosed.update { isClosed in
            defer { isClosed = true }
            return !isClosed
        }
        guard isFirst else { return }
        watcher.close()
        writer.close()
        readers.close()
        checkpointer?.close()
        // Of a file the last, and one that may write: with it SQLite moves what is left of the log, and removes it.
        writer.disconnect()
    }

    /// Runs `body` on one state of the database; many may read at the same time.
    @discardableResult
    package func read<Result: Sendable>(
        _ body: (CatalogSession) throws(DatabaseError) -> Result
    ) throws(DatabaseError) -> Result {
        try readers.read(body)
    }

    /// Runs `body` on the writing thread, and returns when what it did survives what it has to. Where it throws, nothing of it
    /// remains.
    ///
    /// The body must be short (others wait for it), and must not call the catalog again. It may run twice.
    @discardableResult
    package func write<Result: Sendable>(
        surviving durability: WriteDurability = .powerCut,
        _ body: @escaping @Sendable (CatalogSession) throws(DatabaseError) -> Result
    ) throws(DatabaseError) -> Result {
        do throws(DatabaseError) { return try writer.write(surviving: durability, body) } catch {
            guard error.kind == .full, restartsFullLog() else { throw error }
            return try writer.write(surviving: durability, body)
        }
    }

    /// Asks a server something on each connection that nobody uses, so that what lies between keeps them open. May take as long as
    /// a server that is away is waited for.
    package func touchConnections() {
        guard location.path == nil else { return }
        readers.touch()
        // Where it is writing, it is in use.
        _ = try? writer.look(waitingAtMost: options.lookPatience)
        for lock in sessionLocks.withLock({ locks in locks.compactMap(\.lock) }) { lock.touch() }
    }

    /// A number that moves with every commit of this process, before its caller hears of it.
    package var writeGeneration: UInt64 { writer.generation.load(ordering: .sequentiallyConsistent) }

    /// Whether another process has committed since this was asked last, by all that was visible when this was called; true where
    /// nobody can tell, as the first time. Waits for commits of ours only where the database is a file and
    /// somebody has committed, and then up to `lookPatience`.
    package func seesOtherProcessesChange() throws(DatabaseError) -> Bool { try watcher.look() }

    private static func openWriter(
        _ location: DatabaseLocation, _ row: WriterRow, _ options: Options
    ) throws(SQLError) -> sending any WritingConnection {
        switch location {
        case .sqlite(let path): try SQLiteWriting(path: path, options: options)
        case .postgres(let server): try PostgresWriting(server, options: options, row: row)
        }
    }

    // MARK: Schema

    /// Brings the schema up to this version, one transaction a step.
    ///
    /// - Parameter report: told the name of each step after it is applied, in a new database only of the first ones; not called
    ///   where nothing was to do.
    package func migrate(
        at now: WallTime = .now, report: (String) -> Void = { _ in }
    ) throws(DatabaseError) {
        let pending = try pendingMigrations()
        if pending.isEmpty { return }
        let isNewDatabase = pending.count == Migration.all.count
        for (number, step) in Migration.all.enumerated() {
            let isNew = try write { session throws(DatabaseError) in try session.apply(step, at: now) }
            guard isNew else { continue }
            log.debug("applied the schema step \(step.name) to \(location.name)")
            if !isNewDatabase || number < Migration.firstCount { report(step.name) }
        }
    }

    /// The names of the steps that `migrate` would apply.
    package func pendingMigrations() throws(DatabaseError) -> [String] {
        try read { session throws(DatabaseError) in Migration.missing(in: try session.appliedMigrations()) }
    }

    /// Refuses a database that a newer version has changed since it was opened.
    ///
    /// - Throws: `.tooNew`, and what reading throws.
    package func requireKnownSchema() throws(DatabaseError) {
        let location = location
        try read { session throws(DatabaseError) in
            let refusal: DatabaseError?
            do throws(SQLError) { refusal = try Catalog.refusalOfSchema(session.connection, location) } catch {
                throw DatabaseError("look at the schema of \(location.name)", error)
            }
            if let refusal { throw refusal }
        }
    }
}
