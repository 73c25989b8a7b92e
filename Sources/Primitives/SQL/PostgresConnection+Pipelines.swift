import CPostgres

// Statements that are sent together and answered together, so that the way to the server and back is waited for once.

/// A statement on its way to the server, with its values.
struct PostgresSending {
    let sql: String
    let values: [SQLValue]
    init(_ sql: String, _ values: [SQLValue]) { (self.sql, self.values) = (sql, values) }
}

extension PostgresConnection {
    /// Statements of a pipeline that are sent before their answers are read: libpq blocks when the server's answers fill both
    /// buffers, so what is on the way stays well below them.
    private static let pipelinedMax = 64
    /// Bytes of values in one pipeline, for the same reason.
    private static let pipelinedBytesMax = 1 << 20

    /// Sends what waits, and then these; on one way to the server and back, as far as it may be one pipeline.
    ///
    /// - Returns: what was answered to these.
    func sendWaiting(and last: [PostgresSending]) throws(SQLError) -> [PostgresResult] {
        let all = waiting + last
        let waitedCount = waiting.count
        waiting = []
        var results: [PostgresResult] = []
        var start = 0
        while start < all.count {
            let end = pipelineEnd(all, from: start)
            results += try runPipeline(all[start..<end])
            start = end
        }
        return Array(results.dropFirst(waitedCount))
    }

    private func pipelineEnd(_ all: [PostgresSending], from start: Int) -> Int {
        var (end, byteCount) = (start, 0)
        while end < all.count, end - start < PostgresConnection.pipelinedMax, byteCount < PostgresConnection.pipelinedBytesMax {
            byteCount += all[end].values.reduce(0) { $0 + $1.byteCount }
            end += 1
        }
        return end
    }

    /// - Returns: what was answered to each.
    private func runPipeline(_ all: ArraySlice<PostgresSending>) throws(SQLError) -> [PostgresResult] {
        guard let (begin, reconnecting) = waitingBegin else { return try runPipeline(nil, all) }
        waitingBegin = nil
        do throws(SQLError) { return try runPipeline(begin, all) } catch {
            guard error.kind == .disconnected else { throw error }
        }
        try reconnecting()
        return try runPipeline(begin, all)
    }

    /// https://www.postgresql.org/docs/15/libpq-pipeline-mode.html: a null pointer stands between the answers of two statements;
    /// after an error the rest of the pipeline is skipped.
    ///
    /// - Parameter begin: goes first.
    private func runPipeline(_ begin: String?, _ all: ArraySlice<PostgresSending>) throws(SQLError) -> [PostgresResult] {
        if statements.count + all.count >= PostgresConnection.statementCountMax { try forgetStatements() }
        let subject = all.first?.sql ?? ""
        guard unsafe PQenterPipelineMode(handle) == 1 else { throw lastError("begin a pipeline for", subject) }
        // Where not all could be sent there is no end of it to wait for, and nothing else can be sent either.
        defer { if unsafe PQexitPipelineMode(handle) == 0 { isStuck = true } }
        var isSent = true
        if let begin { isSent = unsafe PQsendQueryParams(handle, begin, 0, nil, nil, nil, nil, 1) == 1 }
        // Prepared on the same way, each before it is run first.
        var fresh: [String: PostgresStatement] = [:]
        var isFirst: [Bool] = []
        for sending in all where isSent {
            var statement = statements[sending.sql] ?? fresh[sending.sql]
            isFirst.append(statement == nil)
            if statement == nil {
                let made = newStatement()
                isSent = unsafe PQsendPrepare(handle, made.name, sending.sql, 0, nil) == 1
                fresh[sending.sql] = made
                statement = made
            }
            guard isSent, let statement else { break }
            isSent = unsafe withParameters(sending.values) { count, texts, lengths, formats in
                unsafe PQsendQueryPrepared(handle, statement.name, count, texts, lengths, formats, 1)
            } == 1
        }
        guard unsafe isSent && PQpipelineSync(handle) == 1 else { throw lastError("run", subject) }
        var failure: SQLError?
        if let begin { _ = nextResult(of: begin, &failure) }
        var results: [PostgresResult] = []
        for (sending, isFirst) in zip(all, isFirst) {
            if isFirst, nextResult(of: sending.sql, &failure) != nil { statements[sending.sql] = fresh[sending.sql] }
            if let result = nextResult(of: sending.sql, &failure) { results.append(result) }
        }
        // The answer to the sync.
        if let last = unsafe PQgetResult(handle) { unsafe PQclear(last) }
        if let failure {
            // A server that gives a reason and then ends (PANIC) leaves in doubt what it did: the end is seen only now.
            throw isBroken ? SQLError(
                kind: .disconnected, code: failure.code, operation: failure.operation, subject: failure.subject, message: failure.message) : failure
        }
        return results
    }

    /// Reads the answer to one statement of a pipeline; nil where that or one before it failed. What follows an error is skipped by
    /// the server, and read here all the same, so that the connection may go on.
    private func nextResult(of sql: String, _ failure: inout SQLError?) -> PostgresResult? {
        if isBroken && failure != nil { return nil }
        let result = unsafe PostgresResult(of: sql, PQgetResult(handle))
        if failure == nil {
            do throws(SQLError) { try check(result, "run", sql) } catch { failure = error }
        }
        while let rest = unsafe PQgetResult(handle) { unsafe PQclear(rest) }
        return failure == nil ? result : nil
    }
}

extension SQLValue {
    /// About how many bytes it takes on the way.
    var byteCount: Int {
        switch self {
        case .null: 0
        case .integer, .real: 20
        case .text(let text): text.utf8.count
        case .blob(let bytes): bytes.count
        }
    }
}
