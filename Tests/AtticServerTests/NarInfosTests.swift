import AtticAPI
import Encoding
import HTTP
import HTTPServer
import Nix
import Testing

@testable import AtticServer

/// Many narinfos in one answer: `get-narinfos-v1` and `closure.narinfo`.
@Suite("Many narinfos at once")
struct NarInfosTests {
    let fixture: Fixture
    let cache: CacheName
    /// `app` needs `library` and `base`, `library` needs `base`; `other` needs nothing.
    let (base, library, app, other): (TestPath, TestPath, TestPath, TestPath)

    init() throws {
        fixture = try Fixture()
        cache = try fixture.makeCache("hello", isPublic: true)
        base = try TestPath("base", seeds: [1], byteCount: 100)
        library = try TestPath("library", seeds: [2], byteCount: 100, references: [base])
        app = try TestPath("app", seeds: [3], byteCount: 100, references: [library, base])
        other = try TestPath("other", seeds: [4], byteCount: 100)
        for path in [base, library, app, other] { #expect(try fixture.push(path, to: cache).status == .ok) }
    }

    func post(_ body: String, method: String = "POST", token: String? = nil) throws -> Response {
        try fixture.send(method, "/hello/get-narinfos-v1", token: token, headers: [("Content-Type", "text/plain")], body: Array(body.utf8))
    }

    @Test("nix-cache-info says where many narinfos are had, relative to the cache")
    func announced() throws {
        let info = try CacheInfo.parse(fixture.send("GET", "/hello/nix-cache-info").bytes)
        #expect(info.narInfosReference == "get-narinfos-v1")
    }

    @Test("hashes are asked for a line each, and what there is comes as a JSON object a line", arguments: ["POST", "QUERY"])
    func lines(_ method: String) throws {
        let missing = String(repeating: "0", count: 32)
        let answer = try post("\(app.storePath.hash)\n\(missing)\n\(base.storePath.hash)\n\(app.storePath.hash)\n", method: method)
        #expect(answer.status == .ok && answer.header("Content-Type") == "application/x-ndjson")
        #expect(answer.text.hasSuffix("\n"))
        let lines = answer.text.split(separator: "\n")
        #expect(lines.count == 2)
        for (path, line) in [(app, lines.first { $0.contains("-app\"") }), (base, lines.first { $0.contains("-base\",\"storeDir") })] {
            let text = try #require(line)
            let object = try #require(try JSON.parse(Array(text.utf8)).objectValue)
            // The same as the narinfo says, signatures too.
            let info = try fixture.narInfo(path, in: cache)
            #expect(object["version"] == .integer(2))
            #expect(object["path"] == .string(path.storePath.baseName))
            #expect(object["storeDir"] == .string("/nix/store"))
            #expect(object["narHash"] == .string(NixHash(info.narHash).sri))
            #expect(object["narSize"] == .integer(info.narSize))
            #expect(object["references"] == .array(info.references.map { .string($0) }))
            #expect(object["ca"] == .null && object["deriver"] == .null)
            #expect(object["signatures"] == .array(info.signatures.map { .string($0) }))
            #expect(object["url"] == .string(info.url))
            #expect(object["compression"] == .string("zstd"))
            #expect(object["downloadSize"] == info.fileSize.map { .integer($0) })
            #expect(object["downloadHash"] == info.fileHash.map { .string(NixHash($0).sri) })
        }
    }

    @Test("what a path needs by way of its references is named beside it, once, and only where the cache has it")
    func hints() throws {
        let upstream = try TestPath("upstream", seeds: [11], byteCount: 100)
        let deep = try TestPath("deep", seeds: [12], byteCount: 100, references: [upstream])
        let middle = try TestPath("middle", seeds: [13], byteCount: 100, references: [deep, base])
        let top = try TestPath("top", seeds: [14], byteCount: 100, references: [middle])
        let side = try TestPath("side", seeds: [15], byteCount: 100, references: [middle])
        for path in [deep, middle, top, side] { #expect(try fixture.push(path, to: cache).status == .ok) }
        func named(_ asked: [TestPath]) throws -> [String] {
            let text = try post(asked.map { "\($0.storePath.hash)" }.joined(separator: "\n")).text
            return try text.split(separator: "\n").flatMap { line in
                let object = try #require(try JSON.parse(Array(line.utf8)).objectValue)
                return object["partialClosure"]?.arrayValue?.compactMap(\.stringValue) ?? []
            }.sorted()
        }
        let below = [deep, base].map(\.storePath.baseName).sorted()
        #expect(try named([top]) == below)
        // Either of them says it, and the other need not.
        #expect(try named([top, side]) == below)
        // What was asked for is known, and so is what an asked one refers to.
        #expect(try named([top, deep]) == [base.storePath.baseName])
        #expect(try named([top, middle]) == [])
        #expect(try named([middle]) == [])
    }

    @Test("asked for nothing it answers nothing; any white space separates; what is no hash is refused, and so are too many")
    func bodies() throws {
        #expect(try post("").bytes.isEmpty)
        #expect(try post(" \r\n\t\n").bytes.isEmpty)
        #expect(try post("\(app.storePath.hash)\r\n\(base.storePath.hash)").text.split(separator: "\n").count == 2)
        let wrong = try post("\(app.storePath.hash)\nnonsense\n")
        #expect(wrong.status == .badRequest && wrong.text.contains("\\\"nonsense\\\" is no store path hash"))
        #expect(try post("\(app.storePath.hash)x").status == .badRequest)
        func hash(_ number: Int) -> String {
            let digits = String(number)
            return String(repeating: "0", count: 32 - digits.utf8.count) + digits
        }
        let most = (0..<Bounds.narInfosMax).map(hash).joined(separator: "\n")
        #expect(try post(most).status == .ok)
        #expect(try post("\(most)\n\(app.storePath.hash)").status == .contentTooLarge)
        #expect(try post(String(repeating: "\n", count: Bounds.narInfosRequestBytesMax + 1)).status == .contentTooLarge)
    }

    @Test("it takes POST and QUERY, and says so")
    func methods() throws {
        for method in ["GET", "HEAD", "PUT", "DELETE"] {
            let answer = try fixture.send(method, "/hello/get-narinfos-v1")
            #expect(answer.status == .methodNotAllowed && answer.header("Allow") == "POST, QUERY")
        }
    }

    @Test("only what the visitor may pull from this cache is told")
    func permissions() throws {
        let secret = try fixture.makeCache("secret")
        let hidden = try TestPath("hidden", seeds: [9], byteCount: 100)
        #expect(try fixture.push(hidden, to: secret).status == .ok)
        #expect(try post("\(hidden.storePath.hash)").bytes.isEmpty)
        #expect(try fixture.send("POST", "/secret/get-narinfos-v1", body: hidden.storePath.hash.utf8).status == .unauthorized)
        let reader = try fixture.token([("secret", .pull)])
        #expect(try fixture.send("POST", "/secret/get-narinfos-v1", token: reader, body: hidden.storePath.hash.utf8).text.contains("-hidden"))
        #expect(try fixture.send("GET", "/secret/\(hidden.storePath.hash).closure.narinfo").status == .unauthorized)
    }

    @Test("a closure is the path's own narinfo, then those of what it needs, an empty line between them")
    func closure() throws {
        let answer = try fixture.send("GET", "/hello/\(app.storePath.hash).closure.narinfo")
        #expect(answer.status == .ok && answer.header("Content-Type") == "text/x-nix-narinfo")
        let singles = try [app, library, base].map { try fixture.send("GET", "/hello/\($0.storePath.hash).narinfo").text }
        #expect(answer.text == singles.joined(separator: "\n"))
        let alone = try fixture.send("GET", "/hello/\(other.storePath.hash).closure.narinfo")
        #expect(try alone.text == fixture.send("GET", "/hello/\(other.storePath.hash).narinfo").text)
        #expect(try fixture.send("HEAD", "/hello/\(app.storePath.hash).closure.narinfo").body.byteCount == Int64(answer.bytes.count))
    }

    @Test("who takes a coding gets many narinfos in it")
    func coded() throws {
        let url = "/hello/\(app.storePath.hash).closure.narinfo"
        let plain = try fixture.send("GET", url)
        for (accepted, coding) in [("zstd, br, gzip, deflate, bzip2, xz", "zstd"), ("deflate, gzip", "gzip")] {
            let coded = try fixture.send("GET", url, headers: [("Accept-Encoding", accepted)])
            #expect(coded.header("Content-Encoding") == coding && coded.header("Vary") == "Accept-Encoding")
            #expect(coded.bytes.count < plain.bytes.count && coded.header("ETag") != plain.header("ETag"))
            let tag = try #require(coded.header("ETag"))
            let again = try fixture.send("GET", url, headers: [("Accept-Encoding", accepted), ("If-None-Match", tag)])
            #expect(again.status == .notModified)
            let body = Array("\(app.storePath.hash)\n\(base.storePath.hash)".utf8)
            let bulk = try fixture.send("POST", "/hello/get-narinfos-v1", headers: [("Accept-Encoding", accepted)], body: body)
            #expect(bulk.header("Content-Encoding") == coding && bulk.header("ETag") == nil)
        }
    }

    @Test("a closure leaves out what the cache does not have; without the path itself there is none")
    func partialClosure() throws {
        let upstream = try TestPath("upstream", seeds: [7], byteCount: 100)
        let ours = try TestPath("ours", seeds: [8], byteCount: 100, references: [upstream, base])
        #expect(try fixture.push(ours, to: cache).status == .ok)
        let answer = try fixture.send("GET", "/hello/\(ours.storePath.hash).closure.narinfo").text
        #expect(answer.contains("-ours\n") && answer.contains("StorePath: /nix/store/\(base.storePath.baseName)\n"))
        #expect(!answer.contains("StorePath: /nix/store/\(upstream.storePath.baseName)"))
        let none = try fixture.send("GET", "/hello/\(upstream.storePath.hash).closure.narinfo")
        #expect(none.status == .notFound && none.text.contains("NoSuchObject"))
        #expect(try fixture.send("GET", "/hello/short.closure.narinfo").status == .badRequest)
    }
}
