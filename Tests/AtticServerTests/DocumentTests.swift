import AtticAPI
import Compression
import Encoding
import HTTP
import HTTPServer
import Nix
import Platform
import Testing

@testable import AtticServer

private let drv = "g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-bar.drv"
private let text = Array("building\nüber-built\n".utf8)

extension Fixture {
    /// Sends a document of plain Nix.
    func put(_ path: String, _ body: [UInt8], token: String? = nil, coding: String? = nil) throws -> Response {
        try send("PUT", path, token: token ?? root(), headers: coding.map { [("Content-Encoding", $0)] } ?? [], body: body)
    }

    func get(_ path: String) throws -> Response { try send("GET", path, token: root()) }

    func setRetention(_ cache: CacheName, seconds: Int64) throws {
        let body = CacheConfig(retentionPeriod: .period(seconds: seconds)).json()
        #expect(try send("PATCH", Endpoint.cacheConfig(cache), token: root(), body: body).status == .ok)
    }
}

@Suite("Build logs")
struct BuildLogTests {
    @Test("come back as they were put, whichever way they were encoded", arguments: [
        (nil, StreamCoding.none), ("identity", .none), ("zstd", .zstd), ("ZSTD", .zstd), ("gzip", .gzip), ("x-gzip", .gzip),
        ("br", .brotli), ("xz", .xz),
    ])
    func codings(word: String?, coding: StreamCoding) throws {
        let fixture = try Fixture()
        try fixture.makeCache("hello", isPublic: true)
        #expect(try fixture.put("/hello/log/\(drv)", StreamEncoder.encode(text, coding), coding: word).status == .ok)
        let answer = try fixture.send("GET", "/hello/log/\(drv)")
        #expect(answer.status == .ok && answer.bytes == text)
        #expect(answer.header("Content-Type") == "text/plain; charset=utf-8")
        #expect(answer.header("X-Attic-Cache-Visibility") == "public")
        #expect(try fixture.send("HEAD", "/hello/log/\(drv)").status == .ok)
    }

    @Test("are refused where opening them would take much memory, as listings are, and it is said what to do instead", arguments: [
        // A window of 2^27 bytes, as zstd --long=27 asks for.
        ("zstd", [0x28, 0xb5, 0x2f, 0xfd, 0, 17 << 3, 3, 0, 0, 0x61]),
        // The head of what xz -9 makes; its dictionary is 64 MiB.
        ("xz", [
            0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0, 4, 0xe6, 0xd6, 0xb4, 0x46, 2, 0, 0x21, 1, 0x1c, 0, 0, 0, 0x10, 0xcf, 0x58, 0xcc, 1, 0, 5,
        ]),
        // Streams without a byte, of windows of 2^23 and 2^24.
        ("br", [0x3d]), ("br", [0x3f]),
    ] as [(String, [UInt8])])
    func largeWindows(coding: String, body: [UInt8]) throws {
        let fixture = try Fixture()
        try fixture.makeCache("hello")
        for url in ["/hello/log/\(drv)", "/hello/g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q.ls"] {
            let answer = try fixture.put(url, body, coding: coding)
            #expect(answer.status == .badRequest && answer.text.contains("smaller window"), "\(answer.text)")
            #expect(answer.bytes.count < 1024)
        }
        // And a window of 2^22 is no trouble.
        #expect(try fixture.put("/hello/log/\(drv)", [0x3b], coding: "br").status == .ok)
    }

    @Test("may be empty or long, and are replaced by the next")
    func lengths() throws {
        let fixture = try Fixture()
        try fixture.makeCache("hello")
        let long = Array(repeatElement(text, count: 300_000).joined())
        for body in [text, [], long] {
            #expect(try fixture.put("/hello/log/\(drv)", body).status == .ok)
            #expect(try fixture.get("/hello/log/\(drv)").bytes == body)
        }
    }

