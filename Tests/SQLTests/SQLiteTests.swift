import Glibc
import Platform
import SQL
import Support
import Testing

@Suite struct SQLiteTests {
    let scratch: TemporaryDirectory
    let connection: SQLiteConnection

    init() throws {
        scratch = try TemporaryDirectory()
        connection = try SQLiteConnection(path: scratch.file("a.db"), access: .create, busyMilliseconds: 0)
        try connection.runScript("PRAGMA journal_mode = WAL; CREATE TABLE word (id INTEGER PRIMARY KEY, value)")
    }

    @Test("a value comes back as it went in", arguments: [
        SQLValue.null, 0, -1, .integer(.max), .integer(.min), .real(0.5), "", "päper\u{0}nul", .blob([]),
        .blob([0, 255, 10]), .real(-1e300),
    ])
    func roundTrip(value: SQLValue) throws {
        try connection.execute("INSERT INTO word (value) VALUES ($1)", [value])
        let found = try connection.query("SELECT value FROM word") { row throws(SQLError) in row.value(0) }
        #expect(found == [value])
    }

    @Test func `large texts and blobs come back whole`() throws {
        let blob = [UInt8](repeating: 7, count: 300_000)
        let text = String(repeating: "ä", count: 100_000)
        let same = try connection.first("SELECT $1, $2", [.blob(blob), .text(text)]) { row throws(SQLError) in
            let sameBlob = try row.blob(0) == blob
            return try row.text(1) == text && sameBlob
        }
        #expect(same == true)
    }

    @Test func `changes are counted and rows come in order`() throws {
        for number in 1...5 {
            #expect(try connection.execute("INSERT INTO word (value) VALUES ($1)", [.integer(Int64(number))]) == 1)
        }
        #expect(try connection.execute("UPDATE word SET value = value * 2 WHERE value > $1", [2]) == 3)
        let found = try connection.query("SELECT value FROM word ORDER BY value") { row throws(SQLError) in
            try row.integer(0)
        }
        #expect(found == [1, 2, 6, 8, 10])
    }

    @Test func `a parameter may appear twice`() throws {
        let sum = try connection.first("SELECT $1 + $2 + $1", [1, 20]) { row throws(SQLError) in try row.integer(0) }
        #expect(sum == 22)
    }

