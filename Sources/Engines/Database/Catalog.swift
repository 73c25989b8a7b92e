import Logging
import Platform
import SQL

/// What the server remembers: caches, objects, NARs, chunks, packs and uploads, in one SQLite file.
///
/// Any thread may call it; all calls block. One thread of its own writes (`GroupCommitter`), readers run beside it
/// (`ReaderPool`). Other processes (a collector) may use the same file.
package final class Catalog: Sendable {
    /// How the file is used. The defaults are for a server; tests take shorter waits.
    package struct Options: Sendable {
        /// How long one try waits for another process's lock, in milliseconds.
        package var busyMilliseconds: Int32 = 5000
        /// How often that is tried again before `.busy` is thrown. A collector's transactions take 50 ms.
        package var busyRetriesMax = 5
        /// How long writes are gathered into one transaction, measured by what they take.
        package var transactionTime = Duration.milliseconds(50)
        package init() {}
    }

    /// Marks a database as ours (PRAGMA application_id): `ttrx` in ASCII.
    static let applicationID: Int64 = 0x7474_7278

    let writer: GroupCommitter
    private let readers: ReaderPool
    private let checkpointer: Checkpointer
    private let log: Logger
    let path: String
    private let isClosed = Monitor(false)
    private let lastForeignGeneration = Monitor<UInt64>(0)
    /// Room for the log was taken in advance.
    let hasReservedLog = Monitor(false)
    /// When the log of a full disk may be begun anew again.
    let nextLogRestart = Monitor(MonotonicTime.now)

    /// Opens the database, and makes the file where it is not there. The schema is not touched: `migrate` makes it.
    ///
    /// - Parameter readers: connections for reading, at least one.
    /// - Throws: `.notOurs` (and the file is left as it is), `.tooNew`, `.cannotOpen`, `.corrupt`, `.busy`.
    package init(path: String, readers: Int, log: Logger, options: Options = Options()) throws(DatabaseError) {
        precondition(readers > 0, "a catalog needs a connection to read with")
        let wait = options.busyMilliseconds
        let operation = "open the database \(path)"
        let refusal: DatabaseError?
        do throws(SQLError) {
            let connection = try SQLiteConnection(path: path, access: .create, busyMilliseconds: wait)
            refusal = try Catalog.refusal(of: connection, path: path)
        } catch { throw DatabaseError(operation, error) }
        if let refusal { throw refusal }
        do throws(SQLError) {
            // The file is in WAL mode once the first is open.
            let writing = try Catalog.openWriter(path, wait)
            checkpointer = Checkpointer(try Catalog.openCheckpointer(path, wait))
            writer = try GroupCommitter(
                writing, .sqlite, checkpointer, busyRetriesMax: options.busyRetriesMax,
                transactionTime: options.transactionTime)
            var pool: [Monitor<SQLiteConnection>] = []
            for _ in 0..<readers { pool.append(Monitor(try Catalog.openReader(path, wait))) }
            self.readers = ReaderPool(pool, .sqlite)
        } catch { throw DatabaseError(operation, error) }
        self.path = path
        self.log = log
        checkpointer.start()
        writer.start()
    }

    deinit { close() }

    /// Ends the writing thread when all that is queued is durable, and waits for readers. Later calls throw `.closed`.
    package func close() {
        let isFirst = isClosed.update { isClosed in
            defer { isClosed = true }
            return !isClosed
        }
        guard isFirst else { return }
        writer.close()
        readers.close()
        checkpointer.close()
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

    /// A number that moves with every commit of this process, before its caller hears of it.
    package var writeGeneration: UInt64 { writer.generation.load(ordering: .sequentiallyConsistent) }

    /// Whether another process has committed since this was asked last. Blocks for a turn of the writing thread.
    package func seesOtherProcessesChange() throws(DatabaseError) -> Bool {
        // Every transaction of the writing thread looks (PRAGMA data_version); an empty one makes it look now.
        try write { _ in }
        let now = writer.foreignGeneration.load(ordering: .sequentiallyConsistent)
        return lastForeignGeneration.update { last in
            defer { last = now }
            return last != now
        }
    }

    private static func openWriter(_ path: String, _ wait: Int32) throws(SQLError) -> sending SQLiteConnection {
        let connection = try SQLiteConnection(path: path, access: .create, busyMilliseconds: wait)
        // FULL: "an additional sync operation of the WAL file happens after each transaction commit"; NORMAL may lose
        // the last commits to a power cut, and an acknowledged push must not be lost.
        try connection.runScript("""
            PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -16384;
            PRAGMA journal_size_limit = 67108864;
            """)
        return connection
    }

    private static func openCheckpointer(_ path: String, _ wait: Int32) throws(SQLError) -> sending SQLiteConnection {
        let connection = try SQLiteConnection(path: path, access: .readWrite, busyMilliseconds: wait)
        // NORMAL: the log is synced before it is moved, and the file before the log may begin anew. It reads no page but those.
        try connection.runScript("PRAGMA synchronous = NORMAL; PRAGMA cache_size = -64;")
        return connection
    }

    private static func openReader(_ path: String, _ wait: Int32) throws(SQLError) -> sending SQLiteConnection {
        let connection = try SQLiteConnection(path: path, access: .readWrite, busyMilliseconds: wait)
        // A commit of anyone's empties it, so it may be small; pages come from the kernel's. They are not mapped: SQLite undoes
        // the mapping of the whole file at every change, and to fault pages in again costs more than to copy them.
        try connection.runScript("PRAGMA query_only = ON; PRAGMA mmap_size = 0; PRAGMA cache_size = -4096;")
        return connection
    }

    // MARK: Schema

    /// Brings the schema up to this version, one transaction a step.
    ///
    /// - Parameter report: told the name of each step after it is applied, in a new database only of the first ones; not called
    ///   where nothing was to do.
    package func migrate(
        at now: WallTime = .now, report: (String) -> Void = { _ in }
    ) throws(DatabaseError) {
        let isNewDatabase = try pendingMigrations().count == Migration.all.count
        for (number, step) in Migration.all.enumerated() {
            let isNew = try write { session throws(DatabaseError) in try session.apply(step, at: now) }
            guard isNew else { continue }
            log.debug("applied the schema step \(step.name) to \(path)")
            if !isNewDatabase || number < Migration.firstCount { report(step.name) }
        }
    }

    /// The names of the steps that `migrate` would apply.
    package func pendingMigrations() throws(DatabaseError) -> [String] {
        let applied = try read { session throws(DatabaseError) in try session.appliedMigrations() }
        return Migration.all.map(\.name).filter { !applied.contains($0) }
    }

    /// Why the file must not be used, found without changing it; nil where it is empty or ours.
    private static func refusal(of connection: SQLiteConnection, path: String) throws(SQLError) -> DatabaseError? {
        let operation = "open the database \(path)"
        let mark = try connection.first("PRAGMA application_id") { row throws(SQLError) in try row.integer(0) } ?? 0
        if mark != applicationID {
            let tables = try connection.first("SELECT count(*) FROM sqlite_schema") { row throws(SQLError) in
                try row.integer(0)
            }
            if mark == 0 && tables == 0 { return nil }
            return DatabaseError(
                .notOurs, operation, path,
                "it is an SQLite database of another program; name another file in the database url")
        }
        let applied = try CatalogSession(connection, .sqlite).appliedMigrationNames()
        let known = Set(Migration.all.map(\.name))
        guard let unknown = applied.first(where: { !known.contains($0) }) else { return nil }
        return DatabaseError(
            .tooNew, operation, path,
            "its schema has the step \"\(unknown)\", which this version does not know: a newer version has used it; "
                + "run that version, or restore a backup from before the upgrade")
    }
}