    @Test("go out as they are stored to who accepts that, and as they are to everyone else")
    func answers() throws {
        let fixture = try Fixture()
        try fixture.makeCache("hello")
        let long = Array(repeatElement(text, count: 1000).joined())
        let url = "/hello/log/\(drv)"
        #expect(try fixture.put(url, long).status == .ok)
        func get(_ headers: [(String, String)]) throws -> Response {
            try fixture.send("GET", url, token: fixture.root(), headers: headers)
        }
        // As Nix has asked since 2.14.
        let coded = try get([("Accept-Encoding", "zstd, br, gzip, deflate, bzip2, xz")])
        #expect(coded.header("Content-Encoding") == "zstd" && coded.header("Vary") == "Accept-Encoding")
        #expect(try StreamDecoder.decode(coded.bytes, .zstd, outputByteCountMax: long.count) == long)
        let gzip = try get([("Accept-Encoding", "gzip")])
        #expect(try StreamDecoder.decode(gzip.bytes, .gzip, outputByteCountMax: long.count) == long)
        let plain = try get([])
        #expect(plain.header("Content-Encoding") == nil && plain.bytes == long)
        let tag = try #require(plain.header("ETag"))
        #expect(try get([("If-None-Match", tag)]).status == .notModified)
        // What is too long for memory is opened while it is sent.
        let longer = Array(repeatElement(text, count: 60_000).joined())
        #expect(longer.count > Bounds.wholeTextBytesMax)
        #expect(try fixture.put(url, longer).status == .ok)
        let opened = try get([])
        guard case .stream(byteCount: Int64(longer.count), _) = opened.body else {
            Issue.record("it is whole in memory")
            return
        }
        #expect(opened.bytes == longer)
        #expect(try get([("Accept-Encoding", "zstd")]).header("Content-Encoding") == "zstd")
        #expect(try fixture.put(url, text).status == .ok)
        #expect(try get([("If-None-Match", tag)]).bytes == text)
    }

    @Test("are bounded as they come, decoded, and as they are stored; nothing of those beyond is kept")
    func bounds() throws {
        let fixture = try Fixture()
        try fixture.makeCache("hello")
        let zeros = [UInt8](repeating: 0, count: Bounds.buildLogBytesMax + 1)
        let noise = try TestPath("noise", seeds: [1], byteCount: Bounds.buildLogStoredBytesMax + 1024).nar
        for (body, coding) in [(zeros, nil), (StreamEncoder.encode(zeros, .zstd), "zstd"), (noise, nil)] {
            let answer = try fixture.put("/hello/log/\(drv)", body, coding: coding)
            #expect(answer.status == .contentTooLarge && answer.text.contains("the most that"), "\(answer.text)")
        }
        #expect(try fixture.get("/hello/log/\(drv)").status == .notFound)
    }

    @Test("in a coding that is not read here, or damaged, are refused with the reason")
    func damage() throws {
        let fixture = try Fixture()
        try fixture.makeCache("hello")
        let unknown = try fixture.put("/hello/log/\(drv)", text, coding: "bzip2")
        #expect(unknown.status == .unsupportedMediaType && unknown.text.contains("use zstd, gzip, br, xz or none"))
        #expect(try fixture.put("/hello/log/\(drv)", text, coding: "gzip, zstd").status == .unsupportedMediaType)
        let whole = StreamEncoder.encode(text, .gzip)
        for body in [text, Array(whole.dropLast()), whole + [1, 2]] {
            #expect(try fixture.put("/hello/log/\(drv)", body, coding: "gzip").status == .badRequest)
        }
        #expect(try fixture.get("/hello/log/\(drv)").status == .notFound)
    }

    @Test("are for those who may: pull reads, push writes, and strangers learn nothing")
    func permissions() throws {
        let fixture = try Fixture()
        try fixture.makeCache("hello")
        try fixture.makeCache("open", isPublic: true)
        let puller = try fixture.token([("hello", .pull)])
        let pusher = try fixture.token([("hello", .push)])
        let url = "/hello/log/\(drv)"
        #expect(try fixture.put(url, text, token: puller).status == .forbidden)
        #expect(try fixture.put(url, text, token: pusher).status == .ok)
        #expect(try fixture.send("GET", url, token: pusher).status == .forbidden)
        #expect(try fixture.send("GET", url, token: puller).bytes == text)
        #expect(try fixture.send("GET", url).status == .unauthorized)
        #expect(try fixture.send("PUT", url, body: text).status == .unauthorized)
        #expect(try fixture.send("PUT", "/open/log/\(drv)", body: text).status == .unauthorized)
        #expect(try fixture.send("GET", "/open/log/\(drv)").status == .notFound)
        #expect(try fixture.get("/none/log/\(drv)").status == .notFound)
        #expect(try fixture.send("POST", url, token: fixture.root(), body: text).header("Allow") == "GET, HEAD, PUT")
    }

