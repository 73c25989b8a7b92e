import AtticAPI
import Crypto
import Database
import HTTP
import HTTPServer
import Nix
import Platform
import Storage
import Testing

@testable import AtticServer

@Suite("Garbage collection in trouble", .packsAreFiles)
struct SweeperTroubleTests {
    /// Small chunks, so that one path has more of them than a batch of a collection.
    private static let smallChunks = """
        [chunking]
        nar-size-threshold = 1024
        min-size = 256
        avg-size = 512
        max-size = 1024
        """

    private func file(_ fixture: Fixture, _ pack: PackName) -> String {
        "\(fixture.directory.path)/storage/packs/\(pack.text.prefix(2))/\(pack.text).pack"
    }

    /// Puts something in the pack's place that can neither be opened for writing nor be unlinked; the pack is beside it.
    private func obstruct(_ fixture: Fixture, _ pack: PackName) throws {
        try File.rename(file(fixture, pack), to: fixture.directory.path + "/aside")
        try Directory.make(file(fixture, pack))
    }

    private func clear(_ fixture: Fixture, _ pack: PackName) throws {
        try Directory.removeEmpty(file(fixture, pack))
        try File.rename(fixture.directory.path + "/aside", to: file(fixture, pack))
    }

    private func deadCount(_ fixture: Fixture) throws -> Int {
        try fixture.context.catalog.read { session throws(DatabaseError) in try session.deadExtents(limit: 100_000) }.count
    }

    /// Two packs, in each a path of the cache "dying" and one of the cache "living".
    private func twoPacks() throws -> (Fixture, packs: [PackName], kept: [TestPath], CacheName) {
        let fixture = try Fixture(Self.smallChunks)
        let dying = try fixture.makeCache("dying")
        let living = try fixture.makeCache("living")
        var packs: [PackName] = []
        var kept: [TestPath] = []
        var writers: [any PackWriter] = []
        for number in 0..<2 as Range<UInt64> {
            let gone = try TestPath("gone", seeds: [10 + number], byteCount: 800_000)
            kept.append(try TestPath("kept", seeds: [20 + number], byteCount: 400_000))
            _ = try fixture.push(gone, to: dying)
            _ = try fixture.push(kept[Int(number)], to: living)
            packs += try fixture.store.packNames().filter { !packs.contains($0) }
            // Whoever comes next finds the pack in use, and takes another.
            let writer = try fixture.store.borrowPack()
            _ = try unsafe [7].withUnsafeBytes { try unsafe writer.append($0) }
            writers.append(writer)
        }
        for writer in writers { writer.abandon() }
        try #require(packs.count == 2)
        let body = CacheConfig(retentionPeriod: .period(seconds: 1)).json()
        #expect(try fixture.send("PATCH", Endpoint.cacheConfig(dying), token: fixture.root(), body: body).status == .ok)
        fixture.advance(.seconds(3))
        return (fixture, packs, kept, living)
    }

    @Test("bytes that cannot be freed are counted, keep no others from being freed, and are freed by the next collection")
    func punch() throws {
        let (fixture, packs, kept, living) = try twoPacks()
        // The first has more dead extents than a batch, and comes first.
        try obstruct(fixture, packs[0])
        let first = try fixture.sweep()
        let failedCount = try deadCount(fixture)
        #expect(failedCount > 1000 && first.failures == failedCount)
        #expect(first.description.contains("\(failedCount) deletions failed and will be tried again"))
        #expect(first.freedBytes >= 790_000 && first.packs == 0)
        #expect(try File.status(file(fixture, packs[1])).allocatedByteCount < 500_000)

        let again = try fixture.sweep()
        #expect(again.failures == failedCount && again.freedBytes == 0)
        try clear(fixture, packs[0])
        let third = try fixture.sweep()
        #expect(third.failures == 0 && third.freedBytes >= 790_000)
        #expect(try deadCount(fixture) == 0)
        #expect(try File.status(file(fixture, packs[0])).allocatedByteCount < 500_000)
        for path in kept {
            let nar = try fixture.send("GET", "/living/\(fixture.narInfo(path, in: living).url)", token: fixture.root())
            #expect(try UploadTests().plain(nar.bytes) == path.nar)
        }
    }

