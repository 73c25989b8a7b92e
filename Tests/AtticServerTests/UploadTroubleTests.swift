import AtticAPI
import Compression
import Crypto
import HTTP
import HTTPServer
import Nix
import Platform
import SQL
import Storage
import Testing

@testable import AtticServer
@testable import Database

@Suite("Pushing where something is wrong")
struct UploadTroubleTests {
    @Test("a path whose bytes were found to be lost counts as missing, and the next push brings it back")
    func lost() throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello")
        let path = try TestPath("tool", seeds: [1, 2], byteCount: 100_000)
        _ = try fixture.push(path, to: cache)
        for pack in try fixture.store.packNames() { _ = try fixture.store.removePack(pack) { true } }
        let url = "/hello/\(try fixture.narInfo(path, in: cache).url)"
        #expect(try fixture.send("GET", url, token: fixture.root()).status == .serviceUnavailable)
        let question = MissingPathsRequest(cache: cache, storePathHashes: [path.storePath.hash]).json()
        let response = try fixture.send("POST", Endpoint.getMissingPaths, token: fixture.root(), body: question)
        #expect(try MissingPathsResponse(json: response.bytes).missingPaths == [path.storePath.hash])
        #expect(try fixture.push(path, to: cache).status == .ok)
        #expect(try UploadTests().plain(fixture.send("GET", url, token: fixture.root()).bytes) == path.nar)
    }

    @Test("an upload whose lease has ended is told to come again, and not that the server is broken")
    func lapsed() throws {
        let fixture = try Fixture()
        let path = try TestPath("tool", seeds: [1], byteCount: 5000)
        _ = try fixture.push(path, to: fixture.makeCache("hello"))
        let hash = SHA256.digest(of: path.nar)
        let lease = UploadLease(catalog: fixture.context.catalog, time: fixture.context.time)
        #expect(try lease.holdNar(hash) != nil)
        fixture.advance(.seconds(Bounds.leaseSeconds + 1))
        try fixture.sweep()
        #expect(throws: Problem.busy(retryAfterSeconds: 1)) { try lease.holdNar(hash) }
    }

    @Test("a push that has a chunk again whose place was given back meanwhile is to come again, and stores no wrong hash", .packsAreFiles)
    func repeatedChunkMoved() throws {
        let fixture = try Fixture()
        let path = try TestPath("tool", seeds: [1], byteCount: 5000)
        _ = try fixture.push(path, to: fixture.makeCache("hello"))
        let found = try fixture.context.catalog.read { session throws(DatabaseError) -> ChunkRecord? in
            guard let nar = try session.findNar(SHA256.digest(of: path.nar)) else { return nil }
            return try session.chunks(ofNar: nar.id).first
        }
        let chunk = try #require(found)
        let extent = try #require(Extent(chunk.place))
        let stored = try fixture.store.read(extent)
        let files = try StoredFiles(fixture.store, fixture.context.press)
        defer { files.abandon() }
        func bring(_ frame: ChunkBatch.Frame, number: Int) throws {
            try files.admit()
            let pressed = ChunkBatch.Pressed(hash: chunk.hash, byteCount: chunk.byteCount, frame: frame)
            files.bring(.success(StoredFiles.Batch(pressed: [pressed], nars: [0])), number: number)
        }
        try bring(.known(chunk, stored: stored, checksum: FrameChecksum.of(stored)), number: 0)
        try fixture.store.punch([extent])
        try bring(.repeated, number: 1)
        #expect(throws: Problem.busy(retryAfterSeconds: 1)) { try files.finish(narCount: 1) }
    }

    @Test("a push heals a NAR also where its chunks are compressed to another size now")
    func healedAtAnotherLevel() throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello")
        var path = try TestPath("tool", seeds: [1], byteCount: 8)
        var writer = NarWriter()
        writer.file((0..<300_000).map { UInt8(truncatingIfNeeded: ($0 * $0) >> 7) })
        path = TestPath(storePath: path.storePath, nar: writer.take())
        _ = try fixture.push(path, to: cache)
        for pack in try fixture.store.packNames() { _ = try fixture.store.removePack(pack) { true } }
        let other = Press(threadCount: 1, kind: .zstd, level: 19)
        defer { other.close() }
        let context = Context(
            configuration: fixture.context.configuration, catalog: fixture.context.catalog, store: fixture.store,
            access: Access(key: fixture.context.configuration.tokenKey, rules: fixture.context.configuration.tokenRules),
            accessTimes: AccessTimes(), press: other, time: fixture.context.time, log: fixture.context.log)
        let info = UploadPathNarInfo(
            cache: cache, storePathHash: path.storePath.hash, storePath: path.storePath.absolute(), references: [],
            narHash: SHA256.digest(of: path.nar), narSize: Int64(path.nar.count))
        let head = try RequestHead(parsing: """
            PUT \(Endpoint.uploadPath) HTTP/1.1\r\nHost: cache.test\r\nAuthorization: Bearer \(fixture.root())\r
            \(Endpoint.narInfoHeader): \(String(decoding: info.json(), as: UTF8.self))\r
            Content-Length: \(path.nar.count)\r\n\r\n
            """)
        let answer = Application(context).respond(
            to: Request(head: head, id: "0", remoteAddress: "192.0.2.1", body: RequestBody(path.nar)))
        #expect(answer.status == .ok)
        let url = "/hello/\(try fixture.narInfo(path, in: cache).url)"
        let nar = try fixture.send("GET", url, token: fixture.root())
        #expect(nar.status == .ok)
        #expect(try UploadTests().plain(nar.bytes) == path.nar)
    }

    @Test("whatever a push may say of a path can be said in its narinfo", arguments: [
        ("", 200), ("fixed:r:sha256:abc", 200), ("fixed r", 400), ("text:\u{7f}", 400), ("a\nSig: b:c", 400),
    ])
    func contentAddress(_ ca: String, _ status: Int) throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello")
        let path = try TestPath("tool", seeds: [1], byteCount: 64)
        let info = UploadPathNarInfo(
            cache: cache, storePathHash: path.storePath.hash, storePath: path.storePath.absolute(), references: [], ca: ca,
            narHash: SHA256.digest(of: path.nar), narSize: Int64(path.nar.count)).json()
        let answer = try fixture.send(
            "PUT", Endpoint.uploadPath, token: fixture.root(),
            headers: [(Endpoint.narInfoPreambleSizeHeader, String(info.count))], body: info + path.nar)
        #expect(Int(answer.status.code) == status)
        if status == 200 { #expect(try fixture.narInfo(path, in: cache).ca == (ca.isEmpty ? nil : ca)) }
    }

    @Test("a cache that moves to another store directory has nothing of the old one")
    func movedStoreDirectory() throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello")
        let path = try TestPath("tool", seeds: [1], byteCount: 64)
        _ = try fixture.push(path, to: cache)
        func move(_ directory: String) throws -> Status {
            try fixture.send(
                "PATCH", "/_api/v1/cache-config/hello", token: fixture.root(), body: CacheConfig(storeDirectory: directory).json()
            ).status
        }
        #expect(try move("/with space") == .badRequest)
        #expect(try move("/gnu/store") == .ok)
        #expect(try fixture.send("GET", "/hello/\(path.storePath.hash).narinfo", token: fixture.root()).status == .notFound)
        #expect(try move("/nix/store") == .ok)
        #expect(try fixture.narInfo(path, in: cache).storePath == path.storePath)
    }

    @Test("a commit that the database surely refused leaves no bytes in a pack", .databaseIsAFile)
    func refusedCommit() throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello")
        _ = try fixture.push(TestPath("kept", seeds: [1], byteCount: 5000), to: cache)
        let before = try fixture.packBytes()
        // No room in the database for one page more (SQLite takes the present size where that is above the limit).
        _ = try fixture.context.catalog.write { session throws(DatabaseError) in
            try session.trying("limit the size") { connection throws(SQLError) in
                try connection.first("PRAGMA max_page_count = 1") { row throws(SQLError) in try row.integer(0) }
            }
        }
        for seed in 2..<6 {
            var path = try TestPath("p\(seed)", seeds: [UInt64(seed)], byteCount: 9000)
            path.references = try (0..<400).map { try TestPath("r\($0)", seeds: [UInt64($0)], byteCount: 8).storePath }
            #expect(try fixture.push(path, to: cache, preamble: true).status == .insufficientStorage)
        }
        #expect(try fixture.packBytes() == before)
    }
}