    @Test("have names of derivations and no others", arguments: [
        "x", "..%2f..%2fetc", "g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-bar", "g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-.drv.drv%20", "%00.drv",
    ])
    func names(name: String) throws {
        let fixture = try Fixture()
        try fixture.makeCache("hello")
        for method in ["GET", "PUT"] {
            guard let answer = try? fixture.send(method, "/hello/log/\(name)", token: fixture.root()) else { continue }
            #expect(answer.status == .badRequest, "\(name)")
        }
    }

    @Test("stay a retention period after they were last read, and go with their cache")
    func retention() throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello")
        try fixture.setRetention(cache, seconds: 60)
        let other = drv.split(separator: "bar").joined(separator: "other")
        for name in [drv, other] { #expect(try fixture.put("/hello/log/\(name)", text).status == .ok) }
        fixture.advance(.seconds(50))
        #expect(try fixture.get("/hello/log/\(drv)").status == .ok)
        fixture.advance(.seconds(50))
        let report = try fixture.sweep()
        #expect(report.buildLogs == 1 && report.description.contains("0 packs, 1 build log removed"))
        #expect(try fixture.get("/hello/log/\(drv)").status == .ok)
        #expect(try fixture.get("/hello/log/\(other)").status == .notFound)
        #expect(try fixture.send("DELETE", Endpoint.cacheConfig(cache), token: fixture.root()).status == .ok)
        try fixture.sweep()
        try fixture.makeCache("hello")
        #expect(try fixture.get("/hello/log/\(drv)").status == .notFound)
    }
}

@Suite("Realisations")
struct RealisationHandlerTests {
    let hash = String(repeating: "0123456789abcdef", count: 4)

