import AtticAPI
import Compression
import Crypto
import HTTP
import Nix
import Platform
import Storage
import Testing

@testable import AtticServer

@Suite("Pushing and pulling")
struct UploadTests {
    /// Decompresses a stored file of zstd frames.
    func plain(_ stored: [UInt8]) throws -> [UInt8] {
        try StreamDecoder.decode(stored, .zstd, outputByteCountMax: 64 << 20)
    }

    @Test("what was pushed is pulled byte for byte, signed by the cache, in every size", arguments: [8, 1000, 65_400, 70_000, 900_000])
    func roundTrip(_ byteCount: Int) throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello")
        let base = try TestPath("base", seeds: [7], byteCount: 64)
        #expect(try fixture.push(base, to: cache).status == .ok)
        var path = try TestPath("tool", seeds: [1], byteCount: byteCount, references: [base])
        path.signatures = ["builder-1:c2lnbmF0dXJl"]
        let result = try UploadPathResult(json: fixture.push(path, to: cache, preamble: byteCount > 1000).bytes)
        #expect(result.kind == .uploaded)
        let info = try fixture.narInfo(path, in: cache)
        #expect(info.narHash == SHA256.digest(of: path.nar))
        #expect(info.references == [base.storePath.baseName])
        #expect(info.fileSize == result.fileSize)
        let config = try CacheConfig(json: fixture.send("GET", "/hello/attic-cache-info", token: fixture.root()).bytes)
        let key = try PublicKey(parsing: #require(config.publicKey))
        #expect(key.verifies(signature: info.signatures[0], message: info.fingerprint()))
        #expect(info.signatures.dropFirst() == ["builder-1:c2lnbmF0dXJl"])
        for url in ["/hello/\(info.url)", "/hello/nar/\(path.storePath.hash).nar"] {
            let nar = try fixture.send("GET", url, token: fixture.root())
            #expect(nar.status == .ok)
            #expect(SHA256.digest(of: nar.bytes) == info.fileHash)
            #expect(try plain(nar.bytes) == path.nar)
        }
    }

