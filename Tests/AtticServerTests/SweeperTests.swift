import AtticAPI
import Crypto
import Database
import HTTP
import Nix
import Platform
import Storage
import Testing

@testable import AtticServer
@testable import HTTPServer

@Suite("Garbage collection")
struct SweeperTests {
    func setRetention(_ fixture: Fixture, _ cache: CacheName, _ retention: RetentionConfig) throws {
        let body = CacheConfig(retentionPeriod: retention).json()
        #expect(try fixture.send("PATCH", Endpoint.cacheConfig(cache), token: fixture.root(), body: body).status == .ok)
    }

    func isThere(_ fixture: Fixture, _ path: TestPath, in cache: CacheName) throws -> Bool {
        try fixture.send("GET", "/\(cache)/\(path.storePath.hash).narinfo", token: fixture.root()).status == .ok
    }

    @Test("goes over three levels: objects, then NARs, then chunks, and leaves an empty pack directory")
    func levels() throws {
        let fixture = try Fixture()
        let first = try fixture.makeCache("first")
        let second = try fixture.makeCache("second")
        let path = try TestPath("tool", seeds: [1, 2], byteCount: 300_000)
        _ = try fixture.push(path, to: first)
        _ = try fixture.push(path, to: second)
        try setRetention(fixture, first, .period(seconds: 1))
        fixture.advance(.seconds(3))

        let one = try fixture.sweep()
        #expect(one.objects == 1 && one.nars == 0 && one.chunks == 0)
        #expect(try !isThere(fixture, path, in: first))
        #expect(try isThere(fixture, path, in: second))

        try setRetention(fixture, second, .period(seconds: 1))
        fixture.advance(.seconds(3))
        let two = try fixture.sweep()
        #expect(two.objects == 1 && two.nars == 1 && two.chunks > 3 && two.packs == 1)
        #expect(try fixture.store.packNames().isEmpty)
        if fixture.store.packKind == .file { #expect(try Directory.names(fixture.directory.path + "/storage/packs").isEmpty) }
        #expect(two.freedBytes > 500_000)

        // The next push begins anew.
        _ = try fixture.push(path, to: first)
        #expect(try isThere(fixture, path, in: first))
    }

    @Test("what lay in an empty pack whose file could not be removed is given back, where the pack is appended to again")
    func forgottenPack() throws {
        let fixture = try Fixture()
        guard fixture.store.packKind == .file else { return }
        let cache = try fixture.makeCache("hello")
        _ = try fixture.push(try TestPath("old", seeds: [1, 2], byteCount: 300_000), to: cache)
        let name = try #require(try fixture.store.packNames().first)
        let before = try #require(try fixture.store.packByteCount(name))
        try setRetention(fixture, cache, .period(seconds: 1))
        fixture.advance(.seconds(3))
        // A collection that ends when the rows are gone, and before the file is.
        _ = try fixture.context.catalog.sweepRows(
            time: fixture.context.time, defaultRetentionSeconds: 0, isPaced: false)
        #expect(try fixture.context.catalog.forgetEmptyPack(name.text))
        let new = try TestPath("new", seeds: [3], byteCount: 100_000)
        _ = try fixture.push(new, to: cache)
        #expect(try fixture.store.packNames() == [name])
        #expect(try fixture.sweep().freedBytes == before)
        let path = fixture.store.location(of: name)
        let file = try File.open(path, .read)
        var bytes = [UInt8](repeating: 1, count: Int(before))
        _ = try unsafe bytes.withUnsafeMutableBytes { try unsafe file.readFully(at: 0, into: $0) }
        #expect(bytes.allSatisfy { $0 == 0 })
        #expect(try isThere(fixture, new, in: cache))
    }

    @Test("keeps what is in the closure of a living object of the same cache")
    func closure() throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello")
        let base = try TestPath("base", seeds: [1], byteCount: 100)
        let middle = try TestPath("middle", seeds: [2], byteCount: 100, references: [base])
        let top = try TestPath("top", seeds: [3], byteCount: 100, references: [middle])
        let alone = try TestPath("alone", seeds: [4], byteCount: 100)
        for path in [base, middle, alone] { _ = try fixture.push(path, to: cache) }
        try setRetention(fixture, cache, .period(seconds: 60))
        fixture.advance(.seconds(50))
        _ = try fixture.push(top, to: cache)
        fixture.advance(.seconds(30))
        #expect(try fixture.sweep().objects == 1)
        #expect(try isThere(fixture, base, in: cache) && isThere(fixture, middle, in: cache))
        #expect(try !isThere(fixture, alone, in: cache))
    }

