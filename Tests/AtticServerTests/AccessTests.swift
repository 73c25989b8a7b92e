import AtticAPI
import Encoding
import HTTP
import HTTPServer
import Platform
import Testing

@testable import AtticServer

@Suite("Who may do what")
struct AccessTests {
    @Test("without any permission, a cache that exists and one that does not read the same")
    func hidden() throws {
        let fixture = try Fixture()
        try fixture.makeCache("hello")
        let token = try fixture.token([("other", .pull)])
        for path in ["/hello/nix-cache-info", "/nothere/nix-cache-info", "/hello/\(String(repeating: "0", count: 32)).narinfo"] {
            let response = try fixture.send("GET", path, token: token)
            #expect(response.status == .unauthorized)
            #expect(response.text.contains("The token gives no permission here."))
        }
    }

    @Test("with a permission, what is missing is said to be missing")
    func discovered() throws {
        let fixture = try Fixture()
        try fixture.makeCache("hello")
        let token = try fixture.token([("*", .pull)])
        let noCache = try fixture.send("GET", "/nothere/nix-cache-info", token: token)
        #expect(noCache.text == #"{"code":404,"error":"NoSuchCache","message":"The requested cache does not exist."}"#)
        let noObject = try fixture.send("GET", "/hello/\(String(repeating: "0", count: 32)).narinfo", token: token)
        #expect(noObject.text == #"{"code":404,"error":"NoSuchObject","message":"The requested object does not exist."}"#)
        let noPush = try fixture.send("DELETE", "/_api/v1/cache-config/hello", token: token)
        #expect(noPush.status == .forbidden)
        #expect(noPush.text.contains("AccessError"))
    }

    @Test("a token that is not good enough says why")
    func reasons() throws {
        let fixture = try Fixture()
        try fixture.makeCache("hello")
        func refusal(_ headers: [(String, String)]) throws -> String {
            let response = try fixture.send("GET", "/hello/nix-cache-info", headers: headers)
            #expect(response.status == .unauthorized)
            #expect(response.header("WWW-Authenticate") != nil)
            return response.text
        }
        #expect(try refusal([]).contains("No token came with the request"))
        let expired = try fixture.token([("*", .all)], expiry: 1_700_000_000)
        #expect(try refusal([("Authorization", "Bearer \(expired)")]).contains("expired"))
        let good = try fixture.root()
        #expect(try refusal([("Authorization", "Bearer \(good.dropLast(2))AA")]).contains("signature"))
        #expect(try refusal([("Authorization", "Bearer x")]).contains("malformed"))
        #expect(try refusal([("Authorization", "Digest \(good)")]).contains("holds no token"))
    }

    @Test("the token may come as Bearer or as Basic password, the scheme in any case", arguments: ["Bearer", "bearer", "Basic", "basic", "BASIC"])
    func schemes(_ scheme: String) throws {
        let fixture = try Fixture()
        try fixture.makeCache("hello")
        let token = try fixture.root()
        let value = scheme.lowercased() == "basic" ? Base64.encode(Array(":\(token)".utf8)) : token
        let response = try fixture.send("GET", "/hello/nix-cache-info", headers: [("Authorization", "\(scheme) \(value)")])
        #expect(response.text == "WantMassQuery: 1\nStoreDir: /nix/store\nPriority: 41\nGetNarInfosV1: get-narinfos-v1\n")
    }