    @Test("a pack that cannot be removed is counted, keeps no others, and is removed by the next collection")
    func remove() throws {
        let fixture = try Fixture(packs: 100_000)
        let cache = try fixture.makeCache("hello")
        for seed in 1...4 as ClosedRange<UInt64> {
            _ = try fixture.push(TestPath("p", seeds: [seed], byteCount: 300_000), to: cache)
        }
        let packs = try fixture.store.packNames()
        try #require(packs.count >= 4)
        #expect(try fixture.send("DELETE", Endpoint.cacheConfig(cache), token: fixture.root()).status == .ok)
        try obstruct(fixture, packs[1])
        let first = try fixture.sweep()
        // Nor can its dead bytes be freed.
        #expect(try first.failures == 1 + deadCount(fixture) && first.packs == packs.count - 1)
        try clear(fixture, packs[1])
        let second = try fixture.sweep()
        #expect(second.failures == 0 && second.packs == 1)
        #expect(try fixture.store.packNames().isEmpty)
        #expect(try deadCount(fixture) == 0)
    }

    @Test("neighbours that died are freed together, with the block that they share")
    func neighbours() throws {
        let (fixture, packs, _, _) = try twoPacks()
        #expect(try fixture.sweep().failures == 0)
        // Of chunks of half a KiB each, no hole by itself would free a block of the file system.
        for pack in packs { #expect(try File.status(file(fixture, pack)).allocatedByteCount < 500_000) }
    }

    @Test("told to stop it stops, says so, and the next one frees all that is left", arguments: [0, 3, 6, 9, 12, 15])
    func stops(after asked: Int) throws {
        let (fixture, packs, _, _) = try twoPacks()
        let sweeper = Sweeper(
            catalog: fixture.context.catalog, store: fixture.store, defaultRetentionSeconds: 0, punchDelay: .zero,
            log: fixture.context.log)
        var count = 0
        let first = try sweeper.sweep(time: fixture.context.time, while: {
            count += 1
            return count <= asked
        })
        #expect(first.isStopped && first.failures == 0)
        #expect(first.description.hasSuffix("; stopped before the end, the next one goes on"))
        let second = try fixture.sweep()
        #expect(!second.isStopped && first.objects + second.objects == 2 && first.freedBytes + second.freedBytes >= 1_580_000)
        for pack in packs { #expect(try File.status(file(fixture, pack)).allocatedByteCount < 500_000) }
    }
}

@Suite("One NAR that two push at once")
struct PushedTogetherTests {
    private func take(_ path: TestPath, _ fixture: Fixture) throws -> (UploadPipeline, UploadPipeline.Stored) {
        let pipeline = try UploadPipeline(
            fixture.context, lease: UploadLease(catalog: fixture.context.catalog, time: fixture.context.time))
        pipeline.begin(narSize: Int64(path.nar.count))
        try unsafe path.nar.withUnsafeBytes { bytes in try unsafe pipeline.receive(bytes) }
        try pipeline.end(expectedHash: SHA256.digest(of: path.nar), expectedSize: Int64(path.nar.count))
        return (pipeline, try pipeline.finish())
    }

    private func commit(_ stored: UploadPipeline.Stored, _ path: TestPath, into cache: CacheName, _ fixture: Fixture) throws -> Committed {
        let outcome = try fixture.context.catalog.write { [now = fixture.context.time.now()] session throws(DatabaseError) in
            guard let cache = try session.findCache(cache) else { return CommitOutcome.noSuchCache }
            let object = NewObject(
                cacheID: cache.id, storePathHash: path.storePath.hash, storePath: path.storePath.absolute(), references: [], at: now)
            return try session.commitUpload(Commit(
                uploadID: nil, packs: stored.packs,
                paths: [Commit.Path(object, naming: .uploaded(stored.nars[0].nar, chunks: stored.nars[0].chunks))]))
        }
        guard case .committed(let committed) = outcome else { throw Problem.busy(retryAfterSeconds: 1) }
        return committed[0]
    }

    @Test("ends with one copy: the second to commit takes the first's, and its own bytes are dead at once")
    func together() throws {
        let fixture = try Fixture()
        let caches = [try fixture.makeCache("first"), try fixture.makeCache("second")]
        let path = try TestPath("tool", seeds: [1, 2, 3], byteCount: 500_000)
        // Both have sent all of it before either is committed: neither found a chunk of the other's.
        let uploads = [try take(path, fixture), try take(path, fixture)]
        var narIDs: [Int64] = []
        for (number, (pipeline, stored)) in uploads.enumerated() {
            let committed = try commit(stored, path, into: caches[number], fixture)
            pipeline.keep()
            #expect(committed.isNewNar == (number == 0))
            narIDs.append(committed.narID)
        }
        #expect(narIDs[0] == narIDs[1])
        let packs = try fixture.store.packNames()
        #expect(packs.count == 2)
        #expect(try fixture.packBytes() > 2_900_000)
        let dead = try fixture.context.catalog.read { session throws(DatabaseError) in try session.deadExtents(limit: 1000) }
        #expect(dead.reduce(0) { $0 + $1.extent.byteCount } > 1_490_000)
        // Nothing has expired: a collection gives back what is dead.
        let report = try fixture.sweep()
        #expect(report.objects == 0 && report.packs == 1 && report.failures == 0)
        #expect(try fixture.store.packNames().count == 1)
        #expect(try fixture.packBytes() < 1_510_000)
        for cache in caches {
            let nar = try fixture.send("GET", "/\(cache)/\(fixture.narInfo(path, in: cache).url)", token: fixture.root())
            #expect(try UploadTests().plain(nar.bytes) == path.nar)
        }
    }

    @Test("requests that really run at once leave one copy as well, whoever is first")
    func race() throws {
        let fixture = try Fixture()
        let path = try TestPath("tool", seeds: [4, 5], byteCount: 700_000)
        let caches = try (0..<4).map { try fixture.makeCache("cache-\($0)") }
        let application = fixture.application
        let token = try fixture.root()
        let hash = SHA256.digest(of: path.nar)
        let statuses = Monitor<[Int]>([])
        let threads = caches.map { cache in
            let info = UploadPathNarInfo(
                cache: cache, storePathHash: path.storePath.hash, storePath: path.storePath.absolute(), references: [],
                narHash: hash, narSize: Int64(path.nar.count)
            ).json()
            let nar = path.nar
            return ThreadHandle(named: "push") {
                let status = (try? RaceRequest(token: token, info: info, nar: nar).status(by: application)) ?? 0
                statuses.update { $0.append(status) }
            }
        }
        for thread in threads { thread.join() }
        #expect(statuses.withLock { $0 } == [200, 200, 200, 200])
        try fixture.sweep()
        let stored = try fixture.context.catalog.read { session throws(DatabaseError) in try session.namedByteCount() }
        let allocated = try fixture.store.packNames().reduce(0 as Int64) { sum, pack in sum + (try fixture.allocatedByteCount(pack)) }
        #expect(stored > 1_390_000 && stored < 1_410_000)
        #expect(allocated < stored + 200_000)
        for cache in caches {
            let nar = try fixture.send("GET", "/\(cache)/\(fixture.narInfo(path, in: cache).url)", token: fixture.root())
            #expect(try UploadTests().plain(nar.bytes) == path.nar)
        }
    }
}

/// One `PUT upload-path`, sent on any thread.
private struct RaceRequest: Sendable {
    let token: String
    let info: [UInt8]
    let nar: [UInt8]

    func status(by application: Application) throws -> Int {
        let head = try RequestHead(
            parsing: """
                PUT \(Endpoint.uploadPath) HTTP/1.1\r
                Host: cache.test\r
                Authorization: Bearer \(token)\r
                \(Endpoint.narInfoHeader): \(String(decoding: info, as: UTF8.self))\r
                Content-Length: \(nar.count)\r
                \r

                """)
        let response = application.respond(
            to: Request(head: head, id: "0123456789abcdef", remoteAddress: "192.0.2.1", body: RequestBody(nar)))
        return Int(response.status.code)
    }
}
