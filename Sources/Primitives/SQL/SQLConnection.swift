/// A connection to a database: what the catalog needs of SQLite, and what another database would have to offer.
///
/// Thread: one at a time. Parameters are written `$1`, `$2`, … and numbered by first appearance, because SQLite
/// numbers named parameters so; then the same text means the same to PostgreSQL.
package protocol SQLConnection: AnyObject {
    /// Runs one statement and shows each row it answers to `row`; stops when that throws.
    ///
    /// - Returns: how many rows the statement inserted, changed or deleted (meaningless for a SELECT).
    @discardableResult
    func run(
        _ sql: String, _ values: [SQLValue], row: (borrowing SQLRow) throws(SQLError) -> Void
    ) throws(SQLError) -> Int

    /// Runs one statement once for each row of values, in order, and shows what it answers to `row` with the number of the
    /// values' row; stops at the first that fails.
    ///
    /// - Returns: how many rows all of them inserted, changed or deleted.
    @discardableResult
    func runEach(
        _ sql: String, _ rows: [[SQLValue]], row: (Int, borrowing SQLRow) throws(SQLError) -> Void
    ) throws(SQLError) -> Int

    /// As `executeEach`, but a server may be told with the next statement of the transaction, or with its COMMIT; then that fails
    /// where this one does. For what nothing else waits for.
    func executeLater(_ sql: String, _ rows: [[SQLValue]]) throws(SQLError)

    /// Runs several statements without parameters, separated by semicolons.
    func runScript(_ sql: String) throws(SQLError)

    /// Whether a transaction is open; some failures (a full disk) end it without being asked.
    var isInTransaction: Bool { get }
}

extension SQLConnection {
    /// One after another: what a database does that is in this process.
    @discardableResult
    package func runEach(
        _ sql: String, _ rows: [[SQLValue]], row: (Int, borrowing SQLRow) throws(SQLError) -> Void
    ) throws(SQLError) -> Int {
        var changedCount = 0
        for (index, values) in rows.enumerated() {
            changedCount += try run(sql, values) { found throws(SQLError) in try row(index, found) }
        }
        return changedCount
    }

    /// Runs one statement once for each row of values, for its effect; how many rows all of them changed.
    @discardableResult
    package func executeEach(_ sql: String, _ rows: [[SQLValue]]) throws(SQLError) -> Int {
        try runEach(sql, rows) { _, _ in }
    }

    /// At once, where nothing is gained by waiting.
    package func executeLater(_ sql: String, _ rows: [[SQLValue]]) throws(SQLError) { try executeEach(sql, rows) }

    /// Runs one statement for its effect; how many rows it inserted, changed or deleted.
    @discardableResult
    package func execute(_ sql: String, _ values: [SQLValue] = []) throws(SQLError) -> Int {
        try run(sql, values) { _ in }
    }

    /// Runs one statement and gives what `make` makes of each row, in order.
    package func query<Element>(
        _ sql: String, _ values: [SQLValue] = [], _ make: (borrowing SQLRow) throws(SQLError) -> Element
    ) throws(SQLError) -> [Element] {
        var elements: [Element] = []
        try run(sql, values) { row throws(SQLError) in elements.append(try make(row)) }
        return elements
    }

    /// Runs one statement that has a row whatever is in the database (`RETURNING`, `count(*)`), and gives what `make` makes of it.
    ///
    /// - Throws: also where there is none after all.
    package func one<Element>(
        _ sql: String, _ values: [SQLValue] = [], _ make: (borrowing SQLRow) throws(SQLError) -> Element
    ) throws(SQLError) -> Element {
        if let element = try first(sql, values, make) { return element }
        throw SQLError(kind: .mismatch, code: "", operation: "run", subject: sql, message: "it gave no row, and has one always")
    }

    /// Runs one statement and gives what `make` makes of its first row; nil where there is none.
    package func first<Element>(
        _ sql: String, _ values: [SQLValue] = [], _ make: (borrowing SQLRow) throws(SQLError) -> Element
    ) throws(SQLError) -> Element? {
        var element: Element?
        try run(sql, values) { row throws(SQLError) in
            if element == nil { element = try make(row) }
        }
        return element
    }
}
