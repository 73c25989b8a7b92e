import AtticAPI
import Crypto
import HTTP
import HTTPServer
import Nix
import Platform
import SQL
import Testing

@testable import AtticServer

@Suite("A token that is revoked while it is in use")
struct RevokedMeanwhileTests {
    private let fixture: Fixture
    private let cache: CacheName
    private let path: TestPath

    init() throws {
        fixture = try Fixture()
        cache = try fixture.makeCache("hello")
        path = try TestPath("a", seeds: [1], byteCount: 100_000)
    }

    private func token(_ subject: String) -> String {
        Token(subject: subject, expirySeconds: 1_900_000_000, issuedAtSeconds: 1, caches: [(.all, .all)]).signed(with: .hs256(secret: fixture.secret))
    }

    /// A request of a subject that was let in just now.
    private func call(
        _ method: String, _ target: String, of subject: String, headers: [(String, String)] = [], body: [UInt8] = []
    ) throws -> Call {
        let lines = headers.map { "\($0.0): \($0.1)\r\n" }.joined()
        let head = try RequestHead(
            parsing: "\(method) \(target) HTTP/1.1\r\nHost: cache.test\r\nAuthorization: Bearer \(token(subject))\r\n\(lines)"
                + (body.isEmpty ? "" : "Content-Length: \(body.count)\r\n") + "\r\n")
        let now = fixture.context.time.now()
        let visitor = fixture.context.visitors.visitor(of: head, nowSeconds: now.seconds)
        #expect(visitor.token != nil)
        let request = Request(head: head, id: "0123456789abcdef", remoteAddress: "192.0.2.1", body: RequestBody(body))
        return Call(context: fixture.context, request: request, visitor: visitor, now: now)
    }

    private func revoke(_ subject: String) throws {
        let revoked = RevokedTokens(catalog: fixture.context.catalog, configuration: fixture.context.configuration)
        _ = try revoked.revoke(subject, as: .subject, now: WallTime(milliseconds: 1_800_000_000_999))
        try fixture.context.readRevocations()
    }

    private func uploadInfo(_ path: TestPath, narSize: Int? = nil) -> UploadPathNarInfo {
        UploadPathNarInfo(
            cache: cache, storePathHash: path.storePath.hash, storePath: path.storePath.absolute(), references: path.references,
            narHash: SHA256.digest(of: path.nar), narSize: Int64(narSize ?? path.nar.count))
    }

    private func count(_ table: String) throws -> Int64 {
        let connection = try fixture.context.configuration.database.connect()
        return try connection.first("SELECT count(*) FROM \(table)") { row throws(SQLError) in try row.integer(0) } ?? -1
    }

    private typealias Way = (call: Call, answer: (Call) throws -> Response)

    /// All that writes after it has read a body.
    private func ways(of subject: String) throws -> [Way] {
        let plain = PlainPush(try TestPath("plain", seeds: [2], byteCount: 50_000), .gzip)
        let derivation = "\(path.storePath.hash)-x.drv"
        let realisation = "sha256:\(String(repeating: "0", count: 64))!out"
        let json = #"{"id":"\#(realisation)","outPath":"\#(path.storePath.baseName)","signatures":[],"dependentRealisations":{}}"#
        let info = uploadInfo(path)
        let header = (Endpoint.narInfoHeader, String(decoding: info.json(), as: UTF8.self))
        let new = CreateCacheRequest(keypair: .generate, isPublic: true, storeDirectory: "/nix/store", priority: 1, upstreamCacheKeyNames: []).json()
        let fileName = try #require(NarName(String(plain.url.dropFirst("nar/".count))))
        let id = try RealisationID(file: ["realisations", "\(realisation).doi"])
        let drv = try StorePath(baseName: derivation)
        let other = try #require(CacheName("other"))
        let cache = cache
        return [
            (try call("PUT", Endpoint.uploadPath, of: subject, headers: [header], body: path.nar), { try UploadPath.respond($0) }),
            (try call("PUT", Endpoint.uploadPaths, of: subject, body: info.announcement() + path.nar), { try UploadPaths.respond($0) }),
            (try call("PUT", "/hello/\(plain.url)", of: subject, body: plain.file), { try PutNar.respond($0, cache, fileName) }),
            (try call("PUT", "/hello/log/\(derivation)", of: subject, body: Array("log".utf8)), { try PutBuildLog.respond($0, cache, drv) }),
            (try call("PUT", "/hello/realisations/\(realisation).doi", of: subject, body: Array(json.utf8)), { try PutRealisation.respond($0, cache, id) }),
            (try call("POST", "/_api/v1/cache-config/other", of: subject, body: new), { try CreateCache.respond($0, other) }),
            (try call("PATCH", "/_api/v1/cache-config/hello", of: subject, body: CacheConfig(isPublic: true).json()), { try ConfigureCache.respond($0, cache) }),
        ]
    }

