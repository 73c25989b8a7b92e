import AtticAPI
import Compression
import Crypto
import Database
import Encoding
import HTTP
import HTTPServer
import Nix
import SQL
import Storage
import Testing

@testable import AtticServer

@Suite("Listings")
struct ListingTests {
    /// A tree of so many files, the same bytes in each but for the first.
    private func tree(_ name: String, files count: Int, byteCount: Int = 100) throws -> TestPath {
        let file = try TestPath(name, seeds: [1], byteCount: byteCount)
        var writer = NarWriter()
        writer.beginDirectory()
        for number in 1000..<(1000 + count) {
            writer.entry(name: "file-\(number)")
            writer.file(number == 1000 ? file.nar : [UInt8](repeating: UInt8(number & 0xff), count: byteCount), isExecutable: number % 2 == 0)
        }
        writer.entry(name: "link")
        writer.symbolicLink(target: "file-1000")
        writer.endDirectory()
        return TestPath(storePath: file.storePath, nar: writer.take())
    }

    private func listing(of nar: [UInt8]) throws -> [UInt8] {
        var reader = NarReader()
        var writer = NarListingWriter()
        var position = 0
        while let event = try reader.next(in: nar, at: &position) { writer.add(event) }
        return writer.take()
    }

    private func get(_ path: TestPath, _ fixture: Fixture, _ method: String = "GET", headers: [(String, String)] = []) throws -> Response {
        try fixture.send(method, "/hello/\(path.storePath.hash).ls", token: fixture.root(), headers: headers)
    }

    private func keptCount(_ fixture: Fixture) throws -> Int64? {
        let connection = try fixture.context.configuration.database.connect()
        return try connection.first("SELECT count(*) FROM nar_listing") { row throws(SQLError) in try row.integer(0) }
    }

    private func forgetListings(_ fixture: Fixture) throws {
        let connection = try fixture.context.configuration.database.connect()
        try connection.runScript("DELETE FROM nar_listing")
    }

    @Test("A listing is there for every NAR, kept for the large ones", arguments: [1, 1500, 4000])
    func pushed(files count: Int) throws {
        let fixture = try Fixture()
        let path = try tree("tool", files: count)
        #expect(try fixture.push(path, to: fixture.makeCache("hello")).status == .ok)
        let isLarge = Int64(path.nar.count) >= Bounds.keptListingNarBytesMin
        #expect(isLarge == (count > 1000))
        #expect(try keptCount(fixture) == (isLarge ? 1 : 0))
        let answer = try get(path, fixture)
        #expect(answer.status == .ok && answer.header("Content-Type") == "application/json")
        #expect(answer.bytes == (try listing(of: path.nar)))
        #expect(answer.header("Content-Encoding") == nil)
        #expect(try keptCount(fixture) == (isLarge ? 1 : 0))
        // The same pushed together with another.
        let other = try Fixture()
        let cache = try other.makeCache("hello")
        let body = [try TestPath("small", seeds: [3], byteCount: 8), path].flatMap { path in
            UploadPathNarInfo(
                cache: cache, storePathHash: path.storePath.hash, storePath: path.storePath.absolute(), references: [],
                narHash: SHA256.digest(of: path.nar), narSize: Int64(path.nar.count)
            ).announcement() + path.nar
        }
        #expect(try other.send("PUT", Endpoint.uploadPaths, token: other.root(), body: body).status == .ok)
        #expect(try get(path, other).bytes == answer.bytes)
        #expect(try keptCount(other) == (isLarge ? 1 : 0))
    }

    @Test("Who accepts a coding gets it, and who has the listing is told so")
    func codings() throws {
        let fixture = try Fixture()
        let path = try tree("tool", files: 4000)
        _ = try fixture.push(path, to: fixture.makeCache("hello", isPublic: true))
        let text = try listing(of: path.nar)
        let zstd = try get(path, fixture, headers: [("Accept-Encoding", "gzip, zstd")])
        #expect(zstd.header("Content-Encoding") == "zstd" && zstd.header("Vary") == "Accept-Encoding")
        #expect(zstd.header("X-Attic-Cache-Visibility") == "public")
        #expect(zstd.bytes.count < text.count / 4)
        #expect(try StreamDecoder.decode(zstd.bytes, .zstd, outputByteCountMax: text.count) == text)
        let gzip = try get(path, fixture, headers: [("Accept-Encoding", "gzip")])
        #expect(try StreamDecoder.decode(gzip.bytes, .gzip, outputByteCountMax: text.count) == text)
        for answer in [zstd, gzip] {
            let tag = try #require(answer.header("ETag"))
            let coding = try #require(answer.header("Content-Encoding"))
            let again = try get(path, fixture, headers: [("Accept-Encoding", coding), ("If-None-Match", tag)])
            #expect(again.status == .notModified)
        }
    }

