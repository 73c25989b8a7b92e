import AtticAPI
import Database
import HTTPServer
import Nix
import Platform
import Testing

@testable import AtticServer

/// What one server answers from memory when another, on the same database, has changed what it says.
@Suite("Hot answers of servers beside each other")
struct HotReplicaTests {
    private let fixture: Fixture
    private let cache: CacheName
    private let path: TestPath
    /// Of its narinfo, and of its NAR where that is in files: of a bucket's no loop knows.
    private let urls: [String]

    init() throws {
        fixture = try Fixture()
        cache = try fixture.makeCache("hello", isPublic: true)
        path = try TestPath("tool", seeds: [1], byteCount: 100_000)
        #expect(try fixture.push(path, to: cache).status == .ok)
        let both = ["/hello/\(path.storePath.hash).narinfo", "/hello/nar/\(path.storePath.hash).nar"]
        urls = Array(both.prefix(fixture.store.packKind == .file ? 2 : 1))
    }

    /// Has a server look.
    ///
    /// - Returns: a moment in which what it has in memory counts: the look began after it.
    private func look(_ replica: Replica) -> MonotonicTime {
        let before = MonotonicTime.now
        #expect(replica.upkeep.watch.look())
        return before
    }

    /// A server that has both answers in memory, and the moment of its last look.
    private func warm(token: String? = nil, _ freshness: Freshness = Freshness(), lookPatience: Duration = .seconds(60)) throws -> (Replica, MonotonicTime) {
        let replica = try Replica(of: fixture, freshness: freshness, lookPatience: lookPatience)
        _ = look(replica)
        for url in urls { #expect(try replica.handled(url, token: token).status == .ok) }
        let looked = look(replica)
        for url in urls { #expect(try replica.atOnce(url, token: token, at: looked)?.status == .ok, "nothing has changed since") }
        return (replica, looked)
    }

    private func configure(_ changes: CacheConfig) throws {
        #expect(try fixture.send("PATCH", Endpoint.cacheConfig(cache), token: fixture.root(), body: changes.json()).status == .ok)
    }

    private func revoke(_ subject: String) throws {
        try fixture.context.catalog.write { session throws(DatabaseError) in
            try session.revoke(RevocationRecord(.subject, subject, revokedAt: WallTime(milliseconds: .max / 2)))
        }
    }

    @Test func `a cache that was made private is closed to strangers, and open to those who may`() throws {
        let (replica, _) = try warm()
        try configure(CacheConfig(isPublic: false))
        let looked = look(replica)
        for url in urls {
            #expect(try replica.atOnce(url, at: looked) == nil)
            #expect(try replica.handled(url).status == .unauthorized)
            #expect(try replica.handled(url, token: fixture.root()).status == .ok)
            #expect(try replica.atOnce(url, at: looked) == nil, "what is kept now is not for everyone")
        }
    }

    @Test func `a cache that got another key signs with that one`() throws {
        let (replica, _) = try warm()
        let before = try NarInfo.parse(replica.handled(urls[0]).bytes)
        try configure(CacheConfig(keypair: .generate))
        let looked = look(replica)
        #expect(try replica.atOnce(urls[0], at: looked) == nil)
        let after = try NarInfo.parse(replica.handled(urls[0]).bytes)
        let config = try CacheConfig(json: fixture.send("GET", Endpoint.cacheConfig(cache)).bytes)
        let key = try PublicKey(parsing: #require(config.publicKey))
        #expect(key.verifies(signature: after.signatures[0], message: after.fingerprint()))
        #expect(!key.verifies(signature: before.signatures[0], message: before.fingerprint()))
    }

    @Test func `what was not there is there once it is pushed elsewhere`() throws {
        let (replica, _) = try warm()
        let other = try TestPath("other", seeds: [2], byteCount: 5_000)
        let url = "/hello/\(other.storePath.hash).narinfo"
        #expect(try replica.handled(url).status == .notFound)
        #expect(try replica.atOnce(url, at: look(replica))?.status == .notFound)
        #expect(try fixture.push(other, to: cache).status == .ok)
        let looked = look(replica)
        #expect(try replica.atOnce(url, at: looked) == nil)
        #expect(try replica.handled(url).status == .ok)
    }

    @Test func `what was collected elsewhere is gone, and its packs are let go of`() throws {
        let (replica, _) = try warm()
        #expect(replica.context.hot.fileCount == fixture.packCount(ofFiles: 1, ofObjects: 0))
        fixture.clock.update { $0 = $0 + .seconds(100_000) }
        #expect(try fixture.sweep(defaultRetentionSeconds: 60).objects == 1)
        let looked = look(replica)
        for url in urls {
            #expect(try replica.atOnce(url, at: looked) == nil)
            #expect(try replica.handled(url).status == .notFound)
        }
        #expect(replica.context.hot.fileCount == 0)
    }

    @Test func `a token that was revoked elsewhere opens no answer in memory`() throws {
        try configure(CacheConfig(isPublic: false))
        let token = try fixture.root()
        let (replica, _) = try warm(token: token)
        try revoke("test")
        let looked = look(replica)
        for url in urls {
            #expect(try replica.atOnce(url, token: token, at: looked) == nil)
            #expect(try replica.handled(url, token: token).status == .unauthorized)
        }
    }

    @Test func `where a look is late nothing is answered from memory, and again after it`() throws {
        let (replica, looked) = try warm()
        let late = MonotonicTime.now + Freshness.usualTime
        for url in urls {
            #expect(try replica.atOnce(url, at: looked + (Freshness.usualTime - .milliseconds(1)))?.status == .ok)
            #expect(try replica.atOnce(url, at: late) == nil)
        }
        try configure(CacheConfig(isPublic: false))
        // Nobody has looked: threads ask the database.
        for url in urls { #expect(try replica.handled(url).status == .unauthorized) }
        _ = look(replica)
        #expect(try replica.atOnce(urls[0], at: late) == nil)
    }

    @Test func `where a look is late a token is asked for in the database`() throws {
        try configure(CacheConfig(isPublic: false))
        let token = try fixture.root()
        // No look counts for any time.
        let replica = try Replica(of: fixture, freshness: Freshness(lasting: .zero))
        let told = Monitor(0)
        replica.context.visitors.tellOfRevocations { told.update { $0 += 1 } }
        _ = look(replica)
        #expect(try replica.handled(urls[0], token: token).status == .ok)
        let permit = try #require(try replica.handled("/hello/nar/\(path.storePath.hash).nar", token: token).permit)
        #expect(permit.holds && told.withLock { $0 } == 0)
        try revoke("test")
        #expect(try replica.handled(urls[0], token: token).status == .unauthorized)
        #expect(!permit.holds && told.withLock { $0 } == 1, "answers under way end, too")
    }

    @Test func `where a look fails what is in memory counts to the end of its time, and no longer`() throws {
        let (replica, looked) = try warm()
        replica.context.catalog.close()
        #expect(!replica.upkeep.watch.look())
        #expect(try replica.atOnce(urls[0], at: looked)?.status == .ok)
        #expect(try replica.atOnce(urls[0], at: .now + Freshness.usualTime) == nil)
    }

    @Test func `a look by the server's own thread waits for nothing that its writer does`() throws {
        try configure(CacheConfig(isPublic: false))
        let token = try fixture.root()
        let (replica, _) = try warm(token: token, Freshness(), lookPatience: .milliseconds(50))
        // The writer's turn comes right after the change, and takes as long as it likes.
        try revoke("test")
        let gate = Monitor(Gate.shut)
        let catalog = replica.context.catalog
        let writer = ThreadHandle(named: "test-writer") {
            _ = try? catalog.write { _ in
                gate.update { $0 = .reached }
                gate.wait { $0 == .open ? () : nil }
            }
        }
        gate.wait { $0 == .reached ? () : nil }
        // Nor for another thread's work: the times of access wait for the writer.
        replica.context.accessTimes.note(1, at: fixture.context.time.now())
        let isTold = Monitor(false)
        replica.upkeep.start { isTold.update { $0 = true } }
        let wasTold = isTold.wait(until: .now + .seconds(60)) { $0 ? true : nil }
        gate.update { $0 = .open }
        writer.join()
        replica.upkeep.stop()
        #expect(wasTold == true)
        for url in urls { #expect(try replica.handled(url, token: token).status == .unauthorized) }
    }

    private enum Gate { case shut, reached, open }
}