    @Test("writes nothing any more, by no way that it had begun")
    func writes() throws {
        let ways = try ways(of: "alice")
        try revoke("alice")
        for way in ways {
            #expect(throws: Problem.unauthorized(reason: Visitor.revoked), "\(way.call.request.head.target)") { try way.answer(way.call) }
        }
        for table in ["object", "nar", "chunk", "build_log", "realisation", "received_file", "upload"] { #expect(try count(table) == 0, "\(table)") }
        #expect(try count("cache") == 1 && fixture.packBytes() == 0)
        let isPublic = try CacheConfig(json: fixture.send("GET", Endpoint.cacheConfig(cache), token: fixture.root()).bytes).isPublic
        #expect(isPublic == false)
    }

    @Test("leaves those of others alone")
    func others() throws {
        let ways = try ways(of: "bob")
        try revoke("alice")
        for way in ways { #expect(try way.answer(way.call).status.isSuccess, "\(way.call.request.head.target)") }
    }

    @Test("ends neither narinfos nor paths that were known before")
    func known() throws {
        let push = PlainPush(path, .zstd)
        #expect(try fixture.putNar(push, to: cache).status == .created)
        let narInfo = try call("PUT", "/hello/\(push.narInfoURL)", of: "alice", body: push.narInfo())
        let info = uploadInfo(path)
        let upload = try call("PUT", Endpoint.uploadPath, of: "alice", headers: [(Endpoint.narInfoHeader, String(decoding: info.json(), as: UTF8.self))], body: path.nar)
        try revoke("alice")
        #expect(throws: Problem.unauthorized(reason: Visitor.revoked)) { try PutNarInfo.respond(narInfo, cache, path.storePath.hash) }
        #expect(throws: Problem.unauthorized(reason: Visitor.revoked)) { try UploadPath.respond(upload) }
        #expect(try count("object") == 0)
    }

    @Test("ends a long upload before its end")
    func early() throws {
        let long = try TestPath("long", seeds: [3], byteCount: 6 << 20)
        let info = uploadInfo(long)
        // Whoever reads to the end of what there is finds that it is short.
        let half = try call(
            "PUT", Endpoint.uploadPath, of: "alice", headers: [(Endpoint.narInfoHeader, String(decoding: info.json(), as: UTF8.self))],
            body: Array(long.nar.prefix(4 << 20)))
        try revoke("alice")
        #expect(throws: Problem.unauthorized(reason: Visitor.revoked)) { try UploadPath.respond(half) }
        #expect(try fixture.packBytes() == 0)
    }

    @Test("lets no answer go on, whether it was made or at hand; one that was given back does")
    func answers() throws {
        #expect(try fixture.push(path, to: cache).status == .ok)
        let target = "/hello/nar/\(path.storePath.hash).nar"
        let alice = try (0..<3).map { _ in try #require(try fixture.send("GET", target, token: token("alice")).permit) }
        let bob = try (0..<3).map { _ in try #require(try fixture.send("GET", target, token: token("bob")).permit) }
        #expect((alice + bob).allSatisfy { $0.holds })
        try revoke("alice")
        #expect(alice.allSatisfy { !$0.holds } && bob.allSatisfy { $0.holds })
        #expect(try fixture.send("GET", target, token: token("alice")).status == .unauthorized)
        let revoked = RevokedTokens(catalog: fixture.context.catalog, configuration: fixture.context.configuration)
        _ = try revoked.restore("alice", as: .subject)
        try fixture.context.readRevocations()
        #expect(alice.allSatisfy { $0.holds })
    }
}
