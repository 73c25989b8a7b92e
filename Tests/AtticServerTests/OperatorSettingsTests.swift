import AtticAPI
import Crypto
import Database
import HTTP
import HTTPServer
import Testing

@testable import AtticServer

/// Keys of `server.toml` that change what clients are answered, each as `server.toml.example` says it.
@Suite("What an operator sets")
struct OperatorSettingsTests {
    /// Sends a GET whose target and host are as a client would write them.
    private func get(_ target: String, host: String, _ headers: String = "", in fixture: Fixture) throws -> Response {
        let head = try RequestHead(
            parsing: "GET \(target) HTTP/1.1\r\nHost: \(host)\r\nAuthorization: Bearer \(fixture.root())\r\n\(headers)\r\n")
        if let answer = fixture.application.answerAtOnce(head) { return answer }
        return fixture.application.respond(to: Request(head: head, id: "0", remoteAddress: "192.0.2.1", body: RequestBody([])))
    }

    @Test("allowed-hosts: a request for any other host is refused, whatever it is for", arguments: [
        ("cache.example.org", true), ("Cache.Example.ORG", true), ("localhost:8080", true), ("localhost", false), ("cache.example.org:8080", false),
        ("evil.example.org", false), ("cache.example.org.evil.org", false), ("127.0.0.1", false),
    ])
    func allowedHosts(host: String, isAllowed: Bool) throws {
        let fixture = try Fixture("allowed-hosts = [\"cache.example.org\", \"localhost:8080\"]")
        for path in ["/", "/hello/nix-cache-info", "/_api/v1/cache-config/hello"] {
            let answer = try get(path, host: host, in: fixture)
            let isRefused = answer.status == .badRequest && answer.text.contains("does not answer for the host")
            #expect(isRefused != isAllowed, "\(path): \(answer.text)")
        }
        // What a target that is a URL names goes before Host (RFC 9112, section 3.2.2).
        #expect((try get("http://cache.example.org/", host: host, in: fixture)).status == .ok)
        #expect((try get("http://evil.example.org/", host: host, in: fixture)).status == .badRequest)
        // By default all are served.
        #expect((try get("/", host: host, in: try Fixture())).status == .ok)
    }

    @Test("api-endpoint and substituter-endpoint are told to clients; what is unset is made of each request", arguments: [
        "", "api-endpoint = \"https://api.example.org/\"", "substituter-endpoint = \"https://cdn.example.org/caches/\"",
    ])
    func endpoints(line: String) throws {
        let fixture = try Fixture(line)
        try fixture.makeCache("hello")
        func config(_ headers: String = "") throws -> CacheConfig {
            try CacheConfig(json: try get("/_api/v1/cache-config/hello", host: "asked.example.org:8080", headers, in: fixture).bytes)
        }
        let made = "http://asked.example.org:8080/"
        #expect(try config().apiEndpoint == (line.hasPrefix("api") ? "https://api.example.org/" : made))
        #expect(try config().substituterEndpoint == (line.hasPrefix("sub") ? "https://cdn.example.org/caches/hello" : made + "hello"))
    }

    @Test("X-Forwarded-Proto: what is made of a request is https where a proxy says so", arguments: [
        ("https", true), ("HTTPS", true), ("http", false), ("ftp", false), ("", false),
    ])
    func forwardedProtocol(value: String, isHTTPS: Bool) throws {
        let fixture = try Fixture()
        try fixture.makeCache("hello")
        let answer = try get("/_api/v1/cache-config/hello", host: "c.example.org", "X-Forwarded-Proto: \(value)\r\n", in: fixture)
        let config = try CacheConfig(json: answer.bytes)
        let scheme = isHTTPS ? "https" : "http"
        #expect(config.apiEndpoint == "\(scheme)://c.example.org/" && config.substituterEndpoint == "\(scheme)://c.example.org/hello")
        #expect(answer.header("Cache-Control") == "no-store", "the next client may come another way")
    }

    @Test("soft-delete-caches: a destroyed cache serves no more, and its name stays taken; else it is gone", arguments: [false, true])
    func softDelete(isSoft: Bool) throws {
        let fixture = try Fixture("soft-delete-caches = \(isSoft)")
        let cache = try fixture.makeCache("hello")
        let path = try TestPath("tool", seeds: [1], byteCount: 100_000)
        #expect(try fixture.push(path, to: cache).status == .ok)
        #expect(try fixture.send("DELETE", Endpoint.cacheConfig(cache), token: fixture.root()).status == .ok)
        for url in ["/hello/nix-cache-info", "/hello/\(path.storePath.hash).narinfo", Endpoint.cacheConfig(cache)] {
            #expect(try fixture.send("GET", url, token: fixture.root()).status == .notFound)
        }
        #expect(try fixture.push(path, to: cache).status == .notFound)
        let body = CreateCacheRequest(
            keypair: .generate, isPublic: false, storeDirectory: "/nix/store", priority: 41, upstreamCacheKeyNames: []).json()
        let again = try fixture.send("POST", Endpoint.cacheConfig(cache), token: fixture.root(), body: body)
        #expect(again.status == (isSoft ? .badRequest : .ok))
        if isSoft { #expect(again.text.contains("CacheAlreadyExists")) }
        #expect(try fixture.check().outcome == .clean)
    }

    @Test("require-proof-of-possession = false: a NAR that is here is not asked for, whoever may push", arguments: [true, false])
    func possession(isRequired: Bool) throws {
        let fixture = try Fixture("require-proof-of-possession = \(isRequired)")
        let (mine, theirs) = (try fixture.makeCache("mine"), try fixture.makeCache("theirs"))
        let path = try TestPath("tool", seeds: [1], byteCount: 100_000)
        #expect(try fixture.push(path, to: mine).status == .ok)
        // Somebody who may pull from no cache announces its hash, and sends other bytes.
        let token = try fixture.token([("theirs", .push)])
        let info = UploadPathNarInfo(
            cache: theirs, storePathHash: path.storePath.hash, storePath: path.storePath.absolute(), references: [], signatures: [],
            narHash: SHA256.digest(of: path.nar), narSize: Int64(path.nar.count)
        ).json()
        let answer = try fixture.send(
            "PUT", Endpoint.uploadPath, token: token, headers: [(Endpoint.narInfoHeader, String(decoding: info, as: UTF8.self))],
            body: [UInt8](repeating: 7, count: path.nar.count))
        #expect(answer.status == (isRequired ? .badRequest : .ok), "\(answer.text)")
        if !isRequired { #expect(answer.text.contains(#""kind":"Deduplicated""#)) }
        #expect(try fixture.send("GET", "/theirs/\(path.storePath.hash).narinfo", token: fixture.root()).status == (isRequired ? .notFound : .ok))
    }
}
