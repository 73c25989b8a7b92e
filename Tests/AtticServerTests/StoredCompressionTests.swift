import AtticAPI
import Compression
import Crypto
import Database
import HTTP
import HTTPServer
import Nix
import Platform
import Storage
import Testing

@testable import AtticServer

/// NARs that are stored in each compression, and a server whose configuration changes from one to another.
@Suite("Stored compression")
struct StoredCompressionTests {
    static let kinds = CompressionKind.allCases.map(\.rawValue)

    /// The same database and storage under another compression, as after a restart.
    private func application(_ fixture: Fixture, _ kind: String) throws -> (Application, Press) {
        var configuration = fixture.context.configuration
        configuration.compressionKind = try #require(CompressionKind(rawValue: kind))
        configuration.compressionLevel = configuration.compressionKind.levelDefault
        let press = Press(threadCount: 1, kind: configuration.compressionKind, level: configuration.compressionLevel)
        let old = fixture.context
        return (Application(Context(
            configuration: configuration, catalog: old.catalog, store: old.store,
            access: Access(key: configuration.tokenKey, rules: configuration.tokenRules), accessTimes: AccessTimes(), press: press, time: old.time,
            log: old.log)), press)
    }

    private func send(_ application: Application, _ fixture: Fixture, _ method: String, _ path: String, _ headers: String = "", _ body: [UInt8] = []) throws -> Response {
        let head = try RequestHead(
            parsing: "\(method) \(path) HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer \(fixture.root())\r\n\(headers)Content-Length: \(body.count)\r\n\r\n")
        return application.respond(to: Request(head: head, id: "0", remoteAddress: "192.0.2.1", body: RequestBody(body)))
    }

    private func push(_ path: TestPath, _ application: Application, _ fixture: Fixture) throws -> Response {
        let info = UploadPathNarInfo(
            cache: try #require(CacheName("hello")), storePathHash: path.storePath.hash, storePath: path.storePath.absolute(),
            references: path.references, signatures: [], narHash: SHA256.digest(of: path.nar), narSize: Int64(path.nar.count)).json()
        return try send(application, fixture, "PUT", Endpoint.uploadPath, "\(Endpoint.narInfoPreambleSizeHeader): \(info.count)\r\n", info + path.nar)
    }