    func file(_ path: TestPath, signatures: String = "") -> [UInt8] {
        Array(#"{"dependentRealisations":{},"id":"sha256:\#(hash)!out","outPath":"\#(path.storePath)","signatures":[\#(signatures)]}"#.utf8)
    }

    @Test("come back signed by the cache's key, with the signatures that they had", arguments: ["!", "%21"], [":", "%3A"])
    func signatures(mark: String, colon: String) throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello")
        let path = try TestPath("ca", seeds: [1], byteCount: 100)
        let builder = try SigningKey.generate(name: "builder-1")
        let url = "/hello/realisations/sha256\(colon)\(hash)\(mark)out.doi"
        let id = try RealisationID(parsing: "sha256:\(hash)!out")
        let realisation = try Realisation(json: file(path), of: id).signed(by: builder)
        #expect(try fixture.put(url, realisation.json()).status == .ok)
        let answer = try fixture.get("/hello/realisations/sha256:\(hash)!out.doi")
        #expect(answer.status == .ok && answer.header("Content-Type") == "application/json")
        let found = try Realisation(json: answer.bytes, of: id)
        let config = try CacheConfig(json: fixture.get(Endpoint.cacheConfig(cache)).bytes)
        let key = try PublicKey(parsing: #require(config.publicKey))
        #expect(found.signatures.count == 2 && found.signatures[1] == realisation.signatures[0])
        #expect(key.verifies(signature: found.signatures[0], message: found.fingerprint()))
        // What a client has from here may come back: the cache's own signature is made anew.
        #expect(try fixture.put(url, answer.bytes).status == .ok)
        #expect(try fixture.get(url).bytes == answer.bytes)
    }

    @Test("of Nix from 2.35 on are kept by the derivation's path, with signatures in its form")
    func byDerivation() throws {
        let fixture = try Fixture()
        try fixture.makeCache("hello", isPublic: true)
        let path = try TestPath("ca", seeds: [1], byteCount: 100)
        let url = "/hello/build-trace-v2/\(drv)/out.doi"
        let body = Array(#"{"outPath":"\#(path.storePath)","signatures":[]}"#.utf8)
        #expect(try fixture.put(url, StreamEncoder.encode(body, .gzip), coding: "gzip").status == .ok)
        let answer = try fixture.send("GET", url)
        #expect(answer.status == .ok && answer.text.contains(#""signatures":[{"keyName":"hello","sig":""#))
        #expect(try fixture.send("GET", "/hello/build-trace-v2/\(drv)/dev.doi").status == .notFound)
        #expect(try fixture.send("GET", "/hello/realisations/sha256:\(hash)!out.doi").status == .notFound)
    }

    @Test("that contradict one whose path the cache has are refused, and say which it is")
    func contradiction() throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello")
        let (path, other) = (try TestPath("ca", seeds: [1], byteCount: 100), try TestPath("ca", seeds: [2], byteCount: 100))
        let url = "/hello/realisations/sha256:\(hash)!out.doi"
        _ = try fixture.push(path, to: cache)
        #expect(try fixture.put(url, file(path)).status == .ok)
        let refused = try fixture.put(url, file(other))
        #expect(refused.status == .badRequest && refused.text.contains("\(path.storePath)"), "\(refused.text)")
        #expect(refused.bytes.count < 1024)
        #expect(try fixture.get(url).text.contains("\(path.storePath)"))
    }

    @Test("that are malformed, too large or of another name are refused, and nothing is kept")
    func flaws() throws {
        let fixture = try Fixture()
        try fixture.makeCache("hello")
        let path = try TestPath("ca", seeds: [1], byteCount: 100)
        let url = "/hello/realisations/sha256:\(hash)!out.doi"
        for body in [[], Array("{".utf8), Array("{}".utf8), Array(file(path).dropLast())] {
            #expect(try fixture.put(url, body).status == .badRequest)
        }
        #expect(try fixture.put("/hello/realisations/sha256:\(hash)!dev.doi", file(path)).status == .badRequest)
        let signature = #""a\#("X"):\#(Base64.encode([UInt8](repeating: 0, count: 64)))""#
        let many = (0..<101).map { signature.split(separator: "X").joined(separator: "\($0)") }.joined(separator: ",")
        #expect(try fixture.put(url, file(path, signatures: many)).status == .badRequest)
        let blank = [UInt8](repeating: 0x20, count: Bounds.realisationBytesMax)
        #expect(try fixture.put(url, file(path) + blank).status == .contentTooLarge)
        #expect(try fixture.get(url).status == .notFound)
        for name in ["sha256:\(hash)", "sha256:\(hash)!out", "x.doi", "sha256:\(hash)!a%20b.doi"] {
            #expect(try fixture.get("/hello/realisations/\(name)").status == .badRequest, "\(name)")
        }
        #expect(try fixture.get("/hello/build-trace-v2/x/out.doi").status == .badRequest)
        #expect(try fixture.get("/hello/build-trace-v2/\(drv)").status == .notFound)
    }

    @Test("are for those who may")
    func permissions() throws {
        let fixture = try Fixture()
        try fixture.makeCache("hello")
        let path = try TestPath("ca", seeds: [1], byteCount: 100)
        let url = "/hello/realisations/sha256:\(hash)!out.doi"
        #expect(try fixture.put(url, file(path), token: fixture.token([("hello", .pull)])).status == .forbidden)
        #expect(try fixture.send("PUT", url, body: file(path)).status == .unauthorized)
        #expect(try fixture.put(url, file(path), token: fixture.token([("hello", .push)])).status == .ok)
        #expect(try fixture.send("GET", url).status == .unauthorized)
        #expect(try fixture.send("DELETE", url, token: fixture.root()).status == .methodNotAllowed)
    }

    @Test("go a collection after the object of their output path, and not before they are a day old")
    func collection() throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello")
        let path = try TestPath("ca", seeds: [1], byteCount: 100)
        let url = "/hello/realisations/sha256:\(hash)!out.doi"
        try fixture.setRetention(cache, seconds: 3600)
        _ = try fixture.push(path, to: cache)
        #expect(try fixture.put(url, file(path)).status == .ok)
        fixture.advance(.seconds(2 * 3600))
        #expect(try fixture.sweep().objects == 1)
        #expect(try fixture.get(url).status == .ok)
        fixture.advance(.seconds(22 * 3600))
        #expect(try fixture.sweep().realisations == 1)
        #expect(try fixture.get(url).status == .notFound)
    }

    @Test("and build logs are announced with their bounds")
    func announced() throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello")
        let config = try CacheConfig(json: fixture.get(Endpoint.cacheConfig(cache)).bytes)
        #expect(config.buildLogs == DocumentLimits(bytesMax: 64 << 20))
        #expect(config.realisations == DocumentLimits(bytesMax: 1 << 20))
    }
}
