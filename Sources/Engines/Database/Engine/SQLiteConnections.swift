import SQL

extension SQLiteConnection {
    /// Opens a connection to a catalog's file; one that only reads where nothing may be written.
    static func open(_ path: String, _ access: Access, _ options: Catalog.Options) throws(SQLError) -> sending SQLiteConnection {
        if options.isReadOnly { return try openReadOnly(path: path, busyMilliseconds: options.busyMilliseconds) }
        return try SQLiteConnection(path: path, access: access, busyMilliseconds: options.busyMilliseconds)
    }
}

/// How SQLite is written: one writer of all processes at a time, by its lock on the file.
final class SQLiteWriting: WritingConnection {
    private let sqlite: SQLiteConnection
    /// How often BEGIN and COMMIT are tried again where another process has the lock, each after the connection's own
    /// wait (`busyMilliseconds`) has passed.
    private let busyRetriesMax: Int
    private var lastDataVersion: Int64
    /// What the connection's commits survive now.
    private var durability = WriteDurability.powerCut

    /// Nil where nothing is written.
    private let mover: Checkpointer?

    var connection: any SQLConnection { sqlite }
    var checkpointer: Checkpointer? { mover }

    init(path: String, options: Catalog.Options) throws(SQLError) {
        sqlite = try SQLiteConnection.open(path, .create, options)
        busyRetriesMax = options.busyRetriesMax
        if options.isReadOnly {
            (mover, lastDataVersion) = (nil, 0)
            return
        }
        // FULL: "an additional sync operation of the WAL file happens after each transaction commit"; NORMAL may lose
        // the last commits to a power cut, and an acknowledged push must not be lost.
        try sqlite.runScript("""
            PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -16384;
            PRAGMA journal_size_limit = 67108864;
            """)
        // The file is in WAL mode now.
        mover = Checkpointer(try SQLiteWriting.connectMover(path, options))
        lastDataVersion = try sqlite.dataVersion()
        sqlite.countLogPages()
    }

    private static func connectMover(_ path: String, _ options: Catalog.Options) throws(SQLError) -> sending SQLiteConnection {
        let connection = try SQLiteConnection.open(path, .readWrite, options)
        // NORMAL: the log is synced before it is moved, and the file before the log may begin anew. It reads no page but those.
        try connection.runScript("PRAGMA synchronous = NORMAL; PRAGMA cache_size = -64;")
        return connection
    }

    func begin(surviving needed: WriteDurability) throws(SQLError) {
        try prepare(for: needed)
        try retryingBusy { () throws(SQLError) in try sqlite.execute("BEGIN IMMEDIATE") }
    }

    /// "If COMMIT fails with SQLITE_BUSY, the transaction remains active and the COMMIT can be retried later."
    func commit() throws(SQLError) {
        try retryingBusy { () throws(SQLError) in try sqlite.execute("COMMIT") }
    }

    /// The version moves with commits of all other connections, and no other one of this process commits.
    func look() throws(SQLError) -> Bool {
        let version = try sqlite.dataVersion()
        defer { lastDataVersion = version }
        return version != lastDataVersion
    }

    func committed() { mover?.committed(sqlite) }

    func rollBack() {
        if sqlite.isInTransaction { _ = try? sqlite.execute("ROLLBACK") }
    }

    /// What could be waited for was waited for.
    func shouldTryAgain(after failure: DatabaseError, tries: Int) -> Bool { false }

    /// With NORMAL "commits can be lost following a power loss", and with nothing else; the next commit with FULL makes those
    /// before it durable as well, since it syncs the whole log (sqlite.org/pragma.html#pragma_synchronous).
    private func prepare(for needed: WriteDurability) throws(SQLError) {
        if durability == needed { return }
        try sqlite.runScript("PRAGMA synchronous = \(needed == .powerCut ? "FULL" : "NORMAL");")
        durability = needed
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

/// How SQLite is watched: whether anybody has committed shows in the file's shared memory, and waits for nobody.
final class SQLiteWatching: WatchingConnection {
    private let sqlite: SQLiteConnection
    private var lastVersion: Int64?

    init(path: String, options: Catalog.Options) throws(SQLError) {
        sqlite = try SQLiteConnection.open(path, .readWrite, options)
        try sqlite.runScript("PRAGMA query_only = ON; PRAGMA cache_size = -64;")
    }

    /// To this connection our own writer is one of the others.
    func look() throws(SQLError) -> Sight {
        let version = try sqlite.dataVersion()
        defer { lastVersion = version }
        return version == lastVersion ? .nothing : .something
    }
}

/// How SQLite is read, beside its writer.
final class SQLiteReading: ReadingConnection {
    private let sqlite: SQLiteConnection
    var connection: any SQLConnection { sqlite }
    var refusal: SQLError? { nil }

    init(path: String, options: Catalog.Options) throws(SQLError) {
        sqlite = try SQLiteConnection.open(path, .readWrite, options)
        // A commit of anyone's empties it, so it may be small; pages come from the kernel's. They are not mapped: SQLite undoes
        // the mapping of the whole file at every change, and to fault pages in again costs more than to copy them.
        try sqlite.runScript("PRAGMA query_only = ON; PRAGMA mmap_size = 0; PRAGMA cache_size = -4096;")
    }

    func begin() throws(SQLError) { try sqlite.execute("BEGIN") }

    /// Nothing was written, so how the transaction ends is the same to the database.
    func end() { _ = try? sqlite.execute("ROLLBACK") }

    func touch() {}
}
