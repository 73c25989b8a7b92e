import Platform
import SQL
import Support
import Testing

@testable import Database

@Suite struct CheckpointerTests {
    private func connect(_ directory: TemporaryDirectory) throws -> sending SQLiteConnection {
        let connection = try SQLiteConnection(path: directory.file("server.db"), access: .create)
        try connection.runScript("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;")
        return connection
    }

    /// Commits so many pages, and gives how many the log has then.
    private func write(_ connection: SQLiteConnection, pages: Int) throws -> Int {
        try connection.execute("CREATE TABLE IF NOT EXISTS page (bytes BLOB)")
        try connection.execute("BEGIN")
        for _ in 0..<pages { try connection.execute("INSERT INTO page VALUES (zeroblob(4096))") }
        try connection.execute("COMMIT")
        return connection.logPageCount
    }

    @Test func `what is committed is moved once there is enough of it, and the log begins anew`() throws {
        let directory = try TemporaryDirectory()
        let writer = try connect(directory)
        writer.countLogPages()
        let checkpointer = Checkpointer(try connect(directory))
        checkpointer.start()
        defer { checkpointer.close() }
        let few = try write(writer, pages: 1000)
        #expect(few >= 1000 && few < Checkpointer.pagesWanted)
        #expect(!checkpointer.note(pages: few))
        checkpointer.waitUntilMoved()
        #expect(try File.status(directory.file("server.db")).byteCount < 100_000, "nothing was moved yet")

        let many = try write(writer, pages: 3500)
        #expect(many >= Checkpointer.pagesWanted)
        #expect(!checkpointer.note(pages: many))
        checkpointer.waitUntilMoved()
        #expect(try File.status(directory.file("server.db")).byteCount > 4500 * 4096)
        #expect(try write(writer, pages: 10) < 100)
    }

    @Test func `the little that was added while the log was moved is the writer's to move, and then it begins anew`() throws {
        let directory = try TemporaryDirectory()
        let writer = try connect(directory)
        writer.countLogPages()
        let checkpointer = Checkpointer(try connect(directory))
        let many = try write(writer, pages: 4500)
        #expect(!checkpointer.note(pages: many), "the thread's to move")
        // As if they had been added after its last pass.
        let more = try write(writer, pages: 300)
        #expect(!checkpointer.note(pages: more + 300))
        checkpointer.start()
        defer { checkpointer.close() }
        checkpointer.waitUntilMoved()
        #expect(try write(writer, pages: 100) < 200, "all of it was moved")
        #expect(!checkpointer.note(pages: more + 301 + Checkpointer.pagesOfWriter), "too much by now: the thread once more")
        checkpointer.waitUntilMoved()
        checkpointer.committed(writer)
        #expect(!checkpointer.note(pages: writer.logPageCount))
    }

    @Test func `a log that grows beyond its bound is the writer's to move`() throws {
        let directory = try TemporaryDirectory()
        let checkpointer = Checkpointer(try connect(directory))
        // Not started: as if it could not keep up.
        #expect(!checkpointer.note(pages: Checkpointer.pagesMax - 1))
        #expect(checkpointer.note(pages: Checkpointer.pagesMax))
        checkpointer.close()
    }
}
