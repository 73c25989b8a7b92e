import CPostgres

/// One connection to a PostgreSQL server, with its statements prepared once.
///
/// Numbers and texts go to the server as text, whose type it infers from the statement; bytes go as they are. What it
/// answers comes in its binary format. A result is held whole while its rows are shown: statements that may find many rows
/// have a LIMIT.
///
/// Thread: one at a time. Dropping it closes the connection. Where the server goes away, every call throws `.disconnected`
/// until `reconnect` has succeeded.
@safe package final class PostgresConnection: SQLConnection {
    /// Where the server is: libpq's URL or its `key=value` text.
    /// https://www.postgresql.org/docs/15/libpq-connect.html#LIBPQ-CONNSTRING
    private let location: PostgresLocation
    private let use: Use
    let handle: OpaquePointer
    var statements: [String: PostgresStatement] = [:]
    /// Names of statements are never used twice on one connection.
    private var statementsMade = 0
    /// What begins a transaction together with the next statement.
    var waitingBegin: (sql: String, reconnecting: () throws(SQLError) -> Void)?
    /// Statements for their effect, which go with the next one.
    var waiting: [PostgresSending] = []
    /// A statement was sent whose answer nobody has read yet.
    private var isAnswerAwaited = false
    /// Every text that the program has is prepared once; only text that is built from values would ever reach this.
    static let statementCountMax = 512
    /// Statements that wait for the next one.
    private static let waitingMax = 1024

    /// Connects.
    ///
    /// - Throws: `.cannotOpen` where the server refuses (no such database, wrong password), `.untrusted` where it is not believed
    ///   to be who the URL names, `.disconnected` where it is not reached or not ready.
    package init(_ location: PostgresLocation, for use: Use = .other) throws(SQLError) {
        self.location = location
        self.use = use
        let (names, values) = location.parameters(for: use)
        // dbname holds the whole location: libpq reads it where the last argument is 1. What comes before it are defaults.
        var opened: OpaquePointer?
        unsafe withCStrings(names) { names in
            unsafe withCStrings(values) { values in
                unsafe opened = PQconnectdbParams(names, values, 1)
            }
        }
        guard let handle = unsafe opened else {
            throw SQLError(kind: .other, code: "", operation: "connect to", subject: location.name, message: "out of memory")
        }
        unsafe self.handle = handle
        // What is none of ours to answer would be written to standard error.
        unsafe PQsetNoticeProcessor(handle, { _, _ in }, nil)
        try greet()
    }

    deinit { unsafe PQfinish(handle) }

    /// Whether the connection is lost; what was prepared and what was not committed is lost with it.
    package var isBroken: Bool { unsafe isStuck || PQstatus(handle) != CONNECTION_OK }
    /// Whether a pipeline was begun that cannot be ended.
    var isStuck = false

    /// As `isBroken`, but looks whether the server has said goodbye meanwhile; waits for nothing.
    package func isConnected() -> Bool {
        // While an answer is awaited, that is read first.
        if isAnswerAwaited { try? readAwaited() }
        // The first reads what the server said last, the second that nothing will follow.
        return unsafe !isBroken && PQconsumeInput(handle) == 1 && PQconsumeInput(handle) == 1 && !isBroken
    }

    /// Connects again, to the same server.
    ///
    /// - Throws: `.disconnected` where it is not there yet. What it says may be in any language; it has let us in before.
    package func reconnect() throws(SQLError) {
        statements.removeAll()
        waitingBegin = nil
        waiting = []
        isAnswerAwaited = false
        isStuck = false
        unsafe PQreset(handle)
        do throws(SQLError) { try greet() } catch {
            guard error.kind == .cannotOpen || error.kind == .untrusted else { throw error }
            throw SQLError(
                kind: .disconnected, code: error.code, operation: error.operation, subject: error.subject, message: error.message)
        }
    }

    /// Has the next statement begin a transaction by `sql`, on one way to the server and back.
    ///
    /// - Parameter reconnecting: connects again where that finds the connection lost: nothing has begun then, and the statement
    ///   goes out once more.
    package func beginWithNext(_ sql: String, reconnecting: @escaping () throws(SQLError) -> Void) {
        waitingBegin = (sql, reconnecting)
    }

    /// Ends what `beginWithNext` began; the answer is read before the next statement.
    package func rollBackLater() {
        if waitingBegin != nil {
            waitingBegin = nil
        } else if !isBroken {
            isAnswerAwaited = unsafe PQsendQuery(handle, "ROLLBACK") == 1
        }
    }

    private func readAwaited() throws(SQLError) {
        isAnswerAwaited = false
        while let rest = unsafe PQgetResult(handle) { unsafe PQclear(rest) }
        if isBroken { throw lastError("read the answer to", "ROLLBACK") }
    }

    package var isInTransaction: Bool {
        switch unsafe PQtransactionStatus(handle) {
        case PQTRANS_INTRANS, PQTRANS_INERROR, PQTRANS_ACTIVE: true
        default: false
        }
    }

    @discardableResult
    package func run(
        _ sql: String, _ values: [SQLValue], row: (borrowing SQLRow) throws(SQLError) -> Void
    ) throws(SQLError) -> Int {
        if isAnswerAwaited { try readAwaited() }
        try refuseZeros(values, in: sql)
        // What waits would only be undone, and might fail before.
        if sql.hasPrefix("ROLLBACK") { waiting = [] }
        if waitingBegin != nil || !waiting.isEmpty {
            let result = try sendWaiting(and: [PostgresSending(sql, values)]).last
            try result?.forEachRow(row)
            return result?.changedCount ?? 0
        }
        let statement = try prepared(sql)
        let result = unsafe PostgresResult(of: sql, withParameters(values) { count, texts, lengths, formats in
            unsafe PQexecPrepared(handle, statement.name, count, texts, lengths, formats, 1)
        })
        try check(result, "run", sql)
        try result.forEachRow(row)
        return result.changedCount
    }

    /// In one pipeline, so that the way to the server and back is waited for once and not for each.
    package func runEach(
        _ sql: String, _ rows: [[SQLValue]], row: (Int, borrowing SQLRow) throws(SQLError) -> Void
    ) throws(SQLError) -> Int {
        if isAnswerAwaited { try readAwaited() }
        for values in rows { try refuseZeros(values, in: sql) }
        var changedCount = 0
        let results = try sendWaiting(and: rows.map { PostgresSending(sql, $0) })
        for (index, result) in results.enumerated() {
            changedCount += result.changedCount
            try result.forEachRow { found throws(SQLError) in try row(index, found) }
        }
        return changedCount
    }

    /// They go with the next statement.
    package func executeLater(_ sql: String, _ rows: [[SQLValue]]) throws(SQLError) {
        for values in rows {
            try refuseZeros(values, in: sql)
            waiting.append(PostgresSending(sql, values))
        }
        if waiting.count >= PostgresConnection.waitingMax { _ = try sendWaiting(and: []) }
    }

    package func runScript(_ sql: String) throws(SQLError) {
        if isAnswerAwaited { try readAwaited() }
        if let (begin, _) = waitingBegin {
            waitingBegin = nil
            try runScript(begin)
        }
        if !waiting.isEmpty { _ = try sendWaiting(and: []) }
        try check(unsafe PostgresResult(of: sql, PQexec(handle, sql)), "run", sql)
    }

    // MARK: Statements

    private func prepared(_ sql: String) throws(SQLError) -> PostgresStatement {
        if let kept = statements[sql] { return kept }
        if statements.count >= PostgresConnection.statementCountMax { try forgetStatements() }
        let statement = newStatement()
        try check(unsafe PostgresResult(of: sql, PQprepare(handle, statement.name, sql, 0, nil)), "prepare", sql)
        statements[sql] = statement
        return statement
    }

    func newStatement() -> PostgresStatement {
        statementsMade += 1
        return PostgresStatement(name: "s\(statementsMade)")
    }

    func forgetStatements() throws(SQLError) {
        statements.removeAll()
        try runScript("DEALLOCATE ALL")
    }

    /// Lends the values in the shape that libpq takes: texts end with a zero byte, bytes have a length.
    func withParameters<Result>(
        _ values: [SQLValue],
        _ body: (
            Int32, UnsafePointer<UnsafePointer<CChar>?>?, UnsafePointer<Int32>?, UnsafePointer<Int32>?
        ) -> Result
    ) -> Result {
        // All values one after another, so that one buffer is lent and each is an offset into it.
        var bytes: [UInt8] = []
        bytes.reserveCapacity(values.reduce(0) { $0 + $1.byteCount + 1 })
        var offsets: [Int?] = []
        var lengths: [Int32] = []
        var formats: [Int32] = []
        for value in values {
            let start = bytes.count
            var format: Int32 = 0
            switch value {
            case .null: break
            case .integer(let number): bytes.append(contentsOf: String(number).utf8)
            case .real(let number): bytes.append(contentsOf: String(number).utf8)
            case .text(let text): bytes.append(contentsOf: text.utf8)
            case .blob(let blob):
                bytes.append(contentsOf: blob)
                format = 1
            }
            offsets.append(value == .null ? nil : start)
            lengths.append(Int32(bytes.count - start))
            formats.append(format)
            bytes.append(0)
        }
        return unsafe bytes.withUnsafeBytes { buffer in
            let base = unsafe buffer.baseAddress?.assumingMemoryBound(to: CChar.self)
            let texts = unsafe offsets.map { offset in unsafe offset.flatMap { offset in unsafe base.map { unsafe $0 + offset } } }
            return unsafe body(Int32(values.count), texts, lengths, formats)
        }
    }

    // MARK: Errors

    /// What holds for every session of ours.
    private func greet() throws(SQLError) {
        if isBroken {
            let message = unsafe PostgresConnection.oneLine(PQerrorMessage(handle))
            // A certificate that is not believed does not become better by itself.
            if let doubt = PostgresConnection.distrust(in: message) {
                throw SQLError(kind: .untrusted, code: "", operation: "connect to", subject: location.name, message: doubt)
            }
            // Without a result there is no code; the server's refusals begin with FATAL, and it is starting or stopping in some.
            // Nor do our own certificate and key, which libpq could not use or the server did not take.
            let isOfOurs = message.contains("certificate") || message.contains("private key file")
            let isRefusal = isOfOurs || message.contains("FATAL:") && !message.contains("the database system is")
                && !message.contains("too many") && !message.contains("remaining connection slots")
            throw SQLError(
                kind: isRefusal ? .cannotOpen : .disconnected, code: "", operation: "connect to", subject: location.name,
                message: message)
        }
        try runScript(location.greeting(for: use))
    }

    /// A text with a zero byte would end there (and PostgreSQL has none).
    private func refuseZeros(_ values: [SQLValue], in sql: String) throws(SQLError) {
        for case .text(let text) in values where text.utf8.contains(0) {
            throw SQLError(kind: .constraint, code: "", operation: "run", subject: sql, message: "a text has a zero byte")
        }
    }

    func check(_ result: PostgresResult, _ operation: String, _ sql: String) throws(SQLError) {
        switch result.status {
        case PGRES_COMMAND_OK where sql == "COMMIT" && result.commandTag == "ROLLBACK":
            // So it answers where a statement before had failed.
            throw SQLError(kind: .other, code: "", operation: operation, subject: sql, message: "the transaction had failed, and was rolled back")
        case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY: return
        default: break
        }
        if isBroken || result.isAbsent { throw lastError(operation, sql) }
        let code = result.code
        throw SQLError(
            kind: PostgresConnection.kind(of: code), code: code, operation: operation, subject: sql, message: result.message)
    }

    func lastError(_ operation: String, _ sql: String) -> SQLError {
        SQLError(
            kind: isBroken ? .disconnected : .other, code: "", operation: operation, subject: sql,
            message: unsafe PostgresConnection.oneLine(PQerrorMessage(handle)))
    }
}

/// A statement that was prepared on one connection.
struct PostgresStatement {
    let name: String
}

/// Lends texts as C has them: an array of pointers that ends with a null pointer.
private func withCStrings(_ texts: [String], _ body: (UnsafePointer<UnsafePointer<CChar>?>?) -> Void) {
    var bytes: [CChar] = []
    var offsets: [Int] = []
    for text in texts {
        offsets.append(bytes.count)
        bytes.append(contentsOf: text.utf8.map { CChar(bitPattern: $0) })
        bytes.append(0)
    }
    unsafe bytes.withUnsafeBufferPointer { buffer in
        var pointers: [UnsafePointer<CChar>?] = unsafe offsets.map { offset in unsafe buffer.baseAddress.map { unsafe $0 + offset } }
        unsafe pointers.append(nil)
        unsafe body(pointers)
    }
}