    @Test("a public cache can be pulled by everyone, and pushed by nobody without a token")
    func isPublic() throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello", isPublic: true)
        let response = try fixture.send("GET", "/hello/nix-cache-info")
        #expect(response.status == .ok)
        #expect(response.header(Endpoint.cacheVisibilityHeader) == "public")
        let stranger = try fixture.push(TestPath("a", seeds: [1], byteCount: 100), to: cache, token: "none")
        #expect(stranger.status == .unauthorized)
        let reader = try fixture.token([("hello", .pull)])
        #expect(try fixture.push(TestPath("a", seeds: [1], byteCount: 100), to: cache, token: reader).status == .forbidden)
    }

    @Test("retention takes its own permission, and changing one thing changes nothing else")
    func configure() throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello")
        let path = Endpoint.cacheConfig(cache)
        let month = CacheConfig(retentionPeriod: .period(seconds: 2_592_000)).json()
        let weak = try fixture.token([("hello", [.configureCache])])
        #expect(try fixture.send("PATCH", path, token: weak, body: month).status == .forbidden)
        #expect(try fixture.send("PATCH", path, token: fixture.root(), body: month).status == .ok)
        #expect(try fixture.send("PATCH", path, token: weak, body: CacheConfig(isPublic: true).json()).status == .ok)
        let now = try CacheConfig(json: fixture.send("GET", path).bytes)
        #expect(now.isPublic == true)
        #expect(now.retentionPeriod == .period(seconds: 2_592_000))
        #expect(now.substituterEndpoint == "http://cache.test/hello")
        #expect(try fixture.send("PATCH", path, token: weak, body: Array("{}".utf8)).status == .badRequest)
    }

    @Test("URLs and names that are not ours", arguments: [
        ("GET", "/hello", 404), ("GET", "/_private/nix-cache-info", 404), ("GET", "/hello/nope", 404),
        ("GET", "/hello/short.narinfo", 400), ("PUT", "/hello/nix-cache-info", 404), ("DELETE", "/", 405),
        ("GET", "/_api/v2/cache-config/hello", 404), ("POST", "/_api/v1/upload-path", 405),
        ("GET", "/hello/nar/..%2f..%2fserver.db", 400), ("GET", "/-bad/nix-cache-info", 404), ("OPTIONS", "/_api/v1/cache-config/x", 405),
    ])
    func strange(_ method: String, _ path: String, _ status: Int) throws {
        let fixture = try Fixture()
        do {
            #expect(try fixture.send(method, path, token: fixture.root()).status.code == status)
        } catch let error as ParseError {
            #expect(error.status.code == status)
        }
    }

    @Test("a cache is created once, with a key of its own or one that is given")
    func create() throws {
        let fixture = try Fixture()
        try fixture.makeCache("hello")
        let path = "/_api/v1/cache-config/hello"
        let body = CreateCacheRequest(
            keypair: .keypair("k:secret"), isPublic: false, storeDirectory: "/nix/store", priority: 41, upstreamCacheKeyNames: [])
        let again = try fixture.send("POST", path, token: fixture.root(), body: CreateCacheRequest(
            keypair: .generate, isPublic: false, storeDirectory: "/nix/store", priority: 41, upstreamCacheKeyNames: []).json())
        #expect(again.text.contains("CacheAlreadyExists"))
        let badKey = try fixture.send("POST", path, token: fixture.root(), body: body.json())
        #expect(badKey.status == .badRequest)
        #expect(!badKey.text.contains("secret\""))
        let noRight = try fixture.send("POST", path, token: fixture.token([("hello", .pull)]), body: body.json())
        #expect(noRight.status == .forbidden)
    }

    @Test("a stranger is turned away before a byte of the body is read", arguments: [
        ("POST", "/_api/v1/get-missing-paths", ""), ("PUT", "/_api/v1/upload-path", "X-Attic-Nar-Info-Preamble-Size: 100\r\n"),
        ("PATCH", "/_api/v1/cache-config/open", ""), ("POST", "/_api/v1/cache-config/new", ""),
    ])
    func strangersBodies(_ method: String, _ path: String, _ header: String) throws {
        let fixture = try Fixture()
        try fixture.makeCache("open", isPublic: true)
        let head = try RequestHead(
            parsing: "\(method) \(path) HTTP/1.1\r\nHost: cache.test\r\n\(header)Content-Length: 1000\r\n\r\n")
        // Not JSON: whoever reads it says so.
        let body = RequestBody(Array("no JSON at all".utf8))
        let response = fixture.application.respond(
            to: Request(head: head, id: "0123456789abcdef", remoteAddress: "192.0.2.1", body: body))
        #expect(response.status == .unauthorized)
        #expect(response.text.contains("No token came with the request"))
    }

    @Test("what reads a body waits for its client on no thread that answers queries", arguments: [
        ("POST", "/_api/v1/get-missing-paths", Lane.document), ("POST", "/_api/v1/cache-config/a", .document),
        ("PATCH", "/_api/v1/cache-config/a", .document), ("PUT", "/_api/v1/upload-path", .transfer),
        ("GET", "/_api/v1/cache-config/a", .query), ("DELETE", "/_api/v1/cache-config/a", .query),
        ("PUT", "/a/00000000000000000000000000000000.narinfo", .document),
        ("PUT", "/a/00000000000000000000000000000000.ls", .transfer),
    ])
    func lanes(_ method: String, _ path: String, _ lane: Lane) throws {
        let head = try RequestHead(parsing: "\(method) \(path) HTTP/1.1\r\nHost: cache.test\r\n\r\n")
        #expect(try Fixture().application.lane(for: head) == lane)
    }

    @Test("what strangers may ask for and takes a body or long work has no thread in common with pushes", arguments: [
        ("POST", "/a/get-narinfos-v1"), ("QUERY", "/a/get-narinfos-v1"), ("GET", "/a/00000000000000000000000000000000.closure.narinfo"),
        ("GET", "/a/00000000000000000000000000000000.ls"), ("GET", "/a/log/00000000000000000000000000000000-a.drv"),
        ("GET", "/a/realisations/sha256:0000000000000000000000000000000000000000000000000000000000000000!out.doi"),
    ])
    func reading(_ method: String, _ path: String) throws {
        let head = try RequestHead(parsing: "\(method) \(path) HTTP/1.1\r\nHost: cache.test\r\n\r\n")
        #expect(try Fixture(on: .directory).application.lane(for: head) == .reading)
    }
}