    @Test func `a column of another kind is an error that names it`() throws {
        let error = #expect(throws: SQLError.self) {
            try connection.first("SELECT 'a', 2") { row throws(SQLError) in try row.integer(0) }
        }
        #expect(error?.kind == .mismatch)
        #expect(error?.description.contains("it holds text where integer is expected") == true)
    }

    @Test func `a statement may run inside its own rows`() throws {
        for number in 1...3 { try connection.execute("INSERT INTO word (value) VALUES ($1)", [.integer(Int64(number))]) }
        var pairs = 0
        try connection.run("SELECT value FROM word", []) { _ throws(SQLError) in
            pairs += try connection.query("SELECT value FROM word") { row throws(SQLError) in try row.integer(0) }.count
        }
        #expect(pairs == 9)
    }

    @Test func `more statements than are kept still run`() throws {
        for number in 0..<600 {
            let found = try connection.first("SELECT \(number)") { row throws(SQLError) in try row.integer(0) }
            #expect(found == Int64(number))
        }
    }

    @Test func `errors say what was tried and are told apart`() throws {
        let syntax = #expect(throws: SQLError.self) { try connection.execute("SELECT\n   thing FROM nowhere") }
        #expect(syntax?.kind == .other)
        #expect(syntax?.description == "cannot prepare \"SELECT thing FROM nowhere\": no such table: nowhere (code 1)")

        try connection.execute("INSERT INTO word (id) VALUES (1)")
        let twice = #expect(throws: SQLError.self) { try connection.execute("INSERT INTO word (id) VALUES (1)") }
        #expect(twice?.kind == .constraint)

        let absent = #expect(throws: SQLError.self) {
            try SQLiteConnection(path: scratch.file("absent.db"), access: .readOnly)
        }
        #expect(absent?.kind == .cannotOpen)

        try File.replace(scratch.file("text"), with: [UInt8](repeating: 65, count: 4096), permissions: 0o600)
        let text = #expect(throws: SQLError.self) {
            let connection = try SQLiteConnection(path: scratch.file("text"), access: .readWrite)
            try connection.execute("SELECT count(*) FROM sqlite_schema")
        }
        #expect(text?.kind == .notDatabase)
    }

    @Test func `the log's pages are counted after each commit, and moved as far as no reader is in the way`() throws {
        connection.countLogPages()
        #expect(connection.logPageCount == 0)
        try connection.execute("INSERT INTO word (value) VALUES (1)")
        let first = connection.logPageCount
        #expect(first > 0)
        let reader = try SQLiteConnection(path: scratch.file("a.db"), access: .readOnly)
        try reader.execute("BEGIN")
        let count = "SELECT count(*) FROM word"
        #expect(try reader.first(count) { row throws(SQLError) in try row.integer(0) } == 1)
        try connection.execute("INSERT INTO word (value) VALUES (2)")
        #expect(connection.logPageCount > first)
        let held = try connection.checkpoint()
        #expect(held.pageCount == connection.logPageCount && held.movedCount == first)
        #expect(try reader.first(count) { row throws(SQLError) in try row.integer(0) } == 1)
        try reader.execute("ROLLBACK")
        let free = try connection.checkpoint()
        #expect(free.movedCount == free.pageCount && free.pageCount == held.pageCount)
        try connection.execute("INSERT INTO word (value) VALUES (3)")
        #expect(connection.logPageCount < held.pageCount, "the log begins anew")
    }

    @Test func `a lock that another connection holds is busy`() throws {
        let other = try SQLiteConnection(path: scratch.file("a.db"), access: .readWrite, busyMilliseconds: 0)
        try other.execute("BEGIN IMMEDIATE")
        #expect(other.isInTransaction)
        let error = #expect(throws: SQLError.self) { try connection.execute("BEGIN IMMEDIATE") }
        #expect(error?.kind == .busy)
        #expect(!connection.isInTransaction)
        try other.execute("ROLLBACK")
        try connection.execute("BEGIN IMMEDIATE")
    }

    @Test func `a full database is told apart`() throws {
        let pages = try connection.first("PRAGMA page_count") { row throws(SQLError) in try row.integer(0) } ?? 0
        try connection.runScript("PRAGMA max_page_count = \(pages)")
        let error = #expect(throws: SQLError.self) {
            try connection.execute("INSERT INTO word (value) VALUES ($1)", [.blob([UInt8](repeating: 1, count: 100_000))])
        }
        #expect(error?.kind == .full)
    }

    @Test func `foreign keys are enforced`() throws {
        try connection.runScript("CREATE TABLE name (word_id INTEGER REFERENCES word (id))")
        let error = #expect(throws: SQLError.self) { try connection.execute("INSERT INTO name VALUES (77)") }
        #expect(error?.kind == .constraint)
    }

    @Test func `the data version moves with others' commits only`() throws {
        let before = try connection.dataVersion()
        try connection.execute("INSERT INTO word (value) VALUES (1)")
        #expect(try connection.dataVersion() == before)
        let other = try SQLiteConnection(path: scratch.file("a.db"), access: .readWrite)
        try other.execute("INSERT INTO word (value) VALUES (1)")
        #expect(try connection.dataVersion() != before)
    }

    @Test func `a foreign database is read beside its writer, and cannot be written`() throws {
        try connection.execute("INSERT INTO word (value) VALUES ('first')")
        let reader = try SQLiteConnection.openReadOnly(path: scratch.file("a.db"))
        let count = "SELECT count(*) FROM word"
        #expect(try reader.first(count) { row throws(SQLError) in try row.integer(0) } == 1)
        try connection.execute("BEGIN IMMEDIATE")
        try connection.execute("INSERT INTO word (value) VALUES ('second')")
        #expect(try reader.first(count) { row throws(SQLError) in try row.integer(0) } == 1)
        try connection.execute("COMMIT")
        #expect(try reader.first(count) { row throws(SQLError) in try row.integer(0) } == 2)
        let error = #expect(throws: SQLError.self) { try reader.execute("DELETE FROM word") }
        #expect(error?.kind == .readOnly)
    }

    /// A copy of the database beside which no file can be made, whoever runs the test.
    private func sealedCopy(withLog: Bool) throws -> String {
        let path = scratch.file("copy/a.db")
        try Directory.make(scratch.file("copy"))
        // Where the shared memory would be made.
        #expect(unsafe symlink("/nowhere/a.db-shm", path + "-shm") == 0)
        for suffix in withLog ? ["", "-wal"] : [""] {
            try File.replace(path + suffix, with: File.readAll(scratch.file("a.db" + suffix)), permissions: 0o600)
        }
        return path
    }

    @Test func `a database beside which no file can be made is read`() throws {
        try connection.execute("INSERT INTO word (value) VALUES ('first')")
        _ = try connection.checkpoint()
        let path = try sealedCopy(withLog: false)
        let reader = try SQLiteConnection.openReadOnly(path: path)
        #expect(try reader.first("SELECT value FROM word") { row throws(SQLError) in try row.text(0) } == "first")
    }

    @Test func `one whose log has changes is not read without them`() throws {
        try connection.execute("INSERT INTO word (value) VALUES ('first')")
        let path = try sealedCopy(withLog: true)
        let link = scratch.file("link.db")
        #expect(unsafe symlink(path, link) == 0)
        for name in [path, link] {
            let error = #expect(throws: SQLError.self) { try SQLiteConnection.openReadOnly(path: name) }
            #expect(error?.kind == .logUnread)
            #expect(error?.message.hasPrefix("\(path)-wal has changes that are not in the file yet") == true)
        }
    }

    @Test func `an odd name of a file is taken as it is`() throws {
        let path = scratch.file("a?mode=memory#%41.db")
        let odd = try SQLiteConnection(path: path, access: .create)
        try odd.runScript("CREATE TABLE a (b)")
        #expect(File.exists(path))
    }
}
