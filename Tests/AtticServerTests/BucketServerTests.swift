import AtticAPI
import Crypto
import Database
import HTTP
import HTTPServer
import Platform
import Testing

@testable import AtticServer
@testable import Storage

/// What differs for a server where packs are objects; the other suites say what does not.
@Suite("A server with a bucket")
struct BucketServerTests {
    private let fixture: Fixture
    private let cache: CacheName
    private let store: S3ChunkStore

    init() throws {
        fixture = try Fixture(on: .bucket)
        cache = try fixture.makeCache("hello")
        store = try #require(fixture.store as? S3ChunkStore)
    }

    private func url(_ path: TestPath) throws -> String { "/hello/\(try fixture.narInfo(path, in: cache).url)" }

    private func get(_ url: String) throws -> Response { try fixture.send("GET", url, token: fixture.root()) }

    private func comesBack(_ path: TestPath) throws -> Bool {
        let answer = try get(url(path))
        return try answer.status == .ok && UploadTests().plain(answer.bytes) == path.nar
    }

    private func sweep(grace: Duration) throws -> Sweeper.Report {
        try Sweeper(
            catalog: fixture.context.catalog, store: store, defaultRetentionSeconds: 0, punchDelay: .zero, grace: grace, log: fixture.context.log
        ).sweep(time: fixture.context.time)
    }

    /// A pack of which a third lives on, in a path of the cache, when a collection comes.
    private func thinPack() throws -> (pack: PackName, kept: TestPath) {
        let dying = try fixture.makeCache("dying")
        let gone = try TestPath("gone", seeds: [1, 2, 3], byteCount: 500_000)
        let kept = try TestPath("kept", seeds: [3], byteCount: 500_000)
        #expect(try fixture.push(gone, to: dying).status == .ok)
        let pack = try #require(try store.packNames().first)
        #expect(try fixture.push(kept, to: cache).status == .ok)
        #expect(try fixture.send("DELETE", Endpoint.cacheConfig(dying), token: fixture.root()).status == .ok)
        return (pack, kept)
    }

    @Test("copies what lives in a pack that is half dead, and deletes that when those who read it have had their time")
    func thin() throws {
        let (pack, kept) = try thinPack()
        let began = try get(url(kept))
        let report = try sweep(grace: .seconds(900))
        #expect(report.nars == 1 && report.copiedPacks == 1 && report.packs == 0 && report.failures == 0)
        #expect(try store.packNames().contains(pack))
        #expect(try UploadTests().plain(began.bytes) == kept.nar, "who began before it reads on")
        #expect(try comesBack(kept))
        #expect(try fixture.check(repairs: true, contents: true).outcome == .clean)

        fixture.advance(.seconds(890))
        #expect(try sweep(grace: .seconds(900)).packs == 0)
        // The copies took a moment, which is added to it.
        fixture.advance(.seconds(60))
        let last = try sweep(grace: .seconds(900))
        #expect(last.packs == 1 && last.freedBytes > 1_400_000 && last.copiedPacks == 0)
        #expect(try !store.packNames().contains(pack))
        #expect(try comesBack(kept) && fixture.packBytes() < 700_000)
        #expect(try fixture.check(repairs: true, contents: true).outcome == .clean)
    }

    @Test("does not copy a pack of which something is lost: it is marked, and the next push brings it back")
    func thinAndLost() throws {
        let (pack, kept) = try thinPack()
        try fixture.lose(pack)
        #expect(try sweep(grace: .zero).copiedPacks == 0)
        #expect(try get("/hello/\(kept.storePath.hash).narinfo").status == .notFound)
        #expect(try fixture.push(kept, to: cache).status == .ok)
        #expect(try comesBack(kept))
        _ = try sweep(grace: .zero)
        #expect(try fixture.check(contents: true).outcome == .clean)
    }

    @Test("copies many small packs into one")
    func small() throws {
        let paths = try (0..<20).map { try TestPath("p\($0)", seeds: [UInt64($0)], byteCount: 1000) }
        for path in paths.dropLast(5) { #expect(try fixture.push(path, to: cache).status == .ok) }
        #expect(try sweep(grace: .zero).copiedPacks == 0, "fifteen are not worth it")
        for path in paths.suffix(5) { #expect(try fixture.push(path, to: cache).status == .ok) }
        let report = try sweep(grace: .zero)
        #expect(report.copiedPacks == 20 && report.packs == 20 && report.failures == 0)
        #expect(try store.packNames().count == 1)
        for path in paths { #expect(try comesBack(path)) }
        #expect(try fixture.check(repairs: true, contents: true).outcome == .clean)
    }

    @Test("gives no NAR out of memory, and its narinfo as ever")
    func notKept() throws {
        let path = try TestPath("tool", seeds: [1], byteCount: 300_000)
        #expect(try fixture.push(path, to: cache).status == .ok)
        let (nar, narInfo) = (try url(path), "/hello/\(path.storePath.hash).narinfo")
        for _ in 0..<2 {
            #expect(try comesBack(path))
            #expect(try !fixture.isAnsweredAtOnce(nar, by: fixture.application))
        }
        #expect(try fixture.isAnsweredAtOnce(narInfo, by: fixture.application))
        let whole = try get(nar).bytes
        let part = try fixture.send("GET", nar, token: fixture.root(), headers: [("Range", "bytes=5-250000")])
        #expect(part.status == .partialContent && part.bytes == Array(whole[5...250_000]))
    }

    @Test("sizes of packs are kept: a pack that somebody deleted breaks the first answer off, and is known from then on")
    func deleted() throws {
        let path = try TestPath("tool", seeds: [1], byteCount: 300_000)
        #expect(try fixture.push(path, to: cache).status == .ok)
        let url = try url(path)
        for name in try store.packNames() { try store.client.delete(S3ChunkStore.key(of: name)) }
        let first = try get(url)
        #expect(first.status == .ok && first.bytes.isEmpty, "it has no end")
        #expect(try get(url).status == .serviceUnavailable)
        #expect(try get("/hello/\(path.storePath.hash).narinfo").status == .notFound)
        #expect(try fixture.push(path, to: cache).status == .ok)
        #expect(try comesBack(path))
    }

    @Test("a pack that an upload is writing, or may yet commit, is nobody's leftover")
    func written() throws {
        let writer = try store.borrowPack()
        _ = try unsafe [UInt8](repeating: 7, count: 1000).withUnsafeBytes { try unsafe writer.append($0) }
        try writer.makeDurable()
        #expect(try fixture.check(repairs: true).outcome == .clean)
        writer.leave()
        #expect(try fixture.check(repairs: true).outcome == .clean)
        #expect(try store.packNames().count == 1)
        fixture.advance(CatalogPackJournal.lease)
        #expect(try sweep(grace: .seconds(900)).packs == 1)
        #expect(try store.packNames().isEmpty)
        #expect(try fixture.check().outcome == .clean)
    }

    @Test("bytes behind a pack cannot be cut off an object, do no harm, and are told")
    func behind() throws {
        let path = try TestPath("tool", seeds: [1], byteCount: 1000)
        #expect(try fixture.push(path, to: cache).status == .ok)
        let pack = try #require(try store.packNames().first)
        try fixture.replace(pack, with: fixture.bytes(of: pack) + [1, 2, 3])
        let report = try fixture.check(repairs: true, contents: true)
        #expect(report.outcome == .clean && report.notices.count == 1)
        #expect(report.notices.first?.contains(store.location(of: pack)) == true)
        #expect(try comesBack(path))
    }
}
