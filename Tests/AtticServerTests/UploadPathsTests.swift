import AtticAPI
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

@Suite("Several paths in one request")
struct UploadPathsTests {
    private func info(
        _ path: TestPath, _ cache: CacheName, narHash: SHA256Digest? = nil, narSize: Int? = nil, storePath: String? = nil,
        signatures: [String]? = nil
    ) -> UploadPathNarInfo {
        UploadPathNarInfo(
            cache: cache, storePathHash: path.storePath.hash, storePath: storePath ?? path.storePath.absolute(),
            references: path.references, signatures: signatures ?? path.signatures,
            narHash: narHash ?? SHA256.digest(of: path.nar), narSize: Int64(narSize ?? path.nar.count))
    }

    private func frame(_ path: TestPath, _ cache: CacheName) -> [UInt8] { info(path, cache).announcement() + path.nar }

    private func send(_ body: [UInt8], to fixture: Fixture, token: String? = nil) throws -> Response {
        try fixture.send("PUT", Endpoint.uploadPaths, token: token ?? fixture.root(), body: body)
    }

    private func isThere(_ path: TestPath, in cache: CacheName, of fixture: Fixture) throws -> Bool {
        try fixture.send("GET", "/\(cache)/\(path.storePath.hash).narinfo", token: fixture.root()).status == .ok
    }

