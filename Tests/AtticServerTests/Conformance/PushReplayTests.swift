import AtticAPI
import Compression
import Crypto
import HTTP
import Nix
import Support
import Testing

@testable import AtticServer

/// What each generation sends when it pushes by `nix copy --to`, in its order and with its headers; docs/api.md, "Conformance",
/// lists the rows.
@Suite("Conformance: pushing")
struct PushReplayTests {
    /// A path as a client pushes it: the file that it made, and what it says of it.
    struct Pushed {
        let path: TestPath
        let file: [UInt8]
        let info: NarInfo

        init(_ path: TestPath, _ coding: StreamCoding, word: String, suffix: String) throws {
            self.path = path
            file = coding == .none ? path.nar : StreamEncoder.encode(path.nar, coding)
            let fileHash = SHA256.digest(of: file)
            info = try NarInfo(
                storePath: path.storePath, url: "nar/\(fileHash.base32).nar\(suffix)", compression: word, fileHash: fileHash,
                fileSize: Int64(file.count), narHash: SHA256.digest(of: path.nar), narSize: Int64(path.nar.count),
                references: path.references.map(\.baseName))
        }

        var narInfoName: String { "\(path.storePath.hash).narinfo" }
        /// Of a NAR that is one file, as Nix writes it.
        var listing: [UInt8] {
            // The contents stand behind `nix-archive-1`, `(`, `type`, `regular`, `contents` and their length, in words of 8 bytes.
            let size = path.nar.count - 112 - (8 - (path.nar.count - 112) % 8) % 8
            return Array("{\"root\":{\"narOffset\":96,\"size\":\(size),\"type\":\"regular\"},\"version\":1}".utf8)
        }
    }

    static let taken: Set = [200, 201, 204]
    let server: LoopbackFixture
    let token: String
    let base: TestPath
    let app: TestPath

    init() throws {
        server = try LoopbackFixture()
        try server.fixture.makeCache("hello")
        token = try server.fixture.token([("hello", [.pull, .push])])
        base = try TestPath("base", seeds: [1], byteCount: 1000)
        app = try TestPath("app", seeds: [2, 3, 4], byteCount: 600_000, references: [base])
    }

    func connect(_ client: NixClient, token: String? = nil) throws -> ReplayConnection {
        try ReplayConnection(client, to: server, token: token ?? self.token)
    }

    /// One path, as all generations push it but for how often they look first.
    func push(_ pushed: Pushed, _ connection: ReplayConnection, listing: Bool = false) throws {
        for _ in 0..<max(1, connection.client.narInfoHeads - 1) {
            #expect(try connection.send("HEAD", "/hello/\(pushed.narInfoName)").status == 404)
        }
        if listing {
            // Before the NAR, and before anyone knows of the path.
            let put = try connection.put("/hello/\(pushed.path.storePath.hash).ls", type: "application/json", pushed.listing)
            #expect(Self.taken.contains(put.answer.status))
        }
        #expect(try connection.send("HEAD", "/hello/\(pushed.info.url)").status == 404)
        let nar = try connection.put("/hello/\(pushed.info.url)", type: "application/x-nix-nar", pushed.file)
        #expect(Self.taken.contains(nar.answer.status), "\(nar.answer.text)")
        #expect(nar.continued == connection.client.expectsContinue(byteCount: pushed.file.count))
        let info = try connection.put("/hello/\(pushed.narInfoName)", type: "text/x-nix-narinfo", pushed.info.rendered())
        #expect(Self.taken.contains(info.answer.status), "\(info.answer.text)")
    }

