import CSQLite
import Glibc

/// One connection to an SQLite database file, with its statements prepared once.
///
/// Thread: one at a time (opened without SQLite's own mutex). Foreign keys are enforced, a locked database is waited for
/// up to the time given. Dropping it closes the file.
@safe package final class SQLiteConnection: SQLConnection {
    /// What may be done to the file.
    package enum Access: Sendable {
        /// Read and write; made where it is not there.
        case create
        /// Read and write a file that is there.
        case readWrite
        /// Read only, beside writers of this or any other process.
        case readOnly
        /// Read a file that nobody changes meanwhile: no locks, no shared memory file, a WAL is not looked at.
        case immutable
    }

    private let handle: OpaquePointer
    private let path: String
    private var statements: [String: SQLiteStatement] = [:]
    /// More texts than the program has: only a caller that builds text from values would ever reach it.
    private static let statementCountMax = 256

    /// Opens a database file.
    ///
    /// - Parameters:
    ///   - path: the file. The name is taken as it is, `file:` means nothing special.
    ///   - busyMilliseconds: about how long a statement waits for another connection's lock before it fails with `.busy`.
    /// - Throws: `.cannotOpen`; `.notDatabase` and `.corrupt` come with the first statement, as SQLite reads then.
    package init(path: String, access: Access, busyMilliseconds: Int32 = 5000) throws(SQLError) {
        let flags = switch access {
        case .create: SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
        case .readWrite: SQLITE_OPEN_READWRITE
        case .readOnly, .immutable: SQLITE_OPEN_READONLY
        }
        // https://www.sqlite.org/uri.html: the only way to say immutable; % ? and # in the path are escaped.
        let name = "file:" + SQLiteConnection.escaped(path) + (access.isImmutable ? "?immutable=1" : "")
        var opened: OpaquePointer?
        let code = unsafe sqlite3_open_v2(
            name, &opened, flags | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nil)
        guard code == SQLITE_OK, let handle = unsafe opened else {
            let message = unsafe opened.map { unsafe String(cString: sqlite3_errmsg($0)) } ?? "out of memory"
            unsafe sqlite3_close_v2(opened)
            throw SQLError(
                kind: SQLiteConnection.kind(of: code), code: "\(code)", operation: "open", subject: path, message: message)
        }
        unsafe self.handle = handle
        self.path = path
        unsafe SQLiteConnection.wait(handle, busyMilliseconds)
        try runScript("PRAGMA foreign_keys = ON")
    }

    /// Has statements wait for another connection's lock so long, asking for it once a millisecond.
    ///
    /// SQLite's own `sqlite3_busy_timeout` asks ever more seldom, down to ten times a second: against another process that lets go
    /// for some milliseconds at a time, again and again, it would wait for seconds.
    private static func wait(_ handle: OpaquePointer, _ milliseconds: Int32) {
        // How often to ask stands in the pointer itself; it points at nothing.
        unsafe sqlite3_busy_handler(handle, { limit, count in
            if Int(count) >= Int(bitPattern: limit) { return 0 }
            usleep(1000)
            return 1
        }, UnsafeMutableRawPointer(bitPattern: Int(milliseconds)))
    }

    /// Opens a database to read it while others may be writing it, this process or another program; also where nothing may be written.
    ///
    /// A database in WAL mode can be read beside its writer where the `-shm` file is there or may be made. Where neither
    /// holds (nobody has it open, and its directory is read-only to us) nobody changes it either as long as there
    /// is no WAL with content, and it is read as immutable.
    ///
    /// - Throws: `.logUnread` where there is one.
    package static func openReadOnly(path: String, busyMilliseconds: Int32 = 5000) throws(SQLError) -> SQLiteConnection {
        do throws(SQLError) {
            let connection = try SQLiteConnection(path: path, access: .readOnly, busyMilliseconds: busyMilliseconds)
            // Opening touches nothing; the first read does.
            _ = try connection.first("SELECT count(*) FROM sqlite_schema") { row throws(SQLError) in try row.integer(0) }
            return connection
        } catch {
            guard error.kind == .cannotOpen || error.kind == .readOnly, unsafe access(path, R_OK) == 0 else { throw error }
            if let log = unreadLog(of: path) {
                throw SQLError(
                    kind: .logUnread, code: error.code, operation: "open", subject: path,
                    message: "\(log) has changes that are not in the file yet, and those are only read where files can be made beside it")
            }
            return try SQLiteConnection(path: path, access: .immutable, busyMilliseconds: busyMilliseconds)
        }
    }

    /// The log with content beside a database, of either kind; nil where there is none.
    private static func unreadLog(of path: String) -> String? {
        // Logs lie beside the file that a link leads to.
        let resolved = unsafe realpath(path, nil)
        defer { unsafe free(resolved) }
        let file = unsafe resolved.map { unsafe String(cString: $0) } ?? path
        return ["-wal", "-journal"].lazy.map { file + $0 }.first { log in
            var status = stat()
            return unsafe stat(log, &status) == 0 && status.st_size > 0
        }
    }

    deinit {
        statements.removeAll()
        unsafe sqlite3_close_v2(handle)
    }

    package var isInTransaction: Bool { unsafe sqlite3_get_autocommit(handle) == 0 }

    @discardableResult
    package func run(
        _ sql: String, _ values: [SQLValue], row: (borrowing SQLRow) throws(SQLError) -> Void
    ) throws(SQLError) -> Int {
        let statement = try prepared(sql)
        statement.isRunning = true
        defer {
            statement.reset()
            statement.isRunning = false
        }
        precondition(
            statement.parameterCount == values.count,
            "\(values.count) values for \(statement.parameterCount) parameters of: \(sql)")
        for index in values.indices {
            let code = statement.bind(values[index], at: Int32(index + 1))
            if code != SQLITE_OK { throw error(code, "bind parameter \(index + 1) of", sql) }
        }
        while true {
            let code = statement.step()
            switch code {
            case SQLITE_ROW: try row(SQLRow(statement))
            case SQLITE_DONE: return Int(unsafe sqlite3_changes64(handle))
            default: throw error(code, "run", sql)
            }
        }
    }

    package func runScript(_ sql: String) throws(SQLError) {
        let code = unsafe sqlite3_exec(handle, sql, nil, nil, nil)
        if code != SQLITE_OK { throw error(code, "run", sql) }
    }

    /// A number that moves whenever another connection, of any process, has committed a change (PRAGMA data_version).
    package func dataVersion() throws(SQLError) -> Int64 {
        try first("PRAGMA data_version") { row throws(SQLError) in try row.integer(0) } ?? 0
    }

    // MARK: The write-ahead log

    /// Pages in the log after this connection's last commit, once they are counted.
    package private(set) var logPageCount = 0

    /// Counts the pages of the log from now on, and moves none of them into the database's file by itself any more
    /// (sqlite3_wal_hook takes the place of `wal_autocheckpoint`): somebody calls `checkpoint`.
    package func countLogPages() {
        unsafe sqlite3_wal_hook(handle, { connection, _, _, count in
            // Called by a commit of the connection that is named here, so that lives.
            if let connection = unsafe connection {
                unsafe Unmanaged<SQLiteConnection>.fromOpaque(connection).takeUnretainedValue().logPageCount = Int(count)
            }
            return SQLITE_OK
        }, Unmanaged.passUnretained(self).toOpaque())
    }

    /// Moves pages from the log into the database's file, as far as nobody is in the way, and waits for nobody.
    ///
    /// - Returns: pages in the log, and how many of them were moved, now or before.
    package func checkpoint() throws(SQLError) -> (pageCount: Int, movedCount: Int) {
        try first("PRAGMA wal_checkpoint(PASSIVE)") { row throws(SQLError) in
            (pageCount: Int(try row.integer(1)), movedCount: Int(try row.integer(2)))
        } ?? (0, 0)
    }

    // MARK: Statements

    private func prepared(_ sql: String) throws(SQLError) -> SQLiteStatement {
        let kept = statements[sql]
        if let kept, !kept.isRunning { return kept }
        let statement = try SQLiteStatement(preparing: sql, isKept: kept == nil, on: self)
        // One that a row's closure runs again, while it stands on that row, is prepared for this once.
        if kept != nil { return statement }
        if statements.count >= SQLiteConnection.statementCountMax { statements = statements.filter(\.value.isRunning) }
        statements[sql] = statement
        return statement
    }

    /// Compiles one statement. sqlite3.h: SQLITE_PREPARE_PERSISTENT is a hint that it "will be retained for a long time".
    func compile(_ sql: String, isKept: Bool) throws(SQLError) -> OpaquePointer {
        var compiled: OpaquePointer?
        let code = unsafe sqlite3_prepare_v3(
            handle, sql, -1, isKept ? UInt32(SQLITE_PREPARE_PERSISTENT) : 0, &compiled, nil)
        if code != SQLITE_OK { throw error(code, "prepare", sql) }
        guard let compiled = unsafe compiled else { preconditionFailure("there is no statement in: \(sql)") }
        return unsafe compiled
    }

    // MARK: Errors

    private func error(_ code: Int32, _ operation: String, _ sql: String) -> SQLError {
        let message = unsafe String(cString: sqlite3_errmsg(handle))
        return SQLError(
            kind: SQLiteConnection.kind(of: code), code: "\(code)", operation: operation, subject: sql, message: message)
    }

    /// Primary result codes (the low byte of an extended one): https://www.sqlite.org/rescode.html
    private static func kind(of code: Int32) -> SQLError.Kind {
        switch code & 0xff {
        case SQLITE_BUSY, SQLITE_LOCKED, SQLITE_PROTOCOL: .busy
        case SQLITE_FULL: .full
        case SQLITE_CORRUPT: .corrupt
        case SQLITE_NOTADB: .notDatabase
        case SQLITE_CANTOPEN, SQLITE_PERM, SQLITE_AUTH: .cannotOpen
        case SQLITE_READONLY: .readOnly
        case SQLITE_CONSTRAINT: .constraint
        case SQLITE_IOERR: .inputOutput
        default: .other
        }
    }

    private static func escaped(_ path: String) -> String {
        var escaped = ""
        for character in path {
            switch character {
            case "%": escaped += "%25"
            case "?": escaped += "%3f"
            case "#": escaped += "%23"
            default: escaped.append(character)
            }
        }
        return escaped
    }
}

extension SQLiteConnection.Access {
    fileprivate var isImmutable: Bool { if case .immutable = self { true } else { false } }
}