    @Test("All are there afterwards, each as if it had come alone")
    func all() throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello")
        let known = try TestPath("known", seeds: [50], byteCount: 3000)
        _ = try fixture.push(known, to: cache)
        // Small ones that share a batch of the press, one that fills several, and one whose NAR is here.
        var paths = try (0..<40).map { try TestPath("p\($0)", seeds: [UInt64($0)], byteCount: 64 + 100 * $0) }
        paths.append(try TestPath("large", seeds: [60, 61, 62], byteCount: 900_000, references: [paths[3]]))
        let again = TestPath(storePath: try TestPath("again", seeds: [51], byteCount: 8).storePath, nar: known.nar)
        paths.append(again)
        paths.append(try TestPath("last", seeds: [60], byteCount: 900_000, references: [again]))
        // What a loop answered before must not be answered any more.
        #expect(try !isThere(paths[0], in: cache, of: fixture))
        let answer = try send(paths.flatMap { frame($0, cache) }, to: fixture)
        try #require(answer.status == .ok, "\(answer.text)")
        let results = try UploadPathsResult(json: answer.bytes).results
        #expect(results.map(\.storePathHash) == paths.map(\.storePath.hash))
        #expect(results.filter { $0.result.kind == .deduplicated }.map(\.storePathHash) == [again.storePath.hash])
        let last = try #require(results.last?.result.fracDeduplicated)
        #expect(last > 0.8 && last < 1)
        for (path, result) in zip(paths, results) {
            let info = try fixture.narInfo(path, in: cache)
            #expect(info.narHash == SHA256.digest(of: path.nar) && info.fileSize == result.result.fileSize)
            #expect(info.references == path.references.map(\.baseName))
            let nar = try fixture.send("GET", "/hello/\(info.url)", token: fixture.root())
            #expect(SHA256.digest(of: nar.bytes) == info.fileHash)
            #expect(try UploadTests().plain(nar.bytes) == path.nar)
        }
        #expect(try fixture.store.packNames().count == fixture.packCount(ofFiles: 1, ofObjects: 2), "one upload, one pack")
    }

    @Test("Two paths with one NAR: its bytes are stored once, and asked for twice")
    func sameNar() throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello")
        let one = try TestPath("one", seeds: [1], byteCount: 5000)
        let two = TestPath(storePath: try TestPath("two", seeds: [2], byteCount: 8).storePath, nar: one.nar)
        let answer = try send(frame(one, cache) + frame(two, cache), to: fixture)
        #expect(try UploadPathsResult(json: answer.bytes).results.map(\.result.kind) == [.uploaded, .deduplicated])
        #expect(try fixture.narInfo(one, in: cache).url == fixture.narInfo(two, in: cache).url)
        #expect(try fixture.packBytes() < 6000)
        // The second time around both are known, and have to be right all the same.
        var wrong = two.nar
        wrong[100] ^= 1
        let refused = try send(frame(one, cache) + info(two, cache).announcement() + wrong, to: fixture)
        #expect(refused.status == .badRequest && refused.text.contains(two.storePath.absolute()))
        let known = try send(frame(one, cache) + frame(two, cache), to: fixture)
        #expect(try UploadPathsResult(json: known.bytes).results.map(\.result.kind) == [.deduplicated, .deduplicated])
        #expect(try fixture.packBytes() < 6000)
    }

    /// What may be wrong with one of the paths, and the words that say so.
    enum Fault: CaseIterable {
        case hash, size, knownSize, noBytes, otherCache, storeDirectory, signatures, description, noDescription, cut, cutInDescription

        var words: String {
            switch self {
            case .hash: "nar_hash says"
            // The next path begins within this one's NAR.
            case .size: "bytes after its end"
            case .knownSize: "but nar_hash says"
            case .noBytes: #"\"nar_size\" must be above 0"#
            case .otherCache: "one request is for one cache"
            case .storeDirectory: #"\"store_path\":"#
            case .signatures: #"\"sigs\" has more than"#
            case .description: "path 2 of the request: the body is not JSON"
            case .noDescription: "path 2 of the request: a description has no bytes"
            case .cut: "the body ended in the middle of path 2"
            case .cutInDescription: "the body ended in the middle of path 2"
            }
        }

        /// Whether the path itself is named, not only its place.
        var namesPath: Bool {
            switch self {
            case .description, .noDescription, .cut, .cutInDescription: false
            case .hash, .size, .knownSize, .noBytes, .otherCache, .storeDirectory, .signatures: true
            }
        }
    }

    @Test("One that is wrong refuses all, is named, and nothing is stored", arguments: Fault.allCases)
    func oneWrong(_ fault: Fault) throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello")
        let known = try TestPath("known", seeds: [9], byteCount: 700)
        _ = try fixture.push(known, to: cache)
        let before = try fixture.packBytes()
        let first = try TestPath("first", seeds: [1], byteCount: 100_000)
        let bad = try TestPath("bad", seeds: [2], byteCount: 100_000)
        let good = try TestPath("good", seeds: [3], byteCount: 100_000)
        let other = try #require(CacheName("other"))
        let frame: [UInt8] =
            switch fault {
            case .hash: info(bad, cache, narHash: SHA256.digest(of: [1])).announcement() + bad.nar
            case .size: info(bad, cache, narSize: bad.nar.count + 1).announcement() + bad.nar
            case .knownSize: info(bad, cache, narHash: SHA256.digest(of: known.nar)).announcement() + bad.nar
            case .noBytes: info(bad, cache, narSize: 0).announcement() + bad.nar
            case .otherCache: info(bad, other).announcement() + bad.nar
            case .storeDirectory:
                info(bad, cache, storePath: "/gnu/store/\(bad.storePath.baseName)").announcement() + bad.nar
            case .signatures:
                info(bad, cache, signatures: Array(repeating: "k:s", count: Bounds.signaturesMax + 1)).announcement() + bad.nar
            case .description: [2, 0, 0, 0, 0, 0, 0, 0] + Array("[}".utf8)
            case .noDescription: [0, 0, 0, 0, 0, 0, 0, 0]
            case .cut: info(bad, cache).announcement() + bad.nar.dropLast()
            case .cutInDescription: Array(info(bad, cache).announcement().dropLast())
            }
        let isCut = fault == .cut || fault == .cutInDescription
        let body = self.frame(first, cache) + frame + (isCut ? [] : self.frame(good, cache))
        let answer = try send(body, to: fixture)
        #expect(answer.status == .badRequest)
        #expect(answer.text.contains(fault.words), "\(answer.text)")
        #expect(answer.text.contains(bad.storePath.baseName) == fault.namesPath, "\(answer.text)")
        for path in [first, bad, good] { #expect(try !isThere(path, in: cache, of: fixture)) }
        #expect(try fixture.packBytes() == before)
        // The same without the bad one goes.
        #expect(try send(self.frame(first, cache) + self.frame(good, cache), to: fixture).status == .ok)
    }

    @Test("What one request may have is said in the cache's configuration, and held to")
    func limits() throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello")
        let config = try CacheConfig(json: fixture.send("GET", "/hello/attic-cache-info", token: fixture.root()).bytes)
        #expect(config.uploadPaths == UploadPathsLimits(pathsMax: 1024, narBytesMax: 16 << 20, infoBytesMax: 4 << 20))
        #expect(try send([], to: fixture).text.contains("the body has no path"))

        let path = try TestPath("tiny", seeds: [1], byteCount: 8)
        let most = try send((0..<1024).flatMap { _ in frame(path, cache) }, to: fixture)
        #expect(most.status == .ok)
        let more = try send((0..<1025).flatMap { _ in frame(path, cache) }, to: fixture)
        #expect(more.status == .contentTooLarge && more.text.contains("more than 1024 paths"))
        let large = try send(frame(path, cache) + info(path, cache, narHash: SHA256.digest(of: [1]), narSize: 16 << 20).announcement(), to: fixture)
        #expect(large.status == .contentTooLarge && large.text.contains("more than 16777216 bytes of NARs"))
        let described = try send([1, 0, 16, 0, 0, 0, 0, 0], to: fixture)
        #expect(described.status == .contentTooLarge && described.text.contains("max-nar-info-size"))
        var wordy = path
        wordy.signatures = (0..<90).map { "k\($0):" + String(repeating: "s", count: 10_000) }
        let words = try send((0..<5).flatMap { _ in frame(wordy, cache) }, to: fixture)
        #expect(words.status == .contentTooLarge && words.text.contains("more than 4194304 bytes, the most that they may have together"))
    }

    @Test("Who may push one path there may push several, and nobody else")
    func permissions() throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello", isPublic: true)
        let path = try TestPath("tool", seeds: [1], byteCount: 100)
        let body = frame(path, cache)
        #expect(try fixture.send("PUT", Endpoint.uploadPaths, body: body).status == .unauthorized)
        #expect(try send(body, to: fixture, token: fixture.token([("hello", .pull)])).status == .forbidden)
        #expect(try send(body, to: fixture, token: fixture.token([("other", .push)])).status == .forbidden)
        #expect(try send(frame(path, try #require(CacheName("none"))), to: fixture).status == .notFound)
        #expect(try fixture.send("POST", Endpoint.uploadPaths, token: fixture.root(), body: body).status == .methodNotAllowed)
        #expect(try !isThere(path, in: cache, of: fixture))
        #expect(try send(body, to: fixture, token: fixture.token([("hello", .push)])).status == .ok)
    }

    @Test("Where the database has no room for all of them, none is there and no bytes stay", .databaseIsAFile)
    func full() throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello")
        _ = try fixture.push(TestPath("kept", seeds: [1], byteCount: 5000), to: cache)
        let before = try fixture.packBytes()
        func limitPages(_ count: Int) throws {
            _ = try fixture.context.catalog.write { session throws(DatabaseError) in
                try session.trying("limit the size") { connection throws(SQLError) in
                    try connection.first("PRAGMA max_page_count = \(count)") { row throws(SQLError) in try row.integer(0) }
                }
            }
        }
        // SQLite takes the present size where that is above the limit.
        try limitPages(1)
        let references = try (0..<100).map { try TestPath("r\($0)", seeds: [UInt64($0)], byteCount: 8) }
        let paths = try (2..<40).map { try TestPath("p\($0)", seeds: [UInt64($0)], byteCount: 9000, references: references) }
        let body = paths.flatMap { frame($0, cache) }
        #expect(try send(body, to: fixture).status == .insufficientStorage)
        #expect(try fixture.packBytes() == before)
        for path in paths { #expect(try !isThere(path, in: cache, of: fixture)) }
        try limitPages(1 << 30)
        #expect(try send(body, to: fixture).status == .ok)
    }

    @Test("Bytes that were lost come back with it")
    func healed() throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello")
        let paths = try (1...3).map { try TestPath("p\($0)", seeds: [UInt64($0)], byteCount: 9000) }
        let body = paths.flatMap { frame($0, cache) }
        #expect(try send(body, to: fixture).status == .ok)
        for pack in try fixture.store.packNames() { _ = try fixture.store.removePack(pack) { true } }
        let answer = try send(body, to: fixture)
        #expect(try UploadPathsResult(json: answer.bytes).results.map(\.result.kind) == [.uploaded, .uploaded, .uploaded])
        for path in paths {
            let nar = try fixture.send("GET", "/hello/\(fixture.narInfo(path, in: cache).url)", token: fixture.root())
            #expect(try UploadTests().plain(nar.bytes) == path.nar)
        }
    }
}