    @Test("ranges and conditions on a NAR")
    func ranges() throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello")
        let path = try TestPath("tool", seeds: [1, 2, 1], byteCount: 200_000)
        _ = try fixture.push(path, to: cache)
        let url = "/hello/\(try fixture.narInfo(path, in: cache).url)"
        let whole = try fixture.send("GET", url, token: fixture.root())
        let size = whole.bytes.count
        for (from, to) in [(0, 0), (0, size - 1), (100_000, 300_000), (size - 1, size - 1)] {
            let part = try fixture.send("GET", url, token: fixture.root(), headers: [("Range", "bytes=\(from)-\(to)")])
            #expect(part.status == .partialContent)
            #expect(part.header("Content-Range") == "bytes \(from)-\(to)/\(size)")
            #expect(part.bytes == Array(whole.bytes[from...to]))
        }
        #expect(try fixture.send("GET", url, token: fixture.root(), headers: [("Range", "bytes=\(size)-")]).status == .rangeNotSatisfiable)
        let tag = try #require(whole.header("ETag"))
        #expect(try fixture.send("GET", url, token: fixture.root(), headers: [("If-None-Match", tag)]).status == .notModified)
        let changed = try fixture.send("GET", url, token: fixture.root(), headers: [("Range", "bytes=0-9"), ("If-Range", "\"other\"")])
        #expect(changed.status == .ok)
    }

    @Test("a NAR that is not what was announced is refused, and leaves nothing behind")
    func refused() throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello")
        let path = try TestPath("tool", seeds: [1], byteCount: 300_000)
        let count = Int64(path.nar.count)
        let wrongHash = try fixture.push(path, to: cache, narHash: SHA256.digest(of: [1]))
        #expect(wrongHash.status == .badRequest)
        #expect(wrongHash.text.contains("nar_hash says"))
        let tooLong = try fixture.push(path, to: cache, narSize: count - 1)
        #expect(tooLong.text.contains("goes on after"))
        let tooShort = try fixture.push(path, to: cache, narSize: count + 1)
        #expect(tooShort.text.contains("the NAR has \(count) bytes"))
        #expect(try fixture.send("GET", "/hello/\(path.storePath.hash).narinfo", token: fixture.root()).status == .notFound)
        #expect(try fixture.packBytes() == 0)
        try fixture.sweep()
        #expect(try fixture.store.packNames().isEmpty)
    }

    @Test("chunks are stored once, in one NAR and across caches")
    func deduplicated() throws {
        let fixture = try Fixture()
        let first = try fixture.makeCache("first")
        let second = try fixture.makeCache("second")
        let one = try TestPath("one", seeds: [1, 2, 3], byteCount: 400_000)
        _ = try fixture.push(one, to: first)
        let before = try fixture.packBytes()
        // The same stretches around a new one, twice: only what surrounds the seams and the new stretch is stored.
        let two = try TestPath("two", seeds: [1, 9, 2, 3, 9], byteCount: 400_000)
        let result = try UploadPathResult(json: fixture.push(two, to: second).bytes)
        let fraction = try #require(result.fracDeduplicated)
        #expect(fraction > 0.6 && fraction < 0.85)
        let grown = try fixture.packBytes() - before
        #expect(grown > 400_000 && grown < 1_000_000)
        let info = try fixture.narInfo(two, in: second)
        let nar = try fixture.send("GET", "/second/\(info.url)", token: fixture.root())
        #expect(SHA256.digest(of: nar.bytes) == info.fileHash)
        #expect(try plain(nar.bytes) == two.nar)
    }

    @Test("a whole NAR that is here is not asked for, where the token could pull it anyway")
    func possession() throws {
        let fixture = try Fixture()
        let first = try fixture.makeCache("first")
        let second = try fixture.makeCache("second")
        let path = try TestPath("tool", seeds: [1], byteCount: 200_000)
        _ = try fixture.push(path, to: first)
        // No byte of the NAR comes with this one.
        var empty = path
        empty = TestPath(storePath: path.storePath, nar: [])
        let hash = SHA256.digest(of: path.nar)
        let known = try fixture.push(empty, to: second, narHash: hash, narSize: Int64(path.nar.count))
        #expect(try UploadPathResult(json: known.bytes).kind == .deduplicated)
        #expect(try fixture.narInfo(path, in: second).narHash == hash)

        // Who cannot pull it from anywhere has to show the bytes.
        let third = try fixture.makeCache("third")
        let stranger = try fixture.token([("third", [.pull, .push])])
        let claimed = try fixture.push(empty, to: third, token: stranger, narHash: hash, narSize: Int64(path.nar.count))
        #expect(claimed.status == .badRequest)
        #expect(try fixture.send("GET", "/third/\(path.storePath.hash).narinfo", token: stranger).status == .notFound)
        let shown = try fixture.push(path, to: third, token: stranger)
        // And is not told that they were here.
        let result = try UploadPathResult(json: shown.bytes)
        #expect(result.kind == .uploaded && result.fracDeduplicated == nil)
    }

    @Test("a NAR is reached only through a cache that has it")
    func restrictedView() throws {
        let fixture = try Fixture()
        let first = try fixture.makeCache("first")
        try fixture.makeCache("second")
        let path = try TestPath("tool", seeds: [1], byteCount: 2000)
        _ = try fixture.push(path, to: first)
        let url = try fixture.narInfo(path, in: first).url
        #expect(try fixture.send("GET", "/second/\(url)", token: fixture.root()).status == .notFound)
    }

    @Test("a pack that is gone or cut is a 503 before any byte, and the same push heals it")
    func healed() throws {
        let fixture = try Fixture(packs: 300_000)
        let cache = try fixture.makeCache("hello")
        let path = try TestPath("tool", seeds: [1, 2, 3], byteCount: 300_000)
        _ = try fixture.push(path, to: cache)
        let url = "/hello/\(try fixture.narInfo(path, in: cache).url)"
        let packs = try fixture.store.packNames()
        try #require(packs.count > 1)
        try fixture.cut(packs[0], to: 1000)
        let damaged = try fixture.send("GET", url, token: fixture.root())
        #expect(damaged.status == .serviceUnavailable)
        #expect(damaged.text.contains("IncompleteNar"))
        #expect(try fixture.push(path, to: cache).status == .ok)
        let nar = try fixture.send("GET", url, token: fixture.root())
        #expect(try plain(nar.bytes) == path.nar)
    }

    @Test("the NAR's information must be there, well formed, and fit the cache")
    func information() throws {
        let fixture = try Fixture()
        try fixture.makeCache("hello")
        func answer(_ headers: [(String, String)], _ body: [UInt8] = [1]) throws -> String {
            let response = try fixture.send("PUT", Endpoint.uploadPath, token: fixture.root(), headers: headers, body: body)
            #expect(response.status.code == 400 || response.status.code == 413)
            return response.text
        }
        #expect(try answer([]).contains("information is missing"))
        #expect(try answer([(Endpoint.narInfoHeader, "{}")]).contains("is missing"))
        #expect(try answer([(Endpoint.narInfoHeader, "no json")]).contains("JSON"))
        #expect(try answer([(Endpoint.narInfoPreambleSizeHeader, "many")]).contains("number of bytes"))
        #expect(try answer([(Endpoint.narInfoPreambleSizeHeader, "2000000")]).contains("max-nar-info-size"))
        #expect(try answer([(Endpoint.narInfoPreambleSizeHeader, "100")], Array("{}".utf8)).contains("ended after 2"))
        let elsewhere = #"{"cache":"hello","store_path_hash":"\#(String(repeating: "0", count: 32))","store_path":"/gnu/store/\#(String(repeating: "0", count: 32))-x","references":[],"sigs":[],"nar_hash":"sha256:\#(String(repeating: "0", count: 64))","nar_size":8}"#
        #expect(try answer([(Endpoint.narInfoHeader, elsewhere)]).contains("store_path"))
    }

    @Test("where a request has both forms of the NAR's information, the one before the NAR counts")
    func bothForms() throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello")
        let path = try TestPath("tool", seeds: [1], byteCount: 1000)
        func info(_ path: TestPath) -> [UInt8] {
            UploadPathNarInfo(
                cache: cache, storePathHash: path.storePath.hash, storePath: path.storePath.absolute(), references: [], signatures: [],
                narHash: SHA256.digest(of: path.nar), narSize: Int64(path.nar.count)
            ).json()
        }
        for header in [info(path), info(try TestPath("other", seeds: [2], byteCount: 1000)), Array("no json".utf8)] {
            let response = try fixture.send(
                "PUT", Endpoint.uploadPath, token: fixture.root(),
                headers: [
                    (Endpoint.narInfoHeader, String(decoding: header, as: UTF8.self)),
                    (Endpoint.narInfoPreambleSizeHeader, String(info(path).count)),
                ], body: info(path) + path.nar)
            #expect(response.status == .ok)
        }
        #expect(try fixture.narInfo(path, in: cache).narHash == SHA256.digest(of: path.nar))
    }

    @Test("a missing path that is named twice is told once")
    func missingTwice() throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello")
        let (here, first, second) = (
            try TestPath("here", seeds: [1], byteCount: 100), try TestPath("first", seeds: [2], byteCount: 100),
            try TestPath("second", seeds: [3], byteCount: 100)
        )
        #expect(try fixture.push(here, to: cache).status == .ok)
        let asked = [second, here, first, second, here, first].map(\.storePath.hash)
        let response = try fixture.send(
            "POST", Endpoint.getMissingPaths, token: fixture.root(),
            body: MissingPathsRequest(cache: cache, storePathHashes: asked).json())
        #expect(try MissingPathsResponse(json: response.bytes).missingPaths == [second, first].map(\.storePath.hash))
    }

    @Test("which paths are missing, in the order of the question, however many")
    func missing() throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello")
        let here = try TestPath("here", seeds: [1], byteCount: 100)
        _ = try fixture.push(here, to: cache)
        let other = try (0..<500).map { try TestPath("p\($0)", seeds: [UInt64($0)], byteCount: 8).storePath.hash }
        let request = MissingPathsRequest(cache: cache, storePathHashes: other + [here.storePath.hash])
        let response = try fixture.send("POST", Endpoint.getMissingPaths, token: fixture.root(), body: request.json())
        #expect(try MissingPathsResponse(json: response.bytes).missingPaths == other)
        let reader = try fixture.token([("hello", .pull)])
        #expect(try fixture.send("POST", Endpoint.getMissingPaths, token: reader, body: request.json()).status == .forbidden)
    }
}

extension TestPath {
    init(storePath: StorePath, nar: [UInt8]) {
        self.storePath = storePath
        self.nar = nar
    }
}
