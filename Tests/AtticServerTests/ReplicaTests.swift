import AtticAPI
import Database
import Platform
import SQL
import Testing

@testable import AtticServer

/// Two servers on one database, as replicas are; one of them has the storage to itself, the other reads it.
@Suite("Servers beside each other")
struct ReplicaTests {
    @Test func `what one answers from memory is right when the other has changed it, as soon as it has looked`() throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello")
        let path = try TestPath("tool", seeds: [1], byteCount: 100_000)
        #expect(try fixture.push(path, to: cache).status == .ok)
        let replica = try Replica(of: fixture)
        let url = "/\(cache)/\(path.storePath.hash).narinfo"
        func status() throws -> Int { try fixture.send("GET", url, token: fixture.root(), to: replica.application).status.code }
        #expect(try status() == 200)
        replica.upkeep.watch.look()
        #expect(try status() == 200)
        #expect(try fixture.isAnsweredAtOnce(url, by: replica.application), "it is kept in memory")
        // To look is no change: both keep what they have.
        let upkeep = Upkeep(fixture.context, collectsEvery: nil)
        for _ in 0..<3 {
            upkeep.watch.look()
            replica.upkeep.watch.look()
        }
        #expect(try fixture.isAnsweredAtOnce(url, by: replica.application), "nothing has changed")

        #expect(try fixture.send("DELETE", Endpoint.cacheConfig(cache), token: fixture.root()).status == .ok)
        replica.upkeep.watch.look()
        #expect(try !fixture.isAnsweredAtOnce(url, by: replica.application))
        #expect(try status() == 404)
        // And it was no change to the first that the other has looked.
        #expect(try !fixture.context.catalog.seesOtherProcessesChange())
    }

    @Test func `what the collector took away is gone from what another answers`() throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello")
        let path = try TestPath("tool", seeds: [2], byteCount: 100_000)
        #expect(try fixture.push(path, to: cache).status == .ok)
        let replica = try Replica(of: fixture)
        let url = "/\(cache)/\(path.storePath.hash).narinfo"
        #expect(try fixture.send("GET", url, token: fixture.root(), to: replica.application).status == .ok)
        replica.upkeep.watch.look()
        fixture.clock.update { $0 = $0 + .seconds(100_000) }
        let report = try fixture.sweep(defaultRetentionSeconds: 60)
        #expect(report.objects == 1)
        replica.upkeep.watch.look()
        #expect(try fixture.send("GET", url, token: fixture.root(), to: replica.application).status == .notFound)
    }

    @Test func `a token that was revoked beside one server opens nothing on the other`() throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello")
        let replica = try Replica(of: fixture)
        let token = try fixture.root()
        let url = Endpoint.cacheConfig(cache)
        #expect(try fixture.send("GET", url, token: token, to: replica.application).status == .ok)
        try fixture.context.catalog.write { session throws(DatabaseError) in
            try session.revoke(RevocationRecord(.subject, "test", revokedAt: WallTime(milliseconds: .max / 2)))
        }
        replica.upkeep.watch.look()
        #expect(try fixture.send("GET", url, token: token, to: replica.application).status == .unauthorized)
    }

    @Test func `a server does not start on a schema that is older than it`() throws {
        let fixture = try Fixture()
        let configuration = fixture.context.configuration
        try Opening.readyCatalog(configuration, log: fixture.context.log).close()
        let connection = try configuration.database.connect()
        let names = try connection.query("SELECT name FROM migration ORDER BY name") { row throws(SQLError) in try row.text(0) }
        let last = try #require(names.last)
        try connection.execute("DELETE FROM migration WHERE name = $1", [.text(last)])
        let error = #expect(throws: RunnerError.self) { try Opening.readyCatalog(configuration, log: fixture.context.log) }
        #expect(error?.description.contains("(it lacks the step \"\(last)\")") == true)
        #expect(error?.description.contains("bring it up to date with atticd --mode db-migrations") == true)
        // Nor does one go on that had opened it before.
        #expect(throws: RunnerError.self) {
            try SingleCollection.run(configuration, fixture.context.catalog, log: fixture.context.log) { true }
        }
    }
}
