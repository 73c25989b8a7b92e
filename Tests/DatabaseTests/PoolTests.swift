import Platform
import SQL
import Support
import Testing

@testable import Database

@Suite("Connections that read from a server", .enabled(if: TestPostgres.serverURL != nil, "scripts/test starts the server"))
struct PoolTests {
    private let door: PostgresDoor
    private var options = Catalog.Options()

    init() throws {
        door = try PostgresDoor(onServer: #require(TestPostgres.serverURL))
        options.readerPatience = .milliseconds(50)
        options.readerReconnectTime = .milliseconds(100)
        options.reconnectTime = .milliseconds(100)
    }

    private func open(readers: Int, url: String? = nil) throws -> Catalog {
        let location = try #require(DatabaseLocation(postgresURL: url ?? door.url))
        return try Catalog(location, readers: readers, log: Fixture.log, options: options)
    }

    /// Reads within a reading, so many times, which takes a connection each.
    private static func read(_ depth: Int, _ catalog: Catalog) throws(DatabaseError) {
        if depth == 0 { return }
        try catalog.read { session throws(DatabaseError) in
            _ = try session.appliedMigrations()
            try read(depth - 1, catalog)
        }
    }

    @Test func `they are opened when somebody needs them, up to the bound, and stay`() throws {
        let catalog = try open(readers: 3)
        #expect(catalog.readers.openCount == 1)
        for depth in [1, 1, 2, 1, 3, 3, 1] { try Self.read(depth, catalog) }
        #expect(catalog.readers.openCount == 3)
        #expect(try door.cut() == 4, "and the one that writes")
        try Self.read(3, catalog)
    }

    @Test func `who finds all in use for too long is told that it is busy, and the next one is not`() throws {
        let catalog = try open(readers: 2)
        let error = #expect(throws: DatabaseError.self) { try Self.read(3, catalog) }
        #expect(error?.kind == .busy)
        #expect(error?.message.hasPrefix("all 2 connections were in use for") == true)
        try Self.read(2, catalog)
    }

    @Test func `where the server has no more to give, it goes on with those that it has`() throws {
        let role = "limited_\(door.name)"
        // One that writes, and two that read; the second may come when the one has gone that looks before all others.
        try door.run("CREATE ROLE \(role) LOGIN CONNECTION LIMIT 3 IN ROLE tetryx")
        defer { try? door.run("DROP OWNED BY \(role); DROP ROLE \(role)") }
        let catalog = try open(readers: 4, url: door.url.replacing("tetryx@", with: "\(role)@"))
        let error = #expect(throws: DatabaseError.self) { try Self.read(3, catalog) }
        #expect(error?.kind == .busy)
        #expect(error?.message.contains("another could not be opened: ") == true && error?.message.contains("too many connections") == true)
        #expect(catalog.readers.openCount == 2)
        try Self.read(2, catalog)
        // Whoever starts another server is told what to do.
        let next = #expect(throws: DatabaseError.self) {
            try Catalog(
                #require(DatabaseLocation(postgresURL: door.url.replacing("tetryx@", with: "\(role)@"))), readers: 1, log: Fixture.log, options: options)
        }
        #expect(next?.kind == .unreachable && next?.message.contains("lower max-connections") == true)
        catalog.close()
    }

    /// A role that may have so many connections, for as long as `body` runs.
    private func withRole(_ limit: Int, _ body: (_ url: String, _ setLimit: (Int) throws -> Void) throws -> Void) throws {
        let role = "limited_\(door.name)"
        try door.run("CREATE ROLE \(role) LOGIN CONNECTION LIMIT \(limit) IN ROLE tetryx")
        defer { try? door.run("DROP OWNED BY \(role); DROP ROLE \(role)") }
        try body(door.url.replacing("tetryx@", with: "\(role)@")) { try door.run("ALTER ROLE \(role) CONNECTION LIMIT \($0)") }
    }

    @Test func `those that are lost when the server has fewer to give are done without, and opened when somebody needs them and it has more`() throws {
        try withRole(5) { url, setLimit in
            var patient = self
            patient.options.readerPatience = .seconds(60)
            let catalog = try patient.open(readers: 3, url: url)
            defer { catalog.close() }
            try Self.read(3, catalog)
            #expect(catalog.readers.openCount == 3)
            // Nobody writes, so these are for reading.
            try setLimit(2)
            try door.cut()
            // One that is found to be lost only when its reading has begun fails with that.
            for _ in 0..<7 { _ = try? Self.read(1, catalog) }
            for _ in 0..<7 { try Self.read(1, catalog) }
            try Self.read(2, catalog)
            #expect(catalog.readers.openCount == 2)
            try setLimit(5)
            // The third waits for no other to be given back, only for when one may be opened again.
            let outcome = Monitor<Bool?>(nil)
            let reading = ThreadHandle(named: "reading") {
                let isRead = (try? Self.read(3, catalog)) != nil
                outcome.update { $0 = isRead }
            }
            #expect(outcome.wait(until: .now + .seconds(30)) { $0 } == true)
            reading.join()
            #expect(catalog.readers.openCount == 3)
        }
    }

    @Test func `where the server gives none at all, and then goes away, all are refused without waiting for it, and served when it is back`() throws {
        try withRole(3) { url, setLimit in
            let catalog = try open(readers: 2, url: url)
            defer { catalog.close() }
            try setLimit(0)
            try door.cut()
            func kind() -> DatabaseError.Kind? {
                do throws(DatabaseError) { try Self.read(1, catalog) } catch { return error.kind }
                return nil
            }
            func comes(_ wanted: DatabaseError.Kind?) -> Bool {
                let end = MonotonicTime.now + .seconds(30)
                while MonotonicTime.now < end { if kind() == wanted { return true } }
                return false
            }
            #expect(comes(.busy), "it may have one soon")
            #expect(catalog.readers.openCount == 0)
            try door.shut()
            #expect(comes(.unreachable))
            for _ in 0..<50 { #expect(kind() == .unreachable) }
            try setLimit(3)
            try door.open()
            #expect(comes(nil))
        }
    }

    @Test func `while the server is away all are refused, and when it is back all are served`() throws {
        let catalog = try open(readers: 3)
        try catalog.migrate()
        try Self.read(3, catalog)
        try door.shut()
        for _ in 0..<50 {
            let error = #expect(throws: DatabaseError.self) { try Self.read(1, catalog) }
            #expect(error?.kind == .unreachable)
        }
        let kinds = Monitor<[DatabaseError.Kind?]>([])
        // More than are committed together.
        let writers = (0..<100).map { number in
            ThreadHandle(named: "writer") {
                var kind: DatabaseError.Kind?
                do throws(DatabaseError) { try catalog.write { _ in } } catch { kind = error.kind }
                kinds.update { $0.append(kind) }
            }
        }
        for writer in writers { writer.join() }
        #expect(kinds.withLock { $0 } == Array(repeating: .unreachable, count: 100))
        try door.open()
        // One at a time looks, twice a second.
        func isServed(_ what: () throws(DatabaseError) -> Void) -> Bool {
            let end = MonotonicTime.now + .seconds(30)
            while MonotonicTime.now < end { if (try? what()) != nil { return true } }
            return false
        }
        #expect(isServed { () throws(DatabaseError) in try Self.read(3, catalog) })
        #expect(isServed { () throws(DatabaseError) in try catalog.write { _ in } })
    }

    @Test func `a writer that has waited is not made to wait again before it hears of it`() throws {
        let location = try PostgresLocation(url: door.url, applicationName: "x")
        let writing = try PostgresWriting(location, options: options)
        _ = try writing.begin(surviving: .powerCut)
        try writing.commit()
        try door.shut()
        let error = #expect(throws: SQLError.self) { try writing.begin(surviving: .powerCut) }
        #expect(error?.kind == .disconnected)
        #expect(!writing.shouldTryAgain(after: DatabaseError(.unreachable, "begin", "", ""), tries: 1))
    }
}

@Suite("What is looked at before a server's database is used", .enabled(if: TestPostgres.serverURL != nil, "scripts/test starts the server"))
struct ServerRefusalTests {
    private let door: PostgresDoor
    private let location: DatabaseLocation

    init() throws {
        door = try PostgresDoor(onServer: #require(TestPostgres.serverURL))
        location = try #require(DatabaseLocation(postgresURL: door.url))
    }

    private func refusal() throws -> DatabaseError? {
        let looking = #expect(throws: DatabaseError.self) { try Catalog.outline(of: location) }
        let opening = #expect(throws: DatabaseError.self) { try Catalog(location, readers: 1, log: Fixture.log) }
        #expect(looking == opening)
        return opening
    }

    @Test func `an empty one lacks all steps, and is left empty by whoever looks or only opens it`() throws {
        let empty = try Catalog.outline(of: location)
        #expect(empty.missingSteps == Migration.names && empty.storage?.storageID == nil && empty.storage?.namesPacks == false)
        let catalog = try Catalog(location, readers: 1, log: Fixture.log)
        #expect(try catalog.pendingMigrations() == Migration.all.map(\.name))
        #expect(try door.tableNames().isEmpty)
        try catalog.migrate()
        #expect(try Catalog.outline(of: location).missingSteps.isEmpty)
        #expect(try door.tableNames().contains("write_turn"))
        let before = try Catalog.outline(of: location)
        #expect(try #require(before.storage).storageID == nil && before.storage?.namesPacks == false)
        _ = try catalog.write { session throws(DatabaseError) in
            try session.beginLoosePack("pack", expiresAt: Fixture.time(0))
            return try session.claimStorage("bucket", replacing: false)
        }
        for outline in [try Catalog.outline(of: location), try catalog.outline()] {
            #expect(outline.storage?.storageID == "bucket" && outline.storage?.namesPacks == true)
        }
        catalog.close()
    }

    @Test(arguments: [
        ("CREATE TABLE oc_users (uid TEXT)", "oc_users"), ("CREATE TABLE migration (id BIGINT)", "migration"),
        ("CREATE VIEW looks AS SELECT 1", "looks"),
        ("CREATE TABLE migration (name TEXT, applied_at BIGINT); INSERT INTO migration VALUES ('m1', 1)", "migration"),
        ("CREATE TABLE migration (name TEXT, applied_at BIGINT); CREATE TABLE cache (id BIGINT)", "cache"),
    ])
    func `another program's is refused, with a table that it has, and left as it is`(script: String, table: String) throws {
        try door.run(script)
        let before = try door.tableNames()
        let error = try refusal()
        #expect(error?.kind == .notOurs)
        #expect(error?.description.contains("has a table \"\(table)\"") == true, "\(error?.description ?? "")")
        #expect(try door.tableNames() == before)
    }

    @Test func `that of a newer version is refused, and one that lacks a step says which`() throws {
        let catalog = try Catalog(location, readers: 1, log: Fixture.log)
        try catalog.migrate()
        catalog.close()
        try door.run("DELETE FROM migration WHERE name = 'revoked tokens'")
        #expect(try Catalog.outline(of: location).missingSteps == ["revoked tokens"])
        try door.run("INSERT INTO migration (name, applied_at) VALUES ('2099-01-01 wings', 1)")
        let error = try refusal()
        #expect(error?.kind == .tooNew)
        #expect(error?.description.contains("\"2099-01-01 wings\", which this version does not know") == true)
    }

    @Test func `a certificate that cannot be verified for want of authorities is an error that says how to name them`() throws {
        let error = DatabaseError("open", SQLError(
            kind: .untrusted, code: "", operation: "connect to", subject: "postgresql://h/d",
            message: "root certificate file \"/root/.postgresql/root.crt\" does not exist"))
        #expect(error.description.contains("sslrootcert="))
    }
}
