import AtticAPI
import HTTP
import HTTPServer
import Nix
import Testing

@testable import AtticServer

/// What reads of a cache say to those who keep answers: validators, how long, for whom.
@Suite("Reading")
struct ReadingTests {
    let fixture: Fixture
    let cache: CacheName
    let path: TestPath

    init() throws {
        fixture = try Fixture()
        cache = try fixture.makeCache("hello", isPublic: true)
        path = try TestPath("tool", seeds: [1], byteCount: 300_000)
        #expect(try fixture.push(path, to: cache).status == .ok)
    }

    func url(_ name: String) throws -> String {
        switch name {
        case "narinfo": "/hello/\(path.storePath.hash).narinfo"
        case "closure": "/hello/\(path.storePath.hash).closure.narinfo"
        case "listing": "/hello/\(path.storePath.hash).ls"
        case "nar": "/hello/\(try fixture.narInfo(path, in: cache).url)"
        case "older nar": "/hello/nar/\(path.storePath.hash).nar"
        default: "/hello/nix-cache-info"
        }
    }

    @Test("what there is has a strong entity tag, by which it is not sent twice", arguments: [
        "nix-cache-info", "narinfo", "closure", "listing", "nar", "older nar",
    ])
    func validated(_ name: String) throws {
        let url = try url(name)
        // The first time by the handler, then by the loop where it keeps it: the same headers.
        for _ in 0..<2 {
            let answer = try fixture.send("GET", url)
            let tag = try #require(answer.header("ETag"))
            #expect(answer.status == .ok && tag.hasPrefix("\"") && tag.hasSuffix("\""))
            for known in [tag, "W/\(tag)", "\"other\", \(tag)", "*"] {
                let unchanged = try fixture.send("GET", url, headers: [("If-None-Match", known)])
                #expect(unchanged.status == .notModified && unchanged.bytes.isEmpty)
                // RFC 9110, section 15.4.5: what 200 would have said of these.
                for name in ["ETag", "Cache-Control", "Vary"] { #expect(unchanged.header(name) == answer.header(name)) }
            }
            #expect(try fixture.send("HEAD", url, headers: [("If-None-Match", tag)]).status == .notModified)
            let changed = try fixture.send("GET", url, headers: [("If-None-Match", "\"other\"")])
            #expect(changed.status == .ok && changed.bytes == answer.bytes)
        }
    }

    @Test("a narinfo that changes has another entity tag")
    func changed() throws {
        let url = try url("narinfo")
        let tag = try #require(try fixture.send("GET", url).header("ETag"))
        let body = CacheConfig(keypair: .generate).json()
        #expect(try fixture.send("PATCH", Endpoint.cacheConfig(cache), token: fixture.root(), body: body).status == .ok)
        let signedAnew = try fixture.send("GET", url, headers: [("If-None-Match", tag)])
        #expect(signedAnew.status == .ok && signedAnew.header("ETag") != tag)
    }

    @Test("who may keep an answer, and how long", arguments: [
        ("nix-cache-info", "public, max-age=3600", "private, max-age=3600"),
        ("narinfo", "public, max-age=3600", "private, max-age=3600"),
        ("closure", "public, max-age=3600", "private, max-age=3600"),
        ("listing", "public, max-age=3600", "private, max-age=3600"),
        ("nar", "public, max-age=31536000, immutable", "private, max-age=31536000, immutable"),
        // Another NAR may be pushed for that path.
        ("older nar", "public, max-age=3600", "private, max-age=3600"),
    ])
    func kept(_ name: String, _ ofPublic: String, _ ofPrivate: String) throws {
        let url = try url(name)
        for _ in 0..<2 {
            let answer = try fixture.send("GET", url)
            #expect(answer.header("Cache-Control") == ofPublic && answer.header("Vary") == nil)
        }
        let body = CacheConfig(isPublic: false).json()
        #expect(try fixture.send("PATCH", Endpoint.cacheConfig(cache), token: fixture.root(), body: body).status == .ok)
        for _ in 0..<2 {
            let answer = try fixture.send("GET", url, token: fixture.root())
            #expect(answer.header("Cache-Control") == ofPrivate && answer.header("Vary") == "Authorization")
        }
    }

    @Test("nobody keeps an error: what is missing now may be pushed in a moment")
    func errors() throws {
        let missing = String(repeating: "0", count: 32)
        let fileHash = String(repeating: "0", count: 52)
        for url in [
            "/hello/\(missing).narinfo", "/hello/\(missing).closure.narinfo", "/hello/nar/\(fileHash).nar.zst", "/hello/nar/\(missing).nar",
            "/hello/nothing", "/other/nix-cache-info", "/hello/x.narinfo",
        ] {
            for _ in 0..<2 {
                let answer = try fixture.send("GET", url)
                #expect(answer.status.code >= 400 && answer.header("Cache-Control") == "no-store")
            }
        }
        let nar = try url("nar")
        let beyond = try fixture.send("GET", nar, headers: [("Range", "bytes=999999999-")])
        #expect(beyond.status == .rangeNotSatisfiable && beyond.header("Cache-Control") == "no-store")
        let size = try #require(try fixture.send("HEAD", nar).body.byteCount)
        #expect(beyond.header("Content-Range") == "bytes */\(size)")
    }

    @Test("If-Range lets a range through only for the bytes that the client has begun with", arguments: [
        ("tag", 206), ("\"other\"", 200), ("weak", 200), ("Sun, 22 Nov 2026 21:47:41 GMT", 200), ("nonsense", 200),
    ])
    func ifRange(_ form: String, _ status: Int) throws {
        let nar = try url("nar")
        let whole = try fixture.send("GET", nar)
        let tag = try #require(whole.header("ETag"))
        let value = form == "tag" ? tag : form == "weak" ? "W/\(tag)" : form
        let answer = try fixture.send("GET", nar, headers: [("If-Range", value), ("Range", "bytes=10-19")])
        #expect(answer.status.code == status)
        #expect(answer.bytes == (status == 206 ? Array(whole.bytes[10..<20]) : whole.bytes))
    }

    @Test("one range is given, several are answered with the whole, and HEAD knows none", arguments: [
        ("GET", "bytes=0-0", 206), ("GET", "bytes=-5", 206), ("GET", "bytes=5-", 206), ("GET", "bytes=0-1,4-5", 200), ("GET", "lines=1-2", 200),
        ("GET", "bytes=5-2", 200), ("GET", "bytes=-0", 416), ("HEAD", "bytes=0-0", 200), ("HEAD", "bytes=999999999-", 200),
    ])
    func ranges(_ method: String, _ range: String, _ status: Int) throws {
        #expect(try fixture.send(method, url("nar"), headers: [("Range", range)]).status.code == status)
        // Texts are given whole, which is always allowed.
        #expect(try fixture.send(method, url("narinfo"), headers: [("Range", range)]).status == .ok)
    }

    @Test("a signature is made once")
    func signatures() throws {
        let signatures = HotSignatures(countMax: 2)
        let (one, other) = (try SigningKey.generate(name: "k"), try SigningKey.generate(name: "k"))
        for number in [UInt8(1), 2, 3, 1, 2, 3] {
            #expect(signatures.signature(of: [number], by: one) == one.sign([number]))
            #expect(signatures.signature(of: [number], by: other) == other.sign([number]))
        }
    }
}

/// What a read of a cache is answered that is not the visitor's.
@Suite("Refused reads")
struct RefusedReadTests {
    static let hash = String(repeating: "0", count: 32)

