import AtticAPI
import HTTP
import HTTPServer
import Nix
import Platform
import Testing

@testable import AtticServer

@Suite("Hot answers")
struct HotTests {
    /// The answer that a loop would give at once; nil where it would ask a thread.
    func atOnce(_ fixture: Fixture, _ path: String, token: String? = nil) throws -> Response? {
        let authorization = token.map { "Authorization: Bearer \($0)\r\n" } ?? ""
        return fixture.application.answerAtOnce(
            try RequestHead(parsing: "GET \(path) HTTP/1.1\r\nHost: cache.test\r\n\(authorization)\r\n"))
    }

    func url(_ path: TestPath) -> String { "/hello/\(path.storePath.hash).narinfo" }

    @Test("a narinfo is given by the loop from the second time on, and is the same")
    func second() throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello", isPublic: true)
        let path = try TestPath("tool", seeds: [1], byteCount: 100)
        _ = try fixture.push(path, to: cache)
        #expect(try atOnce(fixture, url(path)) == nil)
        let first = try fixture.send("GET", url(path))
        let second = try #require(try atOnce(fixture, url(path)))
        #expect(second.bytes == first.bytes && second.status == .ok)
    }

    @Test("a private cache's answers are for known tokens with the permission only")
    func isPrivate() throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello")
        let path = try TestPath("tool", seeds: [1], byteCount: 100)
        _ = try fixture.push(path, to: cache)
        _ = try fixture.send("GET", url(path), token: fixture.root())
        #expect(try atOnce(fixture, url(path), token: fixture.root()) != nil)
        #expect(try atOnce(fixture, url(path)) == nil)
        let other = try fixture.token([("other", .all)])
        #expect(try fixture.send("GET", url(path), token: other).status == .unauthorized)
        #expect(try atOnce(fixture, url(path), token: other) == nil)
        let pusher = try fixture.token([("hello", .push)])
        #expect(try fixture.send("GET", url(path), token: pusher).status == .forbidden)
        #expect(try atOnce(fixture, url(path), token: pusher) == nil)
    }

    @Test("a token that expires is not known any more")
    func expired() throws {
        let fixture = try Fixture()
        try fixture.makeCache("hello")
        let token = try fixture.token([("hello", .pull)], expiry: 1_800_000_010)
        #expect(try fixture.send("GET", "/hello/nix-cache-info", token: token).status == .ok)
        #expect(try atOnce(fixture, "/hello/nix-cache-info", token: token) != nil)
        fixture.advance(.seconds(10))
        #expect(try atOnce(fixture, "/hello/nix-cache-info", token: token) == nil)
        #expect(try fixture.send("GET", "/hello/nix-cache-info", token: token).status == .unauthorized)
    }

    @Test("what is missing is known to be missing until it is pushed")
    func missing() throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello", isPublic: true)
        let path = try TestPath("tool", seeds: [1], byteCount: 100)
        #expect(try fixture.send("GET", url(path)).status == .notFound)
        #expect(try atOnce(fixture, url(path))?.status == .notFound)
        _ = try fixture.push(path, to: cache)
        #expect(try fixture.send("GET", url(path)).status == .ok)
    }

    @Test("changing or destroying a cache, and collecting, forgets")
    func changed() throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello", isPublic: true)
        let path = try TestPath("tool", seeds: [1], byteCount: 100)
        _ = try fixture.push(path, to: cache)
        for change in [CacheConfig(isPublic: false), CacheConfig(keypair: .generate), CacheConfig(isPublic: true)] {
            _ = try fixture.send("GET", url(path), token: fixture.root())
            #expect(try fixture.send("PATCH", Endpoint.cacheConfig(cache), token: fixture.root(), body: change.json()).status == .ok)
            #expect(try atOnce(fixture, url(path)) == nil)
        }
        _ = try fixture.send("GET", url(path))
        #expect(try fixture.send("DELETE", Endpoint.cacheConfig(cache), token: fixture.root()).status == .ok)
        #expect(try fixture.send("GET", url(path)).status == .unauthorized)
    }

    @Test("a cache that gets another key signs with that one")
    func rekeyed() throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello", isPublic: true)
        let path = try TestPath("tool", seeds: [1], byteCount: 100)
        _ = try fixture.push(path, to: cache)
        var signatures: Set<String> = []
        for _ in 0..<3 {
            let info = try fixture.narInfo(path, in: cache)
            let config = try CacheConfig(json: fixture.send("GET", Endpoint.cacheConfig(cache)).bytes)
            let key = try PublicKey(parsing: #require(config.publicKey))
            #expect(key.verifies(signature: info.signatures[0], message: info.fingerprint()))
            #expect(signatures.insert(info.signatures[0]).inserted)
            _ = try fixture.send(
                "PATCH", Endpoint.cacheConfig(cache), token: fixture.root(), body: CacheConfig(keypair: .generate).json())
        }
    }

    @Test("an answer that was read before a change and comes to be kept after it is not kept")
    func late() throws {
        let hot = HotAnswers()
        let before = hot.currentGeneration
        hot.forget(narInfo: "/hello/other.narinfo", objectID: 1)
        let name = try #require(CacheName("hello"))
        let path = Array("/hello/x.narinfo".utf8)
        hot.keep(.init(path: path, cache: name, isPublic: true, response: Response(.ok)), readAt: before)
        #expect(unsafe path.withUnsafeBytes { unsafe hot.find($0) } == nil)
        hot.keep(.init(path: path, cache: name, isPublic: true, response: Response(.ok)), readAt: hot.currentGeneration)
        #expect(unsafe path.withUnsafeBytes { unsafe hot.find($0) } != nil)
    }

    @Test("asking for what there is not puts out none of what there is")
    func strangers() throws {
        let hot = HotAnswers(byteCountMax: 160_000)
        let name = try #require(CacheName("hello"))
        func keep(_ number: Int, _ status: Status) {
            let path = Array("/hello/\(number)".utf8)
            hot.keep(.init(path: path, cache: name, isPublic: true, response: Response(status)), readAt: hot.currentGeneration)
        }
        func isKept(_ number: Int) -> Bool {
            unsafe Array("/hello/\(number)".utf8).withUnsafeBytes { unsafe hot.find($0) } != nil
        }
        for number in 0..<16 { keep(number, .ok) }
        let kept = (0..<16).filter(isKept)
        for number in 100..<1100 { keep(number, .notFound) }
        #expect((0..<16).filter(isKept) == kept && kept.count > 8)
        let missing = (100..<1100).count(where: isKept)
        #expect(missing > 16 && missing < 80)
    }

    @Test("memory is bounded: a full table begins anew")
    func bounded() throws {
        let hot = HotAnswers(byteCountMax: 160_000)
        let name = try #require(CacheName("hello"))
        for number in 0..<1000 {
            let path = Array("/hello/\(number)".utf8)
            hot.keep(.init(path: path, cache: name, isPublic: true, response: Response(.ok)), readAt: hot.currentGeneration)
        }
        let kept = (0..<1000).count { number in
            unsafe Array("/hello/\(number)".utf8).withUnsafeBytes { unsafe hot.find($0) } != nil
        }
        #expect(kept > 50 && kept < 310)
    }
}
