import AtticAPI
import Compression
import Crypto
import HTTP
import HTTPServer
import Platform
import SQL
import Storage
import Support
import Testing

@testable import AtticServer
@testable import Database

@Suite("A NAR in another coding") struct RecodedNarTests {
    /// The stored NAR of a path, in a coding; what is found wrong with it is kept in `damage`.
    private func recoded(
        _ path: TestPath, _ coding: StreamCoding, in fixture: Fixture, damage: Monitor<[String]> = Monitor([])
    ) throws -> RecodedNar {
        let name = try #require(try? fixture.makeCache("hello"))
        #expect(try fixture.push(path, to: name).status == .ok)
        let (nar, places) = try fixture.context.catalog.read { session throws(DatabaseError) in
            let cache = try session.findCache(name)
            let object = try session.findObject(cache?.id ?? 0, path.storePath.hash)
            return (object?.nar, try session.extents(ofNar: object?.nar.id ?? 0))
        }
        let record = try #require(nar)
        return RecodedNar(
            nar: record, assembly: try NarAssembly(places, byteCount: record.fileSize, in: fixture.store), coding: coding,
            onDamage: { error in damage.update { $0.append("\(error)") } })
    }

    private func bytes(_ body: ResponseBody) throws -> [UInt8] {
        guard case .stream(let byteCount, let produce) = body else { throw Problem.internalServer }
        return try BodyWriter.bytes(of: produce, byteCount: byteCount)
    }

    @Test("stands for the same bytes, however it is stored", arguments: StreamCoding.allCases, ["zstd", "none", "brotli"])
    func codings(coding: StreamCoding, stored: String) throws {
        for byteCount in [8, 900_000] {
            let fixture = try Fixture("[compression]\ntype = \"\(stored)\"\n")
            let path = try TestPath("one", seeds: [1], byteCount: byteCount)
            let recoded = try recoded(path, coding, in: fixture)
            #expect(recoded.nar.compression == stored)
            #expect(recoded.body.byteCount == (coding == .none ? Int64(path.nar.count) : nil))
            let file = try bytes(recoded.body)
            #expect(try StreamDecoder.decode(file, coding, outputByteCountMax: path.nar.count) == path.nar)
            #expect(try bytes(recoded.body) == file, "it can be made again")
        }
    }