    @Test("A NAR without a row gets one when it is asked for, and only then")
    func made() throws {
        let fixture = try Fixture()
        let path = try tree("tool", files: 4000)
        _ = try fixture.push(path, to: fixture.makeCache("hello"))
        let text = try listing(of: path.nar)
        try forgetListings(fixture)
        for _ in 0..<2 {
            #expect(try get(path, fixture).bytes == text)
            #expect(try keptCount(fixture) == 1)
        }
        // A push of what is there brings a row as well, where its bytes are sent.
        try forgetListings(fixture)
        _ = try fixture.makeCache("other")
        #expect(try get(path, fixture, "HEAD").body.byteCount == Int64(text.count))
        #expect(try keptCount(fixture) == 1)
    }

    @Test("Of a tree whose listing outgrows a bound there is none, and the NAR is read to its end all the same")
    func tooLarge() throws {
        let nar = try tree("tool", files: 4000).nar
        let whole = try listing(of: nar)
        for (text, frame, isThere) in [(1 << 20, 1 << 20, true), (100_000, 1 << 20, false), (1 << 20, 5_000, false)] {
            var scan = NarScan(textByteCountMax: text, frameByteCountMax: frame)
            try unsafe nar.span.withUnsafeBytes { bytes throws(NarError) in try unsafe scan.take(bytes) }
            try scan.finish()
            switch scan.listing() {
            case .text(_, let byteCount): #expect(isThere && Int(byteCount) == whole.count)
            case .none(let reason): #expect(!isThere && reason.contains("would have more than"))
            }
        }
    }

