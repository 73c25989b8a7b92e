import Database
import Platform
import Support
import Testing

@testable import AtticServer

@Suite("The right to be the collector", .enabled(if: TestPostgres.serverURL != nil, "scripts/test starts the server"))
struct CollectorRightTests {
    private let fixture: Fixture
    private let door: PostgresDoor
    private let catalog: Catalog
    /// Another process's, or that of a session whose connection is gone and which the server still has.
    private let other: Catalog

    init() throws {
        fixture = try Fixture()
        door = try PostgresDoor(onServer: #require(TestPostgres.serverURL))
        let log = fixture.context.log
        catalog = try Catalog(#require(DatabaseLocation(postgresURL: door.url)), readers: 1, log: log)
        try catalog.migrate()
        let url = door.url.replacing("application_name=\(door.name)", with: "application_name=other")
        other = try Catalog(#require(DatabaseLocation(postgresURL: url)), readers: 1, log: log)
    }

    /// Cuts off the one who has it, and gives it to the other.
    private func lose() throws -> ExclusiveLock {
        try door.cut()
        return try #require(try other.take(.collector, waitingAtMost: .seconds(30)).lock)
    }

    /// Whether it finds out that it is lost: the server gives the lock to the other before it closes the connection, and between both a busy
    /// machine takes its time.
    private func noticesLoss(_ right: inout CollectorRight, at now: MonotonicTime) throws -> Bool {
        let end = MonotonicTime.now + .seconds(30)
        while try right.isHeld(at: now) {
            if MonotonicTime.now >= end { return false }
            MonotonicTime.sleep(.milliseconds(1))
        }
        return true
    }

    @Test("that another session has is waited for as long as the database may take one that is gone for one that lives")
    func oldSession() throws {
        var right = try CollectorRight(catalog, fixture.context.log)
        let begun = MonotonicTime.now
        #expect(try right.isHeld(at: begun))
        var old: ExclusiveLock? = try lose()
        #expect(try noticesLoss(&right, at: begun))
        #expect(try !right.isHeld(at: begun + .seconds(59)))
        #expect(old?.isHeld == true)
        old = nil
        // A server needs a moment to see that a connection was closed.
        let end = MonotonicTime.now + .seconds(30)
        while try !right.isHeld(at: begun + .seconds(59)) && MonotonicTime.now < end {}
        #expect(try right.isHeld(at: begun + .seconds(120)))
    }

    @Test("that another process has kept for a minute is its own, and the first one hears whose")
    func faster() throws {
        var right = try CollectorRight(catalog, fixture.context.log)
        let faster = try lose()
        let begun = MonotonicTime.now
        #expect(try noticesLoss(&right, at: begun))
        let error = #expect(throws: RunnerError.self) { try right.isHeld(at: begun + .seconds(60)) }
        #expect(error?.description.contains("a garbage collector is running already (other)") == true)
        #expect(faster.isHeld)
    }
}
