import Platform
import SQL
import Support
import Testing

@testable import Database

@Suite struct CatalogTests {
    @Test func `a new file gets all steps once, and each is reported`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("server.db")
        for round in 0..<2 {
            let catalog = try Catalog(path: path, readers: 1, log: Fixture.log)
            #expect(try catalog.pendingMigrations() == (round == 0 ? Migration.all.map(\.name) : []))
            var reported: [String] = []
            try catalog.migrate { reported.append($0) }
            #expect(reported == (round == 0 ? ["NARs to chunks", "NAR schema"] : []), "a new database has nothing to change")
            #expect(try catalog.pendingMigrations().isEmpty)
            catalog.close()
        }
    }

    @Test func `who only reads a copy makes no file beside it, and cannot write`() throws {
        let fixture = try Fixture(.sqlite)
        let cache = try fixture.cache()
        let directory = try TemporaryDirectory()
        try fixture.catalog.copy(to: directory.file("copy.db"))
        var options = Catalog.Options()
        options.isReadOnly = true
        let catalog = try Catalog(path: directory.file("copy.db"), readers: 2, log: Fixture.log, options: options)
        defer { catalog.close() }
        #expect(try catalog.pendingMigrations().isEmpty)
        #expect(try catalog.read { session throws(DatabaseError) in try session.findCache(cache.name) }?.id == cache.id)
        let error = #expect(throws: DatabaseError.self) {
            try catalog.write { session throws(DatabaseError) in try session.removeObject(1) }
        }
        #expect(error?.kind == .diskTrouble)
        #expect(error?.message.hasSuffix("this user must be able to write the file, its -wal and -shm, and their directory") == true)
        #expect(try Directory.names(directory.path) == ["copy.db"])
    }

    @Test func `a database that is closed is one file: its log was moved, and is gone`() throws {
        let fixture = try Fixture(.sqlite)
        _ = try fixture.cache()
        #expect(try File.status(fixture.path + "-wal").byteCount > 0)
        fixture.catalog.close()
        #expect(try Directory.names(fixture.directory.path) == ["server.db"])
        fixture.catalog.close()
    }

    @Test func `a step that an older database takes is told`() throws {
        let fixture = try Fixture(.sqlite)
        fixture.catalog.close()
        let connection = try SQLiteConnection(path: fixture.path, access: .readWrite)
        // As it was before the last step: what that made is taken away again.
        try connection.runScript("""
            DROP INDEX object_by_path; DROP INDEX nar_damaged; DROP TABLE access_note;
            CREATE UNIQUE INDEX object_by_path ON object (cache_id, store_path_hash);
            DELETE FROM migration WHERE name = 'look-ups of many paths';
            """)
        let catalog = try Catalog(path: fixture.path, readers: 1, log: Fixture.log)
        var reported: [String] = []
        try catalog.migrate { reported.append($0) }
        #expect(reported == ["look-ups of many paths"])
        catalog.close()
    }

    @Test(arguments: Kind.allCases) func `the schema of a newer version is refused with a sentence, also where that comes later`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        try fixture.catalog.requireKnownSchema()
        try fixture.connect().execute("INSERT INTO migration (name, applied_at) VALUES ('2099-01-01 wings', 1)")
        let later = #expect(throws: DatabaseError.self) { try fixture.catalog.requireKnownSchema() }
        fixture.catalog.close()
        let error = #expect(throws: DatabaseError.self) {
            try Catalog(fixture.location, readers: 1, log: Fixture.log)
        }
        for error in [error, later] {
            #expect(error?.kind == .tooNew)
            #expect(error?.description.contains("\"2099-01-01 wings\", which this version does not know") == true)
        }
    }

    @Test func `who watches an SQLite file waits for no long commit, and takes what it cannot tell for others'`() throws {
        let fixture = try Fixture(.sqlite)
        var options = Catalog.Options()
        options.lookPatience = .zero
        let catalog = try Catalog(fixture.location, readers: 1, log: Fixture.log, options: options)
        func seesWhileWriting() throws -> Bool { try whileWriting(catalog) { try catalog.seesOtherProcessesChange() } }
        _ = try catalog.seesOtherProcessesChange()
        #expect(try !seesWhileWriting(), "nobody has committed")
        try fixture.cache("theirs")
        #expect(try seesWhileWriting())
    }

    @Test func `another program's database is refused and left as it is`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("other.db")
        let connection = try SQLiteConnection(path: path, access: .create)
        try connection.runScript("CREATE TABLE cookie (value TEXT)")
        let before = try File.readAll(path)
        let error = #expect(throws: DatabaseError.self) { try Catalog(path: path, readers: 1, log: Fixture.log) }
        #expect(error?.kind == .notOurs)
        #expect(try File.readAll(path) == before)

        let text = directory.file("text")
        try File.replace(text, with: Array(repeating: 65, count: 4096), permissions: 0o600)
        #expect(throws: DatabaseError.self) { try Catalog(path: text, readers: 1, log: Fixture.log) }
        let absent = #expect(throws: DatabaseError.self) {
            try Catalog(path: directory.file("no/such/directory.db"), readers: 1, log: Fixture.log)
        }
        #expect(absent?.kind == .cannotOpen)
    }

    @Test func `what was written is there after a kill and after a close`() throws {
        let fixture = try Fixture(.sqlite)
        let cache = try fixture.cache()
        try fixture.push(cache, 1)
        #expect(try fixture.crashed().object(cache, 1) != nil)
        #expect(try fixture.reopened().object(cache, 1) != nil)
    }

    @Test func `only what has to survive a power cut waits for the disk, and the same connection does both`() throws {
        let fixture = try Fixture(.sqlite)
        func synchronous(_ durability: WriteDurability) throws -> Int64 {
            try fixture.catalog.write(surviving: durability) { session throws(DatabaseError) in
                try session.trying("look") { connection throws(SQLError) in
                    try connection.first("PRAGMA synchronous") { row throws(SQLError) in try row.integer(0) } ?? -1
                }
            }
        }
        // 1 is NORMAL, 2 is FULL (sqlite.org/pragma.html#pragma_synchronous).
        #expect(try synchronous(.powerCut) == 2)
        #expect(try synchronous(.crash) == 1)
        #expect(try synchronous(.crash) == 1)
        #expect(try synchronous(.powerCut) == 2)
    }

    @Test func `after close everything is refused`() throws {
        let fixture = try Fixture(.sqlite)
        fixture.catalog.close()
        fixture.catalog.close()
        let read = #expect(throws: DatabaseError.self) {
            try fixture.catalog.read { session throws(DatabaseError) in try session.listCaches() }
        }
        let write = #expect(throws: DatabaseError.self) { try fixture.catalog.write { _ in } }
        #expect(read?.kind == .closed && write?.kind == .closed)
    }

    @Test func `eight threads write, each reads what it wrote`() throws {
        let fixture = try Fixture(.sqlite)
        let catalog = fixture.catalog
        let failures = Monitor<[String]>([])
        onThreads(8) { thread in
            for round in 0..<25 {
                let name = Fixture.name("cache-\(thread)-\(round)")
                let new = NewCache(
                    name: name, keypair: "k", isPublic: false, storeDirectory: "/", priority: 1, createdAt: Fixture.time(0))
                do throws(DatabaseError) {
                    let made = try catalog.write { session throws(DatabaseError) in try session.createCache(new) }
                    let found = try catalog.read { session throws(DatabaseError) in try session.findCache(name) }
                    if !made || found == nil { failures.update { $0.append(name.rawValue) } }
                } catch { failures.update { $0.append("\(error)") } }
            }
        }
        #expect(failures.withLock { $0 }.isEmpty)
        #expect(try fixture.count("cache") == 200)
    }

    @Test func `what is queued together is one commit, and a body that throws takes nothing else with it`() throws {
        let fixture = try Fixture(.sqlite)
        let catalog = fixture.catalog
        let gate = Monitor(Gate.shut)
        let outcomes = Monitor<[Int: String]>([:])
        let before = catalog.writeGeneration
        onThreads(9) { thread in
            if thread == 0 {
                // Keeps the writing thread until all others have queued.
                try? catalog.write { _ in
                    gate.update { $0 = .reached }
                    gate.wait { $0 == .open ? () : nil }
                }
                return
            }
            gate.wait { $0 == .shut ? nil : () }
            let result: String
            do throws(DatabaseError) {
                try catalog.write { session throws(DatabaseError) in
                    let new = NewCache(
                        name: Fixture.name("c\(thread)"), keypair: "k", isPublic: false, storeDirectory: "/", priority: 1,
                        createdAt: Fixture.time(0))
                    _ = try session.createCache(new)
                    if thread % 2 == 0 { throw DatabaseError(.other, "go on", "", "no") }
                }
                result = "done"
            } catch { result = error.message }
            outcomes.update { $0[thread] = result }
        } while: {
            catalog.writer.waitUntilQueued(8)
            gate.update { $0 = .open }
        }
        #expect(outcomes.withLock { $0 } == [
            1: "done", 2: "no", 3: "done", 4: "no", 5: "done", 6: "no", 7: "done", 8: "no",
        ])
        #expect(catalog.writeGeneration == before + 2)
        let names = try catalog.read { session throws(DatabaseError) in try session.listCaches() }.map(\.name.rawValue)
        #expect(names == ["c1", "c3", "c5", "c7"])
    }

    @Test func `a transaction that has run long enough is committed, and what else is queued comes in the next ones`() throws {
        let fixture = try Fixture(.sqlite, transactionTime: .zero)
        let catalog = fixture.catalog
        let gate = Monitor(Gate.shut)
        let before = catalog.writeGeneration
        onThreads(9) { thread in
            if thread == 0 {
                try? catalog.write { _ in
                    gate.update { $0 = .reached }
                    gate.wait { $0 == .open ? () : nil }
                }
                return
            }
            gate.wait { $0 == .shut ? nil : () }
            try? catalog.write { _ in }
        } while: {
            catalog.writer.waitUntilQueued(8)
            gate.update { $0 = .open }
        }
        #expect(catalog.writeGeneration == before + 9)
    }

    @Test func `a lock that another process keeps is busy, and later writes go on`() throws {
        let directory = try TemporaryDirectory()
        var options = Catalog.Options()
        options.busyMilliseconds = 1
        options.busyRetriesMax = 2
        let catalog = try Catalog(path: directory.file("server.db"), readers: 1, log: Fixture.log, options: options)
        try catalog.migrate()
        let other = try SQLiteConnection(path: directory.file("server.db"), access: .readWrite)
        try other.execute("BEGIN IMMEDIATE")
        let error = #expect(throws: DatabaseError.self) { try catalog.write { _ in } }
        #expect(error?.kind == .busy)
        _ = try catalog.read { session throws(DatabaseError) in try session.listCaches() }
        try other.execute("ROLLBACK")
        try catalog.write { _ in }
    }

    @Test func `a full disk fails the write as full, and the catalog goes on`() throws {
        let fixture = try Fixture(.sqlite)
        let cache = try fixture.cache()
        try fixture.catalog.write { session throws(DatabaseError) in
            try session.trying("limit") { connection throws(SQLError) in
                let pages = try connection.first("PRAGMA page_count") { row throws(SQLError) in try row.integer(0) } ?? 0
                try connection.runScript("PRAGMA max_page_count = \(pages)")
            }
        }
        var object = Fixture.object(cache, 1)
        object.deriver = String(repeating: "x", count: 500_000)
        let large = object
        let error = #expect(throws: DatabaseError.self) {
            try fixture.commit(Commit(
                uploadID: nil, chunks: [Fixture.stored(1, "p", 0)], nar: Fixture.newNar(1), object: large))
        }
        #expect(error?.kind == .full)
        #expect(try fixture.count("chunk") == 0)
        try fixture.push(cache, 2)
    }

    @Test("the generation moves with own commits, and others' changes are seen", arguments: Kind.allCases)
    func generation(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let catalog = fixture.catalog
        _ = try catalog.seesOtherProcessesChange()
        let before = catalog.writeGeneration
        try fixture.cache()
        #expect(catalog.writeGeneration > before)
        #expect(try !catalog.seesOtherProcessesChange())
        let other = try fixture.beside()
        #expect(try !catalog.seesOtherProcessesChange())
        try other.cache("theirs")
        #expect(try catalog.seesOtherProcessesChange())
        #expect(try !catalog.seesOtherProcessesChange())
        // To have looked is no change to others.
        _ = try other.catalog.seesOtherProcessesChange()
        #expect(try !other.catalog.seesOtherProcessesChange())
        #expect(try !catalog.seesOtherProcessesChange())
        #expect(try catalog.read { session throws(DatabaseError) in try session.findCache(Fixture.name("theirs")) } != nil)
    }

    @Test("a reader sees one state, and cannot write", arguments: Kind.allCases)
    func oneState(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let catalog = fixture.catalog
        try fixture.cache("one")
        let counts = try catalog.read { session throws(DatabaseError) in
            let before = try session.listCaches().count
            let new = NewCache(
                name: Fixture.name("two"), keypair: "k", isPublic: false, storeDirectory: "/", priority: 1,
                createdAt: Fixture.time(0))
            _ = try catalog.write { session throws(DatabaseError) in try session.createCache(new) }
            return [before, try session.listCaches().count]
        }
        #expect(counts == [1, 1])
        let error = #expect(throws: DatabaseError.self) {
            try catalog.read { session throws(DatabaseError) in try session.beginUpload(expiresAt: Fixture.time(1)) }
        }
        #expect(error?.kind == .diskTrouble)
        let words = kind == .sqlite ? "attempt to write a readonly database" : "in a read-only transaction"
        #expect(error?.description.contains(words) == true)
    }
}

enum Gate { case shut, reached, open }

/// What `look` gives while the catalog's writer is in the middle of a transaction.
func whileWriting<Found>(_ catalog: Catalog, _ look: () throws -> Found) throws -> Found {
    let gate = Monitor(Gate.shut)
    var outcome: Result<Found, any Error>?
    onThreads(1) { _ in
        _ = try? catalog.write { _ in
            gate.update { $0 = .reached }
            gate.wait { $0 == .open ? () : nil }
        }
    } while: {
        gate.wait { $0 == .reached ? () : nil }
        outcome = Result { try look() }
        gate.update { $0 = .open }
    }
    return try #require(outcome).get()
}

/// Runs `body` on so many threads at once, `meanwhile` on this one, and joins them.
func onThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void, while meanwhile: () -> Void = {}) {
    startThread(count - 1, body, then: meanwhile)
}

private func startThread(_ index: Int, _ body: @escaping @Sendable (Int) -> Void, then last: () -> Void) {
    if index < 0 { return last() }
    let thread = Thread(named: "test-\(index)") { body(index) }
    startThread(index - 1, body, then: last)
    thread.join()
}
