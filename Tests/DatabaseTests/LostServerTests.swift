import Platform
import SQL
import Support
import Testing

@testable import Database

/// What happens where connections to PostgreSQL are lost: by the server's hand, as in a restart.
@Suite("A catalog whose server goes away", .enabled(if: TestPostgres.serverURL != nil, "scripts/test starts the server"))
struct LostServerTests {
    /// A catalog of a schema of its own, whose connections have a name that no others have.
    private final class Lonely {
        let name = "lonely-\(TestPostgres.schemaName())"
        let schema: TestSchema
        let location: PostgresLocation
        let catalog: Catalog
        private let other: PostgresConnection

        init() throws {
            schema = try TestSchema(onServer: #require(TestPostgres.serverURL))
            location = try PostgresLocation(url: schema.url, applicationName: name)
            var options = Catalog.Options()
            options.reconnectTime = .seconds(5)
            catalog = try Catalog(.postgres(location), readers: 2, log: Fixture.log, options: options)
            try catalog.migrate()
            other = try PostgresConnection(PostgresLocation(url: schema.url, applicationName: "other"))
        }

        /// Ends all of the catalog's connections, and gives how many there were.
        @discardableResult
        func cut() throws -> Int {
            try other.query(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1", [.text(name)]
            ) { row throws(SQLError) in try row.integer(0) }.count
        }

        /// When each of the catalog's connections was used last, in microseconds, by the server's process.
        func lastUses() throws -> [Int64: Int64] {
            Dictionary(uniqueKeysWithValues: try other.query(
                "SELECT pid, CAST(extract(epoch FROM query_start) * 1000000 AS BIGINT) FROM pg_stat_activity WHERE application_name = $1",
                [.text(name)]
            ) { row throws(SQLError) in (try row.integer(0), try row.integer(1)) })
        }

        func cacheNames() throws -> [String] {
            try catalog.read { session throws(DatabaseError) in try session.listCaches().map(\.name.description) }
        }

        func makeCache(_ name: String) throws {
            let new = NewCache(
                name: Fixture.name(name), keypair: "k", isPublic: false, storeDirectory: "/nix/store", priority: 1, createdAt: Fixture.time(0))
            _ = try catalog.write { session throws(DatabaseError) in try session.createCache(new) }
        }
    }

    @Test func `who reads and who writes next connects again, and neither hears of it`() throws {
        let lonely = try Lonely()
        try lonely.makeCache("before")
        _ = try lonely.catalog.seesOtherProcessesChange()
        // One that writes, one that looks for others' changes, and the first that reads.
        #expect(try lonely.cut() == 3)
        #expect(try lonely.cacheNames() == ["before"])
        try lonely.makeCache("after")
        #expect(try lonely.cacheNames() == ["after", "before"])
        try lonely.cut()
        // Turns may have been lost with the server, so nothing is known to be as it was.
        #expect(try lonely.catalog.seesOtherProcessesChange())
        #expect(try !lonely.catalog.seesOtherProcessesChange())
    }

