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
    private let handle: OpaquePointer
    private var statements: [String: PostgresStatement] = [:]
    /// Names of statements are never used twice on one connection.
    private var statementsMade = 0
    /// Every text that the program has is prepared once; only text that is built from values would ever reach this.
    private static let statementCountMax = 512
    /// Statements of a pipeline that are sent before their answers are read: libpq blocks when the server's answers fill both
    /// buffers, so what is on the way stays well below them.
    private static let pipelinedMax = 64
    /// Bytes of values in one pipeline, for the same reason.
    private static let pipelinedBytesMax = 1 << 20

    /// Connects.
    ///
    /// - Throws: `.cannotOpen` where the server refuses (no such database, wrong password), `.disconnected` where it is not
    ///   reached or not ready.
    package init(_ location: PostgresLocation) throws(SQLError) {
        self.location = location
        let (names, values) = location.parameters
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
        try greet()
    }

    deinit { unsafe PQfinish(handle) }

    /// Whether the connection is lost; what was prepared and what was not committed is lost with it.
    package var isBroken: Bool { unsafe PQstatus(handle) != CONNECTION_OK }

    /// Connects again, to the same server.
    package func reconnect() throws(SQLError) {
        statements.removeAll()
        unsafe PQreset(handle)
        try greet()
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
        if rows.isEmpty { return 0 }
        let statement = try prepared(sql)
        var changedCount = 0
        var start = 0
        while start < rows.count {
            let end = pipelineEnd(rows, from: start)
            try runPipeline(statement, sql, rows, start..<end) { index, result throws(SQLError) in
                changedCount += result.changedCount
                try result.forEachRow { found throws(SQLError) in try row(index, found) }
            }
            start = end
        }
        return changedCount
    }

    package func runScript(_ sql: String) throws(SQLError) {
        try check(unsafe PostgresResult(of: sql, PQexec(handle, sql)), "run", sql)
    }

    // MARK: Pipelines

    private func pipelineEnd(_ rows: [[SQLValue]], from start: Int) -> Int {
        var (end, byteCount) = (start, 0)
        while end < rows.count, end - start < PostgresConnection.pipelinedMax, byteCount < PostgresConnection.pipelinedBytesMax {
            byteCount += rows[end].reduce(0) { $0 + $1.byteCount }
            end += 1
        }
        return end
    }

    /// https://www.postgresql.org/docs/15/libpq-pipeline-mode.html: a null pointer stands between the answers of two statements;
    /// after an error the rest of the pipeline is skipped.
    private func runPipeline(
        _ statement: PostgresStatement, _ sql: String, _ rows: [[SQLValue]], _ range: Range<Int>,
        _ show: (Int, PostgresResult) throws(SQLError) -> Void
    ) throws(SQLError) {
        guard unsafe PQenterPipelineMode(handle) == 1 else { throw lastError("begin a pipeline for", sql) }
        defer { unsafe PQexitPipelineMode(handle) }
        for index in range {
            let isSent = unsafe withParameters(rows[index]) { count, texts, lengths, formats in
                unsafe PQsendQueryPrepared(handle, statement.name, count, texts, lengths, formats, 1)
            }
            if isSent == 0 { throw lastError("run", sql) }
        }
        guard unsafe PQpipelineSync(handle) == 1 else { throw lastError("run", sql) }
        var failure: SQLError?
        for index in range {
            let result = unsafe PostgresResult(of: sql, PQgetResult(handle))
            // What follows an error is skipped by the server, and read here so that the connection may go on.
            if failure == nil {
                do throws(SQLError) {
                    try check(result, "run", sql)
                    try show(index, result)
                } catch { failure = error }
            }
            while let rest = unsafe PQgetResult(handle) { unsafe PQclear(rest) }
            if isBroken { break }
        }
        // The answer to the sync.
        if let last = unsafe PQgetResult(handle) { unsafe PQclear(last) }
        if let failure { throw failure }
    }

    // MARK: Statements

    private func prepared(_ sql: String) throws(SQLError) -> PostgresStatement {
        if let kept = statements[sql] { return kept }
        if statements.count >= PostgresConnection.statementCountMax { try forgetStatements() }
        statementsMade += 1
        let statement = PostgresStatement(name: "s\(statementsMade)")
        try check(unsafe PostgresResult(of: sql, PQprepare(handle, statement.name, sql, 0, nil)), "prepare", sql)
        statements[sql] = statement
        return statement
    }

    private func forgetStatements() throws(SQLError) {
        statements.removeAll()
        try runScript("DEALLOCATE ALL")
    }

    /// Lends the values in the shape that libpq takes: texts end with a zero byte, bytes have a length.
    private func withParameters<Result>(
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
            // Without a result there is no code; the server's refusals begin with FATAL, and it is starting or stopping in some.
            let isRefusal = message.contains("FATAL:") && !message.contains("the database system is")
                && !message.contains("too many") && !message.contains("remaining connection slots")
            throw SQLError(
                kind: isRefusal ? .cannotOpen : .disconnected, code: "", operation: "connect to", subject: location.name,
                message: message)
        }
        try runScript(location.greeting)
    }

    private func check(_ result: PostgresResult, _ operation: String, _ sql: String) throws(SQLError) {
        switch result.status {
        case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY: return
        default: break
        }
        if isBroken || result.isAbsent { throw lastError(operation, sql) }
        let code = result.code
        throw SQLError(
            kind: PostgresConnection.kind(of: code), code: code, operation: operation, subject: sql, message: result.message)
    }

    private func lastError(_ operation: String, _ sql: String) -> SQLError {
        SQLError(
            kind: isBroken ? .disconnected : .other, code: "", operation: operation, subject: sql,
            message: unsafe PostgresConnection.oneLine(PQerrorMessage(handle)))
    }

    /// SQLSTATE codes: https://www.postgresql.org/docs/15/errcodes-appendix.html
    static func kind(of code: String) -> SQLError.Kind {
        switch code {
        // Serialization failure, deadlock, lock not available, query cancelled by a timeout.
        case "40001", "40P01", "55P03", "57014", "25P03": .busy
        case "53100", "53200": .full
        case "53300", "57P01", "57P02", "57P03": .disconnected
        case "25006", "42501": .readOnly
        case "58030": .inputOutput
        case "XX001", "XX002": .corrupt
        case "3D000": .cannotOpen
        default:
            switch code.prefix(2) {
            case "08": .disconnected
            case "23": .constraint
            case "28": .cannotOpen
            default: .other
            }
        }
    }

    /// libpq's messages end with a line break, and have one between the addresses that it tried.
    static func oneLine(_ message: UnsafePointer<CChar>?) -> String {
        guard let message = unsafe message else { return "it gives no reason" }
        let text = unsafe String(cString: message)
        return text.split(whereSeparator: \.isNewline).joined(separator: "; ")
    }
}

/// A statement that was prepared on one connection.
private struct PostgresStatement {
    let name: String
}

extension SQLValue {
    /// About how many bytes it takes on the way.
    fileprivate var byteCount: Int {
        switch self {
        case .null: 0
        case .integer, .real: 20
        case .text(let text): text.utf8.count
        case .blob(let bytes): bytes.count
        }
    }
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
