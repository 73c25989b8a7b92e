import AtticAPI
import Database
import HTTPServer
import Platform
import Storage
import Support
import Testing

@testable import AtticServer

/// Two servers on one database, as replicas are; one of them has the storage to itself, the other reads it.
@Suite("Servers beside each other")
struct ReplicaTests {
    private final class Replica {
        let context: Context
        let application: Application
        let upkeep: Upkeep

        init(of fixture: Fixture) throws {
            let first = fixture.context
            context = Context(
                configuration: first.configuration, catalog: try Catalog(first.configuration.database, readers: 2, log: first.log),
                store: try LocalChunkStore(path: first.configuration.storagePath, forServing: false, log: first.log),
                access: Access(key: first.configuration.tokenKey, rules: first.configuration.tokenRules), accessTimes: AccessTimes(),
                press: Press(threadCount: 1, kind: first.configuration.compressionKind, level: first.configuration.compressionLevel),
                time: first.time, log: first.log)
            application = Application(context)
            upkeep = Upkeep(context, sweepIntervalSeconds: 0)
        }

        deinit {
            context.press.close()
            context.catalog.close()
        }
    }

    @Test func `what one answers from memory is right when the other has changed it, as soon as it has looked`() throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello")
        let path = try TestPath("tool", seeds: [1], byteCount: 100_000)
        #expect(try fixture.push(path, to: cache).status == .ok)
        let replica = try Replica(of: fixture)
        let url = "/\(cache)/\(path.storePath.hash).narinfo"
        func status() throws -> Int { try fixture.send("GET", url, token: fixture.root(), to: replica.application).status.code }
        #expect(try status() == 200)
        replica.upkeep.noticeOthers()
        #expect(try status() == 200)
        #expect(try fixture.isAnsweredAtOnce(url, by: replica.application), "it is kept in memory")
        // To look is no change: both keep what they have.
        let upkeep = Upkeep(fixture.context, sweepIntervalSeconds: 0)
        for _ in 0..<3 {
            upkeep.noticeOthers()
            replica.upkeep.noticeOthers()
        }
        #expect(try fixture.isAnsweredAtOnce(url, by: replica.application), "nothing has changed")

        #expect(try fixture.send("DELETE", Endpoint.cacheConfig(cache), token: fixture.root()).status == .ok)
        replica.upkeep.noticeOthers()
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
        replica.upkeep.noticeOthers()
        fixture.clock.update { $0 = $0 + .seconds(100_000) }
        let report = try fixture.sweep(defaultRetentionSeconds: 60)
        #expect(report.objects == 1)
        replica.upkeep.noticeOthers()
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
        replica.upkeep.noticeOthers()
        #expect(try fixture.send("GET", url, token: token, to: replica.application).status == .unauthorized)
    }
}