    @Test("the configuration decides the status, for a cache that is hidden and one that is not there alike", arguments: [401, 403, 404])
    func status(_ status: Int) throws {
        let fixture = try Fixture("refused-read-status = \(status)")
        let cache = try fixture.makeCache("hello")
        let path = try TestPath("tool", seeds: [1], byteCount: 1000)
        #expect(try fixture.push(path, to: cache).status == .ok)
        let file = try fixture.narInfo(path, in: cache).url
        let stranger = try fixture.token([("other", .all)])
        let expired = try fixture.token([("*", .all)], expiry: 1_700_000_000)
        for url in [
            "nix-cache-info", "\(path.storePath.hash).narinfo", "\(Self.hash).narinfo", file, "nar/\(path.storePath.hash).nar",
            "\(path.storePath.hash).closure.narinfo",
        ] {
            for token in [nil, stranger, expired] {
                let answer = try fixture.send("GET", "/hello/\(url)", token: token)
                #expect(answer.status.code == status)
                #expect((answer.header("WWW-Authenticate") != nil) == (status == 401))
                #expect(answer.text.hasPrefix("{\"code\":\(status),\"error\":\"Unauthorized\",\"message\":\"Unauthorized. ") && answer.bytes.count < 1024)
                #expect(try fixture.send("GET", "/nothere/\(url)", token: token).text == answer.text)
            }
        }
        #expect(try fixture.send("POST", "/hello/get-narinfos-v1", body: Array(Self.hash.utf8)).status.code == status)
    }

    @Test("the API and writing answer 401 whatever is configured, and a token that may know of the cache 403 or 404")
    func others() throws {
        let fixture = try Fixture("refused-read-status = 404")
        let cache = try fixture.makeCache("hello")
        for (method, url) in [
            ("GET", "/_api/v1/cache-config/hello"), ("GET", "/hello/attic-cache-info"), ("DELETE", "/_api/v1/cache-config/hello"),
            ("POST", "/_api/v1/get-missing-paths"),
        ] {
            let answer = try fixture.send(method, url)
            #expect(answer.status == .unauthorized && answer.header("WWW-Authenticate") != nil)
        }
        let pusher = try fixture.token([("hello", .push)])
        #expect(try fixture.send("GET", "/\(cache)/nix-cache-info", token: pusher).status == .forbidden)
        let reader = try fixture.token([("*", .pull)])
        #expect(try fixture.send("GET", "/nothere/nix-cache-info", token: reader).text.contains("NoSuchCache"))
    }
}