    @Test("A collection takes the listing with its NAR")
    func collected() throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello")
        let path = try tree("tool", files: 4000)
        _ = try fixture.push(path, to: cache)
        fixture.advance(.seconds(100))
        #expect(try fixture.sweep(defaultRetentionSeconds: 1).nars == 1)
        #expect(try keptCount(fixture) == 0)
        #expect(try get(path, fixture).text.contains("NoSuchObject"))
    }

    @Test("Of damaged bytes no listing is made, never a part of one", arguments: [10, 4000])
    func damaged(files count: Int) throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello")
        let path = try tree("tool", files: count)
        _ = try fixture.push(path, to: cache)
        try forgetListings(fixture)
        for name in try fixture.store.packNames() {
            try fixture.cut(name, to: (try fixture.store.packByteCount(name) ?? 0) - 1)
        }
        let answer = try get(path, fixture)
        #expect(answer.status == .serviceUnavailable && answer.text.contains("IncompleteNar"))
        // From then on the path counts as missing, and its next push repairs it.
        let request = MissingPathsRequest(cache: cache, storePathHashes: [path.storePath.hash])
        let missing = try fixture.send("POST", Endpoint.getMissingPaths, token: fixture.root(), body: request.json())
        #expect(try MissingPathsResponse(json: missing.bytes).missingPaths == [path.storePath.hash])
        _ = try fixture.push(path, to: cache)
        #expect(try get(path, fixture).bytes == (try listing(of: path.nar)))
    }

    @Test("What an earlier version took in and is no NAR has no listing, and says so")
    func noNar() throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello")
        // A row whose hash is that of other bytes stands for what was stored unread.
        for byteCount in [1000, 400_000] {
            let path = try TestPath("tool\(byteCount)", seeds: [1], byteCount: byteCount)
            _ = try fixture.push(path, to: cache)
            try forgetListings(fixture)
            try store(path, asBytes: Array(path.nar.dropFirst(8)), in: fixture)
            for _ in 0..<2 {
                let answer = try get(path, fixture)
                #expect(answer.status == .notFound && answer.text.contains("NoListing"))
                #expect(answer.text.contains("the NAR is malformed at byte 0"), "\(answer.text)")
            }
            #expect(try keptCount(fixture) == (byteCount > 1000 ? 1 : 0))
        }
    }

    /// Puts other bytes in the place of a NAR's, as a version might have that did not read them.
    private func store(_ path: TestPath, asBytes bytes: [UInt8], in fixture: Fixture) throws {
        let writer = try fixture.store.borrowPack()
        let frame = Compressor(.zstd, level: 1).compress(bytes)
        let extent = try unsafe frame.withUnsafeBytes { try unsafe writer.append($0) }
        try writer.makeDurable()
        let connection = try fixture.context.configuration.database.connect()
        let nar: [SQLValue] = [.blob(SHA256.digest(of: path.nar).bytes)]
        try connection.execute(
            "DELETE FROM chunk_reference WHERE position > 0 AND nar_id = (SELECT id FROM nar WHERE nar_hash = $1)", nar)
        try connection.execute("INSERT INTO pack (name, byte_count, is_sealed) VALUES ($1, $2, 0) ON CONFLICT DO NOTHING",
            [.text(extent.pack.text), .integer(extent.offset + extent.byteCount)])
        try connection.execute(
            """
            UPDATE chunk SET byte_count = $1, pack_offset = $2, stored_byte_count = $3, pack_id = (SELECT id FROM pack WHERE name = $4)
            WHERE id = (SELECT chunk_id FROM chunk_reference WHERE nar_id = (SELECT id FROM nar WHERE nar_hash = $5))
            """,
            [.integer(Int64(bytes.count)), .integer(extent.offset), .integer(extent.byteCount), .text(extent.pack.text)] + nar)
        try connection.execute(
            "UPDATE nar SET nar_hash = $1 WHERE nar_hash = $2", [.blob(SHA256.digest(of: bytes).bytes)] + nar)
        writer.giveBack()
    }

    @Test("Who may not pull, or asks for what is not there, learns nothing")
    func refused() throws {
        let fixture = try Fixture()
        let path = try tree("tool", files: 10)
        _ = try fixture.push(path, to: fixture.makeCache("hello"))
        let url = "/hello/\(path.storePath.hash).ls"
        #expect(try fixture.send("GET", url).status == .unauthorized)
        #expect(try fixture.send("GET", url, token: fixture.token([("hello", [.push])])).status == .forbidden)
        #expect(try fixture.send("GET", "/hello/\(String(repeating: "0", count: 32)).ls", token: fixture.root()).text.contains("NoSuchObject"))
        #expect(try fixture.send("GET", "/hello/xyz.ls", token: fixture.root()).status == .badRequest)
        #expect(try fixture.send("DELETE", url, token: fixture.root()).status == .methodNotAllowed)
    }

    // MARK: PUT

    private func put(
        _ text: [UInt8], _ path: TestPath, _ fixture: Fixture, token: String? = nil, coding: String? = nil
    ) throws -> Response {
        try fixture.send(
            "PUT", "/hello/\(path.storePath.hash).ls", token: token ?? fixture.root(),
            headers: coding.map { [("Content-Encoding", $0)] } ?? [], body: text)
    }

    @Test("A listing that is put is taken where it is that of the NAR, in any form and coding, and nothing is kept", arguments: [10, 4000])
    func putEqual(files count: Int) throws {
        let fixture = try Fixture()
        let path = try tree("tool", files: count)
        let text = try listing(of: path.nar)
        // Nix sends it before the narinfo, when the path is not here.
        _ = try fixture.makeCache("hello")
        #expect(try put(text, path, fixture).status == .ok)
        _ = try fixture.push(path, to: try #require(CacheName("hello")))
        let kept = try keptCount(fixture)
        #expect(try put(text, path, fixture).status == .ok)
        #expect(try put(try JSON.parse(text).serializedBytes(), path, fixture).status == .ok)
        for coding in [StreamCoding.zstd, .gzip, .xz, .brotli] {
            #expect(try put(StreamEncoder.encode(text, coding), path, fixture, coding: coding.rawValue).status == .ok)
        }
        #expect(try keptCount(fixture) == kept)
        #expect(try get(path, fixture).bytes == text)
    }

    @Test("A listing that contradicts the NAR is refused, and where is said", arguments: [10, 4000])
    func putOther(files count: Int) throws {
        let fixture = try Fixture()
        let path = try tree("tool", files: count)
        _ = try fixture.push(path, to: fixture.makeCache("hello"))
        let text = try listing(of: path.nar)
        for (number, other) in [(count + 1, 1000 + count), (count - 1, 999 + count)] {
            let answer = try put(try listing(of: try tree("other", files: number).nar), path, fixture)
            #expect(answer.status == .badRequest && answer.text.contains("contradicts the NAR of \(path.storePath.hash)"))
            #expect(answer.text.contains(#"file-\#(other)"#) || answer.text.contains("link"), "\(answer.text)")
        }
        let size = String(decoding: text, as: UTF8.self).replacing(#""size":100,"narOffset""#, with: #""size":101,"narOffset""#, maxReplacements: 1)
        let answer = try put(Array(size.utf8), path, fixture)
        #expect(answer.text.contains("it has 1,") && answer.text.contains("and the NAR 0,"), "\(answer.text)")
        // Who may not read it does not find out what it is.
        let pusher = try fixture.token([("hello", [.push])])
        #expect(try put(Array(size.utf8), path, fixture, token: pusher).status == .ok)
    }

    @Test("What is no listing is refused, whether the path is here or not, and so is who may not push")
    func putRefused() throws {
        let fixture = try Fixture()
        let path = try tree("tool", files: 10)
        _ = try fixture.makeCache("hello", isPublic: true)
        let text = try listing(of: path.nar)
        for _ in 0..<2 {
            let answer = try put(Array(text.dropLast()), path, fixture)
            #expect(answer.status == .badRequest && answer.text.contains("the listing is malformed at byte"))
            #expect(try put([], path, fixture).text.contains("ends too early"))
            #expect(try put(text, path, fixture, coding: "zstd").status == .badRequest)
            #expect(try put(text, path, fixture, coding: "bzip2").status.code == 415)
            _ = try fixture.push(path, to: try #require(CacheName("hello")))
        }
        #expect(try put(text, path, fixture, token: fixture.token([("hello", [.pull])])).status == .forbidden)
        #expect(try fixture.send("PUT", "/hello/\(path.storePath.hash).ls", body: text).status == .unauthorized)
    }
}