    @Test("is what plain Nix gets under the name of the file that it pushed", arguments: StreamCoding.allCases.filter { $0 != .zstd })
    func asItWasPushed(coding: StreamCoding) throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello", isPublic: true)
        let push = PlainPush(try TestPath("tool", seeds: [1], byteCount: 200_000), coding, level: coding == .none ? nil : 6)
        #expect(try fixture.putNar(push, to: cache).status == .created)
        let early = try fixture.send("GET", "/hello/\(push.url)", token: fixture.root())
        #expect(try StreamDecoder.decode(early.bytes, coding, outputByteCountMax: 1 << 20) == push.path.nar, "also before its narinfo")
        #expect(early.header("Cache-Control") == "no-store", "it may be gone soon")
        #expect(try fixture.putNarInfo(push, to: cache).status == .created)
        for method in ["GET", "HEAD"] {
            let answer = try fixture.send(method, "/hello/\(push.url)", headers: [("Range", "bytes=5-9"), ("If-None-Match", "\"x\"")])
            #expect(answer.status == .ok && answer.header("Accept-Ranges") == nil && answer.header("Content-Encoding") == nil)
            #expect(answer.header("Content-Type") == "application/x-nix-nar" && answer.header("Cache-Control") == "public, max-age=3600")
            #expect(answer.body.byteCount == (coding == .none ? Int64(push.path.nar.count) : nil))
            #expect(try StreamDecoder.decode(bytes(answer.body), coding, outputByteCountMax: 1 << 20) == push.path.nar)
            let tag = try #require(answer.header("ETag"))
            #expect(tag.hasPrefix("W/"))
            #expect(try fixture.send(method, "/hello/\(push.url)", headers: [("If-None-Match", tag)]).status == .notModified)
        }
    }

    @Test("goes over the wire in chunks, and HEAD has no body")
    func onTheWire() throws {
        let wire = try PlainPushWireTests.Wire()
        let push = PlainPush(try TestPath("tool", seeds: [1], byteCount: 1_500_000), .xz)
        #expect(try wire.fixture.putNar(push, to: try #require(CacheName("hello"))).status == .created)
        let client = try wire.connect()
        try client.send(wire.head("HEAD", "/hello/\(push.url)") + wire.head("GET", "/hello/\(push.url)"))
        let head = try #require(try client.receiveAnswer(hasBody: false))
        #expect(head.status == 200 && head.header("Content-Length") == nil && head.header("Transfer-Encoding") == nil)
        let answer = try #require(try client.receiveAnswer())
        #expect(answer.status == 200 && answer.header("Transfer-Encoding") == "chunked")
        var file: [UInt8] = []
        var decoder = ChunkedDecoder()
        while !decoder.hasEnded {
            let coded = try client.receiveSome()
            try #require(!coded.isEmpty, "the answer has an end")
            var position = 0
            while case .data(let range) = try unsafe coded.withUnsafeBytes({ try unsafe decoder.next($0, at: &position) }) { file += coded[range] }
            #expect(position == coded.count)
        }
        #expect(try StreamDecoder.decode(file, .xz, outputByteCountMax: 2_000_000) == push.path.nar)
        try client.send(wire.head("GET", "/hello/nix-cache-info"))
        #expect(try client.receiveAnswer()?.status == 200, "the connection goes on")
    }

    @Test("is given in parts where it is not compressed, and what reaches to its end is checked", arguments: ["zstd", "brotli"])
    func parts(stored: String) throws {
        let fixture = try Fixture("[compression]\ntype = \"\(stored)\"\n")
        let damage = Monitor<[String]>([])
        let path = try TestPath("one", seeds: [1], byteCount: 600_000)
        let recoded = try recoded(path, .none, in: fixture, damage: damage)
        let end = path.nar.count
        // Around what is opened at once, and around the last byte, which waits.
        let places = [0, 1, 70_000, 131_071, 131_072, 131_073, 262_144, end - 2, end - 1, end]
        for (index, start) in places.enumerated() {
            for stop in places[index...] where stop > start {
                let body = recoded.body(Int64(start)..<Int64(stop))
                #expect(body.byteCount == Int64(stop - start))
                #expect(try bytes(body) == Array(path.nar[start..<stop]), "\(start) to \(stop)")
            }
        }
        let extent = try #require(recoded.assembly.places.last)
        try fixture.overwrite(extent.pack, at: extent.offset + extent.byteCount - 10, with: [UInt8](repeating: 7, count: 10))
        #expect(throws: Problem.self) { try bytes(recoded.body(Int64(end - 1)..<Int64(end))) }
        #expect(throws: Problem.self) { try bytes(recoded.body(0..<Int64(end))) }
        #expect(damage.withLock { $0 }.count == 2)
        #expect(try bytes(recoded.body(10..<1000)) == Array(path.nar[10..<1000]), "what is behind a part is not read")
    }

    @Test("has no end where stored bytes are damaged, and says so", arguments: [StreamCoding.none, .xz], ["zstd", "none", "brotli"])
    func damage(coding: StreamCoding, stored: String) throws {
        let fixture = try Fixture("[compression]\ntype = \"\(stored)\"\n")
        let damage = Monitor<[String]>([])
        let recoded = try recoded(TestPath("one", seeds: [1], byteCount: 300_000), coding, in: fixture, damage: damage)
        let extent = try #require(recoded.assembly.places.last)
        let pack = try #require(fixture.store.packNames().first)
        // The last bytes of the NAR: everything before them is fine.
        let end = extent.offset + extent.byteCount - 10
        try fixture.overwrite(pack, at: end, with: [UInt8](repeating: 7, count: 10))
        #expect(throws: Problem.self) { try bytes(recoded.body) }
        try fixture.cut(pack, to: end)
        let error = #expect(throws: (any Error).self) { try bytes(recoded.body) }
        #expect(try LostBytes.areShown(by: #require(error)))
        #expect(damage.withLock { $0 }.count == 2)
    }

    @Test("where it is damaged it is never as long as was promised, also where its end fills a block")
    func shortOfItsPromise() throws {
        let wire = try PlainPushWireTests.Wire()
        // A block of a stream holds that many bytes of a body.
        let byteCount = 8 * 65_511
        let around = try TestPath("tool", seeds: [1], byteCount: 8).nar.count - 8
        let push = PlainPush(try TestPath("tool", seeds: [1], byteCount: byteCount - around), .none)
        try #require(push.path.nar.count == byteCount)
        let fixture = wire.fixture
        #expect(try fixture.putNar(push, to: try #require(CacheName("hello"))).status == .created)
        // The row is of another NAR than the stored bytes: each of them can be read and opened.
        try fixture.context.catalog.write { session throws(DatabaseError) in
            try session.trying("name another hash") { connection throws(SQLError) in
                _ = try connection.execute("UPDATE nar SET nar_hash = $1", [.digest(SHA256.digest(of: [1]))])
            }
        }
        let client = try wire.connect()
        try client.send(wire.head("GET", "/hello/\(push.url)"))
        var answer: [UInt8] = []
        // However the connection is broken off, it ends.
        while let some = try? client.receiveSome(), !some.isEmpty { answer += some }
        let end = try #require((0..<answer.count - 3).first { answer[$0..<$0 + 4].elementsEqual([13, 10, 13, 10]) })
        #expect(String(decoding: answer[..<end], as: UTF8.self).contains("Content-Length: \(byteCount)\r\n"))
        #expect(answer.count - end - 4 < byteCount)
    }
}