    @Test("a pull, and a question of a pusher, count as use")
    func use() throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello")
        let paths = try (0..<3).map { try TestPath("p\($0)", seeds: [UInt64($0)], byteCount: 100) }
        for path in paths { _ = try fixture.push(path, to: cache) }
        try setRetention(fixture, cache, .period(seconds: 60))
        fixture.advance(.seconds(50))
        let url = try fixture.narInfo(paths[0], in: cache).url
        _ = try fixture.send("GET", "/hello/\(url)", token: fixture.root())
        let question = MissingPathsRequest(cache: cache, storePathHashes: [paths[1].storePath.hash])
        _ = try fixture.send("POST", Endpoint.getMissingPaths, token: fixture.root(), body: question.json())
        fixture.advance(.seconds(30))
        #expect(try fixture.sweep().objects == 1)
        #expect(try isThere(fixture, paths[0], in: cache))
        #expect(try isThere(fixture, paths[1], in: cache))
    }

    @Test("a narinfo counts as use for who may push, and so need not send what it is of; for others it does not", arguments: [true, false])
    func narInfo(isPublic: Bool) throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello", isPublic: isPublic)
        let paths = try (0..<4).map { try TestPath("p\($0)", seeds: [UInt64($0)], byteCount: 100) }
        for path in paths { _ = try fixture.push(path, to: cache) }
        try setRetention(fixture, cache, .period(seconds: 60))
        let pusher = try fixture.token([("hello", [.pull, .push])])
        let reader = try fixture.token([("hello", .pull)])
        func url(_ number: Int) -> String { "/hello/\(paths[number].storePath.hash).narinfo" }
        // From now on loops know them, and the second.
        for token in [pusher, reader] { _ = try fixture.send("GET", "/hello/nix-cache-info", token: token) }
        _ = try fixture.send("GET", url(1), token: reader)
        fixture.advance(.seconds(50))
        #expect(try fixture.send("GET", url(0), token: pusher).status == .ok)
        #expect(try HotTests().atOnce(fixture, url(1), token: pusher)?.status == .ok)
        #expect(try fixture.send("GET", url(2), token: reader).status == .ok)
        fixture.advance(.seconds(30))
        #expect(try fixture.sweep().objects == 2)
        fixture.context.hot.forgetAll()
        for number in 0..<4 { #expect(try isThere(fixture, paths[number], in: cache) == (number < 2), "\(number)") }
    }

    @Test("many narinfos in one answer count as use for who may push, as one does", arguments: [true, false])
    func narInfos(mayPush: Bool) throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello")
        let base = try TestPath("base", seeds: [1], byteCount: 100)
        let top = try TestPath("top", seeds: [2], byteCount: 100, references: [base])
        let asked = try TestPath("asked", seeds: [3], byteCount: 100)
        let alone = try TestPath("alone", seeds: [4], byteCount: 100)
        for path in [base, top, asked, alone] { _ = try fixture.push(path, to: cache) }
        try setRetention(fixture, cache, .period(seconds: 60))
        let token = try fixture.token([("hello", mayPush ? [.pull, .push] : .pull)])
        fixture.advance(.seconds(50))
        let closure = try fixture.send("GET", "/hello/\(top.storePath.hash).closure.narinfo", token: token)
        #expect(closure.status == .ok)
        let hashes = Array("\(asked.storePath.hash)\n".utf8)
        let bulk = try fixture.send("POST", "/hello/get-narinfos-v1", token: token, body: hashes)
        #expect(bulk.status == .ok)
        fixture.advance(.seconds(30))
        #expect(try fixture.sweep().objects == (mayPush ? 1 : 4))
        for path in [base, top, asked] { #expect(try isThere(fixture, path, in: cache) == mayPush) }
        #expect(try !isThere(fixture, alone, in: cache))
    }

    @Test("what a visitor may push to and not pull from is not used by being asked for")
    func refusedNarInfo() throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello")
        let path = try TestPath("p", seeds: [1], byteCount: 100)
        _ = try fixture.push(path, to: cache)
        try setRetention(fixture, cache, .period(seconds: 60))
        let (reader, writer) = (try fixture.token([("hello", .pull)]), try fixture.token([("hello", .push)]))
        let url = "/hello/\(path.storePath.hash).narinfo"
        // From now on loops know it, and who asks.
        _ = try fixture.send("GET", url, token: reader)
        #expect(try fixture.send("GET", url, token: writer).status == .forbidden)
        fixture.advance(.seconds(50))
        #expect(try HotTests().atOnce(fixture, url, token: writer) == nil)
        #expect(try fixture.send("GET", url, token: writer).status == .forbidden)
        fixture.advance(.seconds(30))
        #expect(try fixture.sweep().objects == 1)
    }

    @Test("a pull counts for every path of the cache that has the NAR, and for none of another")
    func sharedNar() throws {
        let fixture = try Fixture()
        let caches = [try fixture.makeCache("first"), try fixture.makeCache("second")]
        let one = try TestPath("one", seeds: [1], byteCount: 100)
        let two = TestPath(storePath: try TestPath("two", seeds: [2], byteCount: 8).storePath, nar: one.nar)
        for cache in caches {
            for path in [one, two] { _ = try fixture.push(path, to: cache) }
            try setRetention(fixture, cache, .period(seconds: 60))
        }
        fixture.advance(.seconds(50))
        let url = try fixture.narInfo(two, in: caches[0]).url
        _ = try fixture.send("GET", "/first/\(url)", token: fixture.root())
        fixture.advance(.seconds(30))
        #expect(try fixture.sweep().objects == 2)
        for path in [one, two] {
            #expect(try isThere(fixture, path, in: caches[0]))
            #expect(try !isThere(fixture, path, in: caches[1]))
        }
    }

    @Test("a path whose upload took longer than its cache keeps things is as new as the end of its upload")
    func longUpload() throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello")
        try setRetention(fixture, cache, .period(seconds: 60))
        let path = try TestPath("tool", seeds: [1], byteCount: 100)
        let info = UploadPathNarInfo(
            cache: cache, storePathHash: path.storePath.hash, storePath: path.storePath.absolute(), references: [],
            narHash: SHA256.digest(of: path.nar), narSize: Int64(path.nar.count)
        ).json()
        let head = try RequestHead(parsing: """
            PUT \(Endpoint.uploadPath) HTTP/1.1\r
            Host: cache.test\r
            Authorization: Bearer \(fixture.root())\r
            \(Endpoint.narInfoHeader): \(String(decoding: info, as: UTF8.self))\r
            Content-Length: \(path.nar.count)\r
            \r

            """)
        let pipe = BytePipe<RequestBodyError>(capacity: path.nar.count, onRoom: {})
        #expect(unsafe path.nar.withUnsafeBytes { unsafe pipe.write($0) } == path.nar.count)
        pipe.finish(.complete)
        let clock = fixture.clock
        let body = RequestBody(declaredByteCount: Int64(path.nar.count), pipe: pipe) { clock.update { $0 = $0 + .seconds(100) } }
        let request = Request(head: head, id: "0123456789abcdef", remoteAddress: "192.0.2.1", body: body)
        #expect(fixture.application.respond(to: request).status == .ok)
        fixture.advance(.seconds(50))
        #expect(try fixture.sweep().objects == 0)
        #expect(try isThere(fixture, path, in: cache))
    }

    @Test("without a retention period nothing goes; with the server's default, caches without their own follow it")
    func global() throws {
        let fixture = try Fixture()
        let plain = try fixture.makeCache("plain")
        let own = try fixture.makeCache("own")
        let path = try TestPath("tool", seeds: [1], byteCount: 100)
        for cache in [plain, own] { _ = try fixture.push(path, to: cache) }
        try setRetention(fixture, own, .period(seconds: 0))
        fixture.advance(.seconds(1_000_000))
        #expect(try fixture.sweep().objects == 0)
        #expect(try fixture.sweep(defaultRetentionSeconds: 60).objects == 1)
        #expect(try isThere(fixture, path, in: own))
    }

    @Test("frees the dead part of a pack that lives on, and the living part stays whole", .packsAreFiles)
    func holes() throws {
        let fixture = try Fixture()
        let dying = try fixture.makeCache("dying")
        let living = try fixture.makeCache("living")
        let gone = try TestPath("gone", seeds: [1], byteCount: 900_000)
        let kept = try TestPath("kept", seeds: [2], byteCount: 900_000)
        _ = try fixture.push(gone, to: dying)
        _ = try fixture.push(kept, to: living)
        try setRetention(fixture, dying, .period(seconds: 1))
        fixture.advance(.seconds(3))
        let report = try fixture.sweep()
        #expect(report.packs == 0 && report.freedBytes > 800_000)
        let pack = try #require(fixture.store.packNames().first)
        #expect(try fixture.allocatedByteCount(pack) < 1_100_000)
        let info = try fixture.narInfo(kept, in: living)
        let nar = try fixture.send("GET", "/living/\(info.url)", token: fixture.root())
        #expect(nar.bytes.count == Int(info.fileSize ?? 0))
        #expect(try UploadTests().plain(nar.bytes) == kept.nar)
    }

    @Test("is not stopped by packs that are missing, and does not count them as failures")
    func missing() throws {
        let fixture = try Fixture(packs: 100_000)
        let cache = try fixture.makeCache("hello")
        _ = try fixture.push(TestPath("tool", seeds: [1, 2], byteCount: 300_000), to: cache)
        for pack in try fixture.store.packNames().prefix(2) { _ = try fixture.store.removePack(pack) { true } }
        try setRetention(fixture, cache, .period(seconds: 1))
        fixture.advance(.seconds(3))
        let report = try fixture.sweep()
        #expect(report.failures == 0)
        #expect(try fixture.store.packNames().isEmpty)
    }

    @Test("destroying a cache frees what only it had")
    func destroyed() throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello")
        _ = try fixture.push(TestPath("tool", seeds: [1], byteCount: 100_000), to: cache)
        #expect(try fixture.send("DELETE", Endpoint.cacheConfig(cache), token: fixture.root()).status == .ok)
        #expect(try fixture.send("GET", "/hello/nix-cache-info", token: fixture.root()).status == .notFound)
        try fixture.sweep()
        #expect(try fixture.store.packNames().isEmpty)
        try fixture.makeCache("hello")
    }

    @Test("removes packs that no row names, but none that an upload is writing")
    func unnamed() throws {
        let fixture = try Fixture()
        let writer = try fixture.store.borrowPack()
        _ = try unsafe [UInt8](repeating: 7, count: 1000).withUnsafeBytes { try unsafe writer.append($0) }
        try writer.makeDurable()
        try fixture.sweep()
        #expect(try fixture.store.packNames().count == 1)
        writer.giveBack()
        // A file shows that nobody has it; of an object its time has to run out.
        if fixture.store.packKind == .object {
            fixture.advance(CatalogPackJournal.lease - .milliseconds(1))
            try fixture.sweep()
            #expect(try fixture.store.packNames().count == 1)
            fixture.advance(.milliseconds(1))
        }
        try fixture.sweep()
        #expect(try fixture.store.packNames().isEmpty)
    }
}