    /// That a path is served in this compression, whole, under every name that it has.
    private func check(_ path: TestPath, in kind: String, _ application: Application, _ fixture: Fixture) throws {
        let info = try NarInfo.parse(try send(application, fixture, "GET", "/hello/\(path.storePath.hash).narinfo").bytes)
        let coding = try #require(CompressionKind(rawValue: kind)).sentCoding
        #expect(info.compression == coding.rawValue && info.url.hasSuffix(".nar\(coding.fileSuffix)"))
        if kind != "brotli" { #expect(info.url == "nar/\(try #require(info.fileHash).base32).nar\(coding.fileSuffix)") }
        let answer = try send(application, fixture, "GET", "/hello/\(info.url)")
        let file = answer.bytes
        #expect(SHA256.digest(of: file) == info.fileHash && Int64(file.count) == info.fileSize)
        let tag = "\"\(try #require(info.fileHash).base32)\""
        #expect(answer.body.byteCount == info.fileSize && answer.header("ETag") == tag)
        #expect(try send(application, fixture, "HEAD", "/hello/\(info.url)").body.byteCount == info.fileSize)
        let rest = try send(application, fixture, "GET", "/hello/\(info.url)", "Range: bytes=100-\r\nIf-Range: \(tag)\r\n")
        #expect(rest.status == .partialContent && rest.bytes == Array(file[100...]))
        #expect(rest.header("Content-Range") == "bytes 100-\(file.count - 1)/\(file.count)")
        #expect(try send(application, fixture, "GET", "/hello/\(info.url)", "Range: bytes=\(file.count)-\r\n").status == .rangeNotSatisfiable)
        #expect(try send(application, fixture, "GET", "/hello/\(info.url)", "If-None-Match: \(tag)\r\n").status == .notModified)
        #expect(try send(application, fixture, "GET", "/hello/nar/\(path.storePath.hash).nar").bytes == file)
        // As a client opens it: several frames or streams are one.
        #expect(try StreamDecoder.decode(file, coding, outputByteCountMax: path.nar.count) == path.nar)
        #expect(try send(application, fixture, "GET", "/hello/\(path.storePath.hash).ls").status == .ok)
    }

    @Test("A NAR of many chunks, and one of a single chunk, come back in each; nothing is wrong with what is stored", arguments: kinds)
    func each(kind: String) throws {
        let fixture = try Fixture()
        try fixture.makeCache("hello")
        let (application, press) = try application(fixture, kind)
        defer { press.close() }
        let large = try TestPath("large", seeds: [1, 2, 1], byteCount: 300_000)
        let small = try TestPath("small", seeds: [3], byteCount: 800)
        for path in [large, small] {
            #expect(try push(path, application, fixture).status == .ok)
            try check(path, in: kind, application, fixture)
        }
        let report = try fixture.check(contents: true)
        #expect(report.outcome == .clean && report.counts.verifiedNars == 2 && report.counts.chunks > 5)
    }

    @Test("After a change of compression what is there stays as it is, and is served; what comes is stored anew", arguments: ["xz", "none", "brotli"])
    func change(kind: String) throws {
        let fixture = try Fixture()
        try fixture.makeCache("hello")
        let before = try TestPath("before", seeds: [1, 2], byteCount: 300_000)
        let hello = try #require(CacheName("hello"))
        #expect(try fixture.push(before, to: hello).status == .ok)
        let bytes = try fixture.packBytes()

        let (application, press) = try application(fixture, kind)
        defer { press.close() }
        try check(before, in: "zstd", application, fixture)
        // The same NAR under another name is the same NAR.
        let twin = try TestPath("twin", seeds: [1, 2], byteCount: 300_000)
        #expect(twin.nar == before.nar && twin.storePath != before.storePath)
        let pushed = try push(twin, application, fixture)
        #expect(pushed.text.contains(#""kind":"Deduplicated""#), "\(pushed.text)")
        try check(twin, in: "zstd", application, fixture)
        #expect(try fixture.packBytes() == bytes)
        // One that shares content with it shares no chunk: a NAR has one compression.
        let after = try TestPath("after", seeds: [1, 3], byteCount: 300_000)
        #expect(try push(after, application, fixture).status == .ok)
        try check(after, in: kind, application, fixture)
        #expect(try fixture.packBytes() > bytes + 550_000)
        try check(before, in: "zstd", application, fixture)
        let report = try fixture.check(contents: true)
        #expect(report.outcome == .clean && report.counts.verifiedNars == 2)
    }

    @Test("Chunks in brotli that turn out wrong break the pull off, are known from then on, and come back with the next push")
    func damage() throws {
        let fixture = try Fixture("[compression]\ntype = \"brotli\"")
        let cache = try fixture.makeCache("hello")
        let path = try TestPath("tool", seeds: [1, 2, 3], byteCount: 300_000)
        let other = try TestPath("other", seeds: [4, 2, 5], byteCount: 300_000)
        for path in [path, other] { #expect(try fixture.push(path, to: cache).status == .ok) }
        let urls = try [path, other].map { "/hello/\(try fixture.narInfo($0, in: cache).url)" }
        let chunks = try fixture.context.catalog.read { session throws(DatabaseError) in
            try session.chunks(ofNar: try session.findNar(SHA256.digest(of: path.nar))?.id ?? 0)
        }
        #expect(chunks.count > 5 && chunks.allSatisfy { $0.compression == "brotli" })
        let place = chunks[chunks.count / 2].place
        try fixture.overwrite(try #require(PackName(place.pack)), at: place.offset + 30, with: [UInt8](repeating: 0x55, count: 20))
        #expect(try fixture.send("GET", urls[0], token: fixture.root()).bytes != path.nar)
        for (path, url) in zip([path, other], urls) {
            #expect(try fixture.status("GET", "/hello/\(path.storePath.hash).narinfo") == 404)
            #expect(try fixture.status("GET", url) == 503)
            #expect(try fixture.status("HEAD", url) == 404)
        }
        #expect(try fixture.check(contents: true).outcome != .clean)
        #expect(try fixture.push(other, to: cache).status == .ok)
        for path in [path, other] {
            let url = "/hello/\(try fixture.narInfo(path, in: cache).url)"
            #expect(try fixture.send("GET", url, token: fixture.root()).bytes == path.nar)
        }
        #expect(try fixture.check(contents: true).outcome == .clean)
    }

    @Test("What is stored in brotli is answered by no loop, which sends files as they are")
    func notHot() throws {
        let fixture = try Fixture("[compression]\ntype = \"brotli\"")
        let cache = try fixture.makeCache("hello")
        let path = try TestPath("tool", seeds: [1], byteCount: 300_000)
        #expect(try fixture.push(path, to: cache).status == .ok)
        let urls = ["/hello/\(try fixture.narInfo(path, in: cache).url)", "/hello/nar/\(path.storePath.hash).nar"]
        for url in urls {
            for _ in 1...2 { #expect(try fixture.send("GET", url, token: fixture.root()).bytes == path.nar) }
            #expect(try !fixture.isAnsweredAtOnce(url, by: fixture.application))
        }
        #expect(try fixture.isAnsweredAtOnce("/hello/\(path.storePath.hash).narinfo", by: fixture.application))
    }

    @Test("Chunks in brotli that the disk does not give are trouble of the storage")
    func unreadable() throws {
        let fixture = try Fixture("[compression]\ntype = \"brotli\"", on: .directory)
        let cache = try fixture.makeCache("hello")
        let path = try TestPath("tool", seeds: [1], byteCount: 800)
        #expect(try fixture.push(path, to: cache).status == .ok)
        let url = "/hello/\(try fixture.narInfo(path, in: cache).url)"
        // A directory can be opened and has a size, and read(2) of it fails.
        let pack = fixture.store.location(of: try #require(try fixture.store.packNames().first))
        let byteCount = try File.status(pack).byteCount
        try File.remove(pack)
        try Directory.make(pack)
        var number = 0
        while try File.status(pack).byteCount < byteCount {
            try Directory.make("\(pack)/\(String(repeating: "a", count: 200))\(number)")
            number += 1
        }
        let replica = try Replica(of: fixture)
        let answer = try replica.handled(url, token: fixture.root())
        guard answer.status == .ok, case .stream(let byteCount, let produce) = answer.body else { throw Problem.internalServer }
        let error = try #require(throws: StorageError.self) { try BodyWriter.bytes(of: produce, byteCount: byteCount) }
        let told = try #require(replica.application.response(insteadOf: error))
        #expect(told.status == .serviceUnavailable && told.text.contains("StorageTrouble"))
    }
}
