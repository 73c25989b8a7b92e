import Database
import HTTP
import Platform
import Storage
import Support
import Testing

@testable import AtticServer

@Suite("The server's health")
struct HealthTests {
    private struct Trouble: Error {}

    @Test("is good where database and storage answer, and told to everyone, whatever host they name")
    func good() throws {
        let fixture = try Fixture("allowed-hosts = [\"cache.example.org\"]")
        for method in ["GET", "HEAD"] {
            let head = try RequestHead(parsing: "\(method) /_health HTTP/1.1\r\nHost: 10.0.0.1:8080\r\n\r\n")
            let answer = try #require(fixture.application.answerAtOnce(head), "no thread is asked")
            #expect(answer.status == .ok && answer.text == #"{"status":"ok"}"#)
            #expect(answer.header("Cache-Control") == "no-store" && answer.header("Content-Type") == "application/json")
        }
        // What has a query goes to a thread, and is the same.
        #expect(try Fixture().send("GET", "/_health?probe=1").status == .ok)
        #expect(try Fixture().send("POST", "/_health").status == .methodNotAllowed)
        #expect(try Fixture().send("GET", "/_health/x").status == .notFound)
        #expect(try fixture.send("GET", "/").status == .badRequest, "other hosts are refused elsewhere")
    }

    @Test("says which does not answer, and nothing more, until it answers again")
    func failing() throws {
        let fixture = try Fixture()
        let health = fixture.context.health
        func message() throws -> String {
            let answer = try fixture.send("GET", "/_health")
            #expect(answer.status == .serviceUnavailable && answer.header("Cache-Control") == "no-store")
            return answer.text
        }
        health.ask(.database, fixture.context.log) { throw Trouble() }
        #expect(try message() == #"{"code":503,"error":"NotReady","message":"At the moment the database cannot be reached."}"#)
        health.ask(.storage, fixture.context.log) { throw Trouble() }
        #expect(try message().contains("the database and the storage cannot be reached"))
        health.ask(.database, fixture.context.log) {}
        #expect(try message().contains("At the moment the storage cannot be reached."))
        health.ask(.storage, fixture.context.log) {}
        #expect(try fixture.send("GET", "/_health").status == .ok)
    }

    @Test("is bad while an answer takes too long, though nobody knows what it will be")
    func hanging() throws {
        let health = Health()
        let began = MonotonicTime.now
        health.ask(.storage, try Fixture().context.log, at: began) {
            #expect(health.response(at: began + Health.patience).status == .ok)
            let late = health.response(at: began + Health.patience + .milliseconds(1))
            #expect(late.status == .serviceUnavailable && late.text.contains("the storage cannot be reached"))
        }
        #expect(health.response().status == .ok)
    }

    @Test("is bad from when the server is told to end, though it goes on serving")
    func leaving() throws {
        let fixture = try Fixture()
        fixture.context.health.leave()
        #expect(try fixture.send("GET", "/_health").text.contains("about to end"))
        #expect(try fixture.send("GET", "/_health").status == .serviceUnavailable)
        #expect(try fixture.send("GET", "/").status == .ok)
    }

    @Test("asks what is really there: a database that is closed and a storage that has gone, or is another, do not answer")
    func questions() throws {
        let fixture = try Fixture()
        try fixture.context.catalog.ping()
        try fixture.store.ping()
        try fixture.loseStorage()
        #expect(throws: StorageError.self) { try fixture.store.ping() }
        if fixture.store.packKind == .file {
            // As where a disk is not mounted.
            try Directory.make(fixture.directory.file("storage/packs"))
            #expect(throws: StorageError.self) { try fixture.store.ping() }
            // Or where another is.
            try File.rename(fixture.directory.file("storage"), to: fixture.directory.file("empty"))
            _ = try LocalChunkStore(path: fixture.directory.file("storage"), forServing: false, log: fixture.context.log)
            let error = #expect(throws: StorageError.self) { try fixture.store.ping() }
            #expect("\(try #require(error))".contains("it is another directory's than the one that was opened here"))
        }
        fixture.context.catalog.close()
        #expect(throws: (any Error).self) { try fixture.context.catalog.ping() }
    }

    @Test("A database server that goes away makes it bad, and it is good again when that is back", .enabled(if: TestPostgres.serverURL != nil, "scripts/test starts the server"))
    func awayAndBack() throws {
        let fixture = try Fixture()
        let door = try PostgresDoor(onServer: #require(TestPostgres.serverURL))
        var options = Catalog.Options()
        options.readerReconnectTime = .milliseconds(50)
        let catalog = try Catalog(#require(DatabaseLocation(postgresURL: door.url)), readers: 2, log: fixture.context.log, options: options)
        try catalog.migrate()
        func status() throws -> Int {
            fixture.context.health.ask(.database, fixture.context.log) { try catalog.ping() }
            return try fixture.send("GET", "/_health").status.code
        }
        #expect(try status() == 200)
        try door.shut()
        #expect(try status() == 503)
        #expect(try fixture.send("GET", "/_health").text.contains("the database cannot be reached"))
        #expect(try status() == 503)
        try door.open()
        let end = MonotonicTime.now + .seconds(30)
        while try status() != 200 && MonotonicTime.now < end {}
        #expect(try status() == 200)
        catalog.close()
    }

    @Test("The thread that asks ends when it is told to")
    func thread() throws {
        let fixture = try Fixture()
        fixture.context.health.start(fixture.context.catalog, fixture.store, fixture.context.log)
        #expect(try fixture.send("GET", "/_health").status == .ok)
        fixture.context.health.stop()
        fixture.context.health.stop()
    }
}