@Suite("One collection at a time")
struct CollectionLockTests {
    @Test("a second one does not begin until the first has ended")
    func second() throws {
        let fixture = try Fixture()
        var first = try fixture.context.catalog.beginCollection(waitingAtMost: .zero).lock
        #expect(first?.isHeld == true)
        // Another process has the database open for itself.
        let other = try Catalog(fixture.context.configuration.database, readers: 1, log: fixture.context.log)
        let turn = try other.beginCollection(waitingAtMost: .zero)
        #expect(turn.lock == nil)
        #expect(turn.holder.contains(ThisProcess.name))
        // What another work is, it may be done meanwhile.
        #expect(try other.take(.collector, waitingAtMost: .zero).lock != nil)
        first = nil
        // A server needs a moment to see that a connection was closed.
        #expect(try other.beginCollection(waitingAtMost: .seconds(5)).lock != nil)
    }

    @Test("a second collector is turned away, and told who the first is")
    func collectors() throws {
        let fixture = try Fixture()
        let other = try Catalog(fixture.context.configuration.database, readers: 1, log: fixture.context.log)
        var first: ExclusiveLock? = try CollectorRight.take(fixture.context.catalog)
        #expect(first?.isHeld == true)
        let error = #expect(throws: RunnerError.self) { try CollectorRight.take(other) }
        #expect(error?.description.contains("a garbage collector is running already (") == true)
        #expect(error?.description.contains(ThisProcess.name) == true)
        first = nil
        #expect(try CollectorRight.take(other).isHeld)
    }

    @Test("a server that starts ends the uploads of the one that was killed", .packsAreFiles)
    func leases() throws {
        let fixture = try Fixture()
        let later = WallTime.now + .seconds(3600)
        _ = try fixture.context.catalog.write { session throws(DatabaseError) in try session.beginUpload(expiresAt: later) }
        try fixture.recover()
        let left = try fixture.context.catalog.write { session throws(DatabaseError) in
            try session.expireUploads(at: WallTime(milliseconds: .max), limit: 10).deletedCount
        }
        #expect(left == 0)
    }
}