    @Test func `who watches others tells their commits from ours, whatever becomes of our row, and waits for none`() throws {
        let lonely = try Lonely()
        let other = try Catalog(.postgres(PostgresLocation(url: lonely.schema.url, applicationName: "other")), readers: 1, log: Fixture.log)
        func sees() throws -> Bool { try lonely.catalog.seesOtherProcessesChange() }
        #expect(try sees(), "the first time nobody can tell")
        try lonely.makeCache("ours")
        #expect(try !sees())
        // Ours, and then theirs before anybody looks.
        try lonely.makeCache("ours-too")
        _ = try other.write { _ in }
        #expect(try sees())
        #expect(try !sees())
        // What is undone is no change, of theirs or of ours.
        let refusal = DatabaseError(.other, "refuse", "", "")
        let refuse: @Sendable (CatalogSession) throws(DatabaseError) -> Void = { _ throws(DatabaseError) in throw refusal }
        for catalog in [lonely.catalog, other] { #expect(throws: refusal) { try catalog.write(refuse) } }
        #expect(try !sees())
        // While we write, which others wait for.
        #expect(try !whileWriting(lonely.catalog, sees))
        #expect(try !sees())
        // Another takes our row away, as it does with those of processes that have ended.
        try PostgresConnection(lonely.location).execute("DELETE FROM write_turn WHERE id > 1")
        #expect(try sees())
        try lonely.makeCache("after")
        _ = try sees()
        try lonely.makeCache("and-after")
        #expect(try !sees())
        _ = try other.write { _ in }
        #expect(try sees())
    }

    @Test func `a heartbeat uses every connection, those that hold locks as well`() throws {
        let lonely = try Lonely()
        _ = try lonely.catalog.seesOtherProcessesChange()
        let lock = try #require(try lonely.catalog.take(.collector, waitingAtMost: .zero).lock)
        let before = try lonely.lastUses()
        #expect(before.count >= 4, "one writes, one reads, one watches, one has the lock")
        lonely.catalog.touchConnections()
        // It is used by looking, twice a second.
        _ = try lonely.catalog.seesOtherProcessesChange()
        let after = try lonely.lastUses()
        for (process, use) in before { #expect(try #require(after[process]) > use) }
        #expect(lock.isHeld)
        // Of those that are lost nobody hears.
        try lonely.cut()
        lonely.catalog.touchConnections()
    }

    @Test func `a transaction that is cut off before its end is run again, whole and once`() throws {
        let lonely = try Lonely()
        let runs = Monitor(0)
        let cutter = try PostgresConnection(PostgresLocation(url: lonely.schema.url, applicationName: "cutter"))
        let cutting = Monitor(cutter)
        let name = lonely.name
        let new = NewCache(
            name: Fixture.name("once"), keypair: "k", isPublic: false, storeDirectory: "/nix/store", priority: 1, createdAt: Fixture.time(0))
        _ = try lonely.catalog.write { session throws(DatabaseError) in
            let isFirst = runs.update { runs in
                runs += 1
                return runs == 1
            }
            let id = try session.createCache(new)
            if isFirst {
                try session.trying("cut the connection") { _ throws(SQLError) in
                    try cutting.withLock { cutter throws(SQLError) in
                        _ = try cutter.execute(
                            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1", [.text(name)])
                    }
                }
            }
            return id
        }
        #expect(runs.withLock { $0 } == 2)
        #expect(try lonely.cacheNames() == ["once"])
    }

    @Test func `what became of a commit whose answer was lost is found out`() throws {
        let lonely = try Lonely()
        let writing = try PostgresWriting(lonely.location, options: Catalog.Options())
        let lost = SQLError(kind: .disconnected, code: "", operation: "run", subject: "COMMIT", message: "gone")
        try writing.begin(surviving: .powerCut)
        try writing.commit()
        try writing.begin(surviving: .crash)
        try writing.commit()
        try lonely.cut()
        // Two were committed; a third never was.
        try writing.settle(2, after: lost)
        let error = #expect(throws: SQLError.self) { try writing.settle(3, after: lost) }
        #expect(error == lost)
    }

    @Test func `a writer that so many have followed that its row is gone takes another one`() throws {
        let lonely = try Lonely()
        let writing = try PostgresWriting(lonely.location, options: Catalog.Options())
        let lost = SQLError(kind: .disconnected, code: "", operation: "run", subject: "COMMIT", message: "gone")
        let other = try PostgresConnection(PostgresLocation(url: lonely.schema.url, applicationName: "other"))
        for isUndone in [true, false, false] {
            try other.execute("DELETE FROM write_turn WHERE id > 1")
            try writing.begin(surviving: .powerCut)
            if isUndone { writing.rollBack() } else { try writing.commit() }
        }
        try writing.begin(surviving: .powerCut)
        try writing.commit()
        // Its second transaction with the row that it has now.
        try writing.settle(2, after: lost)
        try lonely.makeCache("after")
        #expect(try lonely.cacheNames() == ["after"])
    }

    @Test func `where a standby takes over that lacks a writer's row, no other writer gets its number`() throws {
        let lonely = try Lonely()
        try lonely.makeCache("before")
        let other = try PostgresConnection(PostgresLocation(url: lonely.schema.url, applicationName: "other"))
        try other.execute("DELETE FROM write_turn WHERE id > 1")
        let writing = try PostgresWriting(lonely.location, options: Catalog.Options())
        try lonely.makeCache("after")
        try writing.begin(surviving: .powerCut)
        try writing.commit()
        let rows = try other.query("SELECT number FROM write_turn WHERE id > 1 ORDER BY id") { row throws(SQLError) in try row.integer(0) }
        #expect(rows == [1, 1], "a row each, and each has counted its own")
    }

    @Test func `a transaction that the server still holds open is waited for, and then it was not committed`() throws {
        let lonely = try Lonely()
        let lost = SQLError(kind: .disconnected, code: "", operation: "run", subject: "COMMIT", message: "gone")
        let writing = try PostgresWriting(lonely.location, options: Catalog.Options())
        // The same writer's transaction on another connection, as where the server has not noticed that nobody listens.
        let zombie = try PostgresConnection(PostgresLocation(url: lonely.schema.url, applicationName: "zombie"))
        try zombie.execute("BEGIN")
        try zombie.execute("UPDATE write_turn SET number = number + 1 WHERE id > 1")
        let handle = Monitor(zombie)
        let ending = ThreadHandle(named: "ending") {
            let connection = handle
            connection.withLock { _ = try? $0.execute("ROLLBACK") }
        }
        let error = #expect(throws: SQLError.self) { try writing.settle(1, after: lost) }
        #expect(error == lost)
        ending.join()
    }

    @Test func `a commit in doubt that is done later is seen as others' change`() throws {
        let lonely = try Lonely()
        let lost = SQLError(kind: .disconnected, code: "", operation: "run", subject: "COMMIT", message: "gone")
        var options = Catalog.Options()
        options.reconnectTime = .milliseconds(200)
        let row = WriterRow()
        let writing = try PostgresWriting(lonely.location, options: options, row: row)
        let watching = try PostgresWatching(lonely.location, row)
        try writing.begin(surviving: .powerCut)
        try writing.commit()
        _ = try watching.look()
        #expect(try watching.look() == .nothing)
        // The writer's next transaction, which the server has been told to commit, and holds for a standby that is away.
        let held = try PostgresConnection(PostgresLocation(url: lonely.schema.url, applicationName: "held"))
        try held.execute("BEGIN")
        try held.execute("UPDATE write_turn SET number = number + 1 WHERE id IN (1, $1)", [.integer(row.id)])
        let error = #expect(throws: SQLError.self) { try writing.settle(2, after: lost) }
        #expect(error?.kind == .inDoubt)
        // Whatever was read meanwhile was read before it.
        _ = try watching.look()
        #expect(try watching.look() == .nothing)
        try held.execute("COMMIT")
        #expect(try watching.look() == .others)
        // And the writer goes on, with a row of its own again.
        try writing.begin(surviving: .powerCut)
        try writing.commit()
        _ = try watching.look()
        #expect(try watching.look() == .nothing)
        #expect(row.id > 0)
    }

    @Test func `a lock ends with its connection, and is somebody else's then`() throws {
        let lonely = try Lonely()
        let lock = try #require(try lonely.catalog.beginCollection(waitingAtMost: .zero).lock)
        #expect(lock.isHeld)
        let beside = try Catalog(.postgres(lonely.location), readers: 1, log: Fixture.log)
        let turn = try beside.beginCollection(waitingAtMost: .zero)
        #expect(turn.lock == nil)
        #expect(turn.holder == " (\(lonely.name))")
        try lonely.cut()
        #expect(try beside.beginCollection(waitingAtMost: .seconds(5)).lock != nil)
        // The lock goes before the connection.
        let end = MonotonicTime.now + .seconds(5)
        while lock.isHeld && MonotonicTime.now < end {}
        #expect(!lock.isHeld)
    }

    @Test func `a server that is not there is said to be unreachable, and no password is shown`() throws {
        let directory = try TemporaryDirectory()
        let location = try #require(DatabaseLocation(postgresURL: "postgresql://me:secret@/cache?host=\(directory.path)"))
        let error = #expect(throws: DatabaseError.self) { try Catalog(location, readers: 1, log: Fixture.log) }
        #expect(error?.kind == .unreachable)
        #expect(error?.description.contains("secret") == false)
    }
}