    @Test("nix copy --to: for each path HEAD narinfo, HEAD and PUT of the NAR, PUT narinfo; a second copy sends nothing", arguments: NixClient.all)
    func copy(_ client: NixClient) throws {
        let connection = try connect(client)
        #expect(try connection.send("GET", "/hello/nix-cache-info").status == 200)
        let pushed = [try Pushed(base, .xz, word: "xz", suffix: ".xz"), try Pushed(app, .xz, word: "xz", suffix: ".xz")]
        for one in pushed { #expect(try connection.send("GET", "/hello/\(one.narInfoName)").status == 404) }
        for one in pushed { try push(one, connection, listing: one.path.storePath == base.storePath) }
        // Another client, which remembers nothing.
        let second = try connect(client)
        #expect(try second.send("GET", "/hello/nix-cache-info").status == 200)
        for one in pushed {
            let answer = try second.send("GET", "/hello/\(one.narInfoName)")
            let info = try NarInfo.parse(answer.body)
            #expect(answer.status == 200 && info.narHash == one.info.narHash && info.references == one.info.references)
            // One that lost the narinfo, or pushes to another name, finds the file.
            #expect(try second.send("HEAD", "/hello/\(one.info.url)").status == 200)
            let nar = try second.send("GET", "/hello/\(info.url)")
            #expect(try StreamDecoder.decode(nar.body, .zstd, outputByteCountMax: one.path.nar.count) == one.path.nar)
        }
    }

    @Test("Bulk push of 2.36: all NARs first, the largest first and over several connections, then narinfos, what is referred to before what refers")
    func bulk() throws {
        let pushed = [try Pushed(app, .zstd, word: "zstd", suffix: ".zst"), try Pushed(base, .zstd, word: "zstd", suffix: ".zst")]
        let connections = try pushed.map { _ in try connect(.nix235) }
        for (one, connection) in zip(pushed, connections) {
            #expect(try connection.send("HEAD", "/hello/\(one.info.url)").status == 404)
            let put = try connection.put("/hello/\(one.info.url)", type: "application/x-nix-nar", one.file)
            #expect(Self.taken.contains(put.answer.status), "\(put.answer.text)")
        }
        for one in pushed {
            // Not visible until its narinfo is there.
            #expect(try connections[0].send("GET", "/hello/\(one.narInfoName)").status == 404)
        }
        for one in pushed.reversed() {
            let put = try connections[1].put("/hello/\(one.narInfoName)", type: "text/x-nix-narinfo", one.info.rendered())
            #expect(Self.taken.contains(put.answer.status), "\(put.answer.text)")
            #expect(try connections[0].send("GET", "/hello/\(one.narInfoName)").status == 200)
        }
    }

    @Test("PUT nar/…: in every compression that Nix writes and we read", arguments: [
        ("none", .none, ""), ("xz", .xz, ".xz"), ("zstd", .zstd, ".zst"), ("br", .brotli, ".br"), ("gzip", .gzip, ""),
    ] as [(String, StreamCoding, String)])
    func compressions(_ word: String, _ coding: StreamCoding, _ suffix: String) throws {
        let connection = try connect(.nix28)
        try push(try Pushed(base, coding, word: word, suffix: suffix), connection)
        try push(try Pushed(app, coding, word: word, suffix: suffix), connection)
    }

    @Test("PUT nar/… in what we do not read: 415 before the body, so that nobody sends it", arguments: [".bz2", ".lzip", ".lz4"])
    func unread(_ suffix: String) throws {
        let put = try connect(.nix28).put(
            "/hello/nar/\(SHA256.digest(of: [1]).base32).nar\(suffix)", type: "application/x-nix-nar", Array(repeating: 1, count: 1000))
        #expect(put.answer.status == 415 && !put.continued && put.answer.text.contains("zstd") && put.answer.body.count < 1024)
    }

    @Test("PUT narinfo, .ls and log with a Content-Encoding are decoded first")
    func coded() throws {
        let connection = try connect(.nix234)
        let pushed = try Pushed(base, .none, word: "none", suffix: "")
        let listing = try connection.put(
            "/hello/\(base.storePath.hash).ls", type: "application/json", StreamEncoder.encode(pushed.listing, .brotli), coding: "br")
        #expect(Self.taken.contains(listing.answer.status), "\(listing.answer.text)")
        #expect(Self.taken.contains(try connection.put("/hello/\(pushed.info.url)", type: "application/x-nix-nar", pushed.file).answer.status))
        let info = try connection.put(
            "/hello/\(pushed.narInfoName)", type: "text/x-nix-narinfo", StreamEncoder.encode(pushed.info.rendered(), .gzip), coding: "gzip")
        #expect(Self.taken.contains(info.answer.status), "\(info.answer.text)")
        #expect(try connection.send("GET", "/hello/\(pushed.narInfoName)").status == 200)
        let drv = "/hello/log/\(base.storePath.hash)-base.drv"
        let log = try connection.put(drv, type: "text/plain; charset=utf-8", StreamEncoder.encode(Array("built\n".utf8), .gzip), coding: "gzip")
        #expect(Self.taken.contains(log.answer.status), "\(log.answer.text)")
        #expect(try connection.send("GET", drv).text == "built\n")
    }

    @Test("PUT .ls: the same again is taken, another one is not")
    func listing() throws {
        let connection = try connect(.nix28)
        let pushed = try Pushed(base, .xz, word: "xz", suffix: ".xz")
        try push(pushed, connection, listing: true)
        let url = "/hello/\(base.storePath.hash).ls"
        #expect(Self.taken.contains(try connection.put(url, type: "application/json", pushed.listing).answer.status))
        let other = Array("{\"root\":{\"narOffset\":96,\"size\":1,\"type\":\"regular\"},\"version\":1}".utf8)
        #expect(try connection.put(url, type: "application/json", other).answer.status == 400)
    }

    @Test("PUT realisations/….doi and build-trace-v2/…: taken and given back", arguments: NixClient.all)
    func realisations(_ client: NixClient) throws {
        let connection = try connect(client)
        try push(try Pushed(base, .xz, word: "xz", suffix: ".xz"), connection)
        let id = "sha256:\(SHA256.digest(of: [7]).hex)!out"
        let body = "{\"dependentRealisations\":{},\"id\":\"\(id)\",\"outPath\":\"\(base.storePath.baseName)\",\"signatures\":[]}"
        let url = "/hello/realisations/\(id).doi"
        #expect(try connection.send("GET", url).status == 404)
        let put = try connection.put(url, type: "application/json", Array(body.utf8))
        #expect(Self.taken.contains(put.answer.status), "\(put.answer.text)")
        let answer = try connection.send("GET", url)
        #expect(answer.status == 200 && answer.text.contains(base.storePath.baseName))
    }

    @Test("debuginfo/…: not served, and said so by 404")
    func debugInfo() throws {
        let connection = try connect(.nix28)
        let url = "/hello/debuginfo/\(String(repeating: "ab", count: 20))"
        #expect(try connection.send("HEAD", url).status == 404)
        #expect(try connection.put(url, type: "application/json", Array("{}".utf8)).answer.status == 404)
    }

    @Test("Expect: 100-continue is answered at once, and a refusal comes instead of it", arguments: NixClient.all)
    func expectations(_ client: NixClient) throws {
        let reader = try server.fixture.token([("hello", .pull)])
        let large = [UInt8](repeating: 1, count: 2 << 20)
        for (token, status) in [("none", 401), (reader, 403)] {
            let put = try connect(client, token: token)
                .put("/hello/nar/\(SHA256.digest(of: large).base32).nar.xz", type: "application/x-nix-nar", large)
            #expect(put.answer.status == status && !put.continued)
        }
        // The bytes are not what their name says: nothing that a client would try again without a body.
        let wrong = try connect(client).put("/hello/nar/\(SHA256.digest(of: [1]).base32).nar.xz", type: "application/x-nix-nar", large)
        #expect(wrong.continued && wrong.answer.status == 400)
    }

    @Test("A narinfo whose NAR is not here is refused, and nothing is visible")
    func narFirst() throws {
        let connection = try connect(.nix28)
        let pushed = try Pushed(base, .xz, word: "xz", suffix: ".xz")
        let put = try connection.put("/hello/\(pushed.narInfoName)", type: "text/x-nix-narinfo", pushed.info.rendered())
        #expect(put.answer.status == 400)
        #expect(try connection.send("GET", "/hello/\(pushed.narInfoName)").status == 404)
    }
}
