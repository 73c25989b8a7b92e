import AtticAPI
import Compression
import Crypto
import HTTP
import Nix
import Support
import Testing

@testable import AtticServer

/// What each generation sends when it pulls, in its order and with its headers, and what it needs of the answers; docs/api.md,
/// "Conformance", lists the rows.
@Suite("Conformance: pulling")
struct PullReplayTests {
    let server: LoopbackFixture
    let base: TestPath
    let app: TestPath
    let cache: CacheName
    let token: String

    init() throws {
        server = try LoopbackFixture()
        cache = try server.fixture.makeCache("closed")
        base = try TestPath("base", seeds: [1], byteCount: 1000)
        app = try TestPath("app", seeds: [2, 3, 4], byteCount: 300_000, references: [base])
        for path in [base, app] { #expect(try server.fixture.push(path, to: cache).status == .ok) }
        server.fixture.context.hot.forgetAll()
        token = try server.fixture.token([("closed", .pull)])
    }

    /// Reads what a NAR's URL gave as the narinfo says, and compares it with what was pushed.
    func check(_ answer: RawAnswer, _ info: NarInfo, _ path: TestPath) throws {
        #expect(answer.status == 200 && answer.header("Content-Type") == "application/x-nix-nar")
        #expect(answer.header("Content-Length") == String(answer.body.count) && info.fileSize == Int64(answer.body.count))
        #expect(info.fileHash == SHA256.digest(of: answer.body))
        let nar = try StreamDecoder.decode(answer.body, .zstd, outputByteCountMax: path.nar.count)
        #expect(nar == path.nar && info.narHash == SHA256.digest(of: nar) && info.narSize == Int64(nar.count))
    }

    @Test("Open: nix-cache-info, its StoreDir, WantMassQuery and Priority", arguments: NixClient.all)
    func open(_ client: NixClient) throws {
        let answer = try ReplayConnection(client, to: server, token: token).send("GET", "/closed/nix-cache-info")
        #expect(answer.status == 200 && answer.header("Content-Type") == "text/x-nix-cache-info")
        let lines = answer.text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        #expect(lines.prefix(3) == ["WantMassQuery: 1", "StoreDir: /nix/store", "Priority: 41"])
        // Older clients read `Key: value` lines and pass over keys that they do not know.
        #expect(lines.allSatisfy { $0.contains(": ") } && answer.text.hasSuffix("\n"))
    }

    @Test("Substitution: one GET of the narinfo and one of the NAR for each path, all on one connection", arguments: NixClient.all)
    func substitute(_ client: NixClient) throws {
        let connection = try ReplayConnection(client, to: server, token: token)
        #expect(try connection.send("GET", "/closed/nix-cache-info").status == 200)
        var infos: [NarInfo] = []
        for path in [app, base] {
            let answer = try connection.send("GET", "/closed/\(path.storePath.hash).narinfo")
            #expect(answer.status == 200 && answer.header("Content-Type") == "text/x-nix-narinfo")
            infos.append(try NarInfo.parse(answer.body))
        }
        for (info, path) in zip(infos, [app, base]) {
            try check(try connection.send("GET", "/closed/\(info.url)"), info, path)
        }
    }

    @Test("nix copy --from: narinfos by HEAD first, and then as in a substitution", arguments: NixClient.all)
    func copy(_ client: NixClient) throws {
        let connection = try ReplayConnection(client, to: server, token: token)
        #expect(try connection.send("GET", "/closed/nix-cache-info").status == 200)
        for _ in 0..<client.narInfoHeads {
            #expect(try connection.send("HEAD", "/closed/\(app.storePath.hash).narinfo").status == 200)
        }
        for path in [app, base] {
            let info = try NarInfo.parse(connection.send("GET", "/closed/\(path.storePath.hash).narinfo").body)
            try check(try connection.send("GET", "/closed/\(info.url)"), info, path)
        }
    }

    @Test("nix path-info: a HEAD, then narinfos", arguments: NixClient.all)
    func pathInfo(_ client: NixClient) throws {
        let connection = try ReplayConnection(client, to: server, token: token)
        #expect(try connection.send("HEAD", "/closed/\(app.storePath.hash).narinfo").status == 200)
        #expect(try connection.send("GET", "/closed/\(app.storePath.hash).narinfo").status == 200)
        #expect(try connection.send("HEAD", "/closed/\(String(repeating: "0", count: 32)).narinfo").status == 404)
    }

    @Test("narinfo grammar: lines of Key: value, the last with its end, Compression said, References once")
    func grammar() throws {
        let text = try ReplayConnection(.nix23, to: server, token: token).send("GET", "/closed/\(app.storePath.hash).narinfo").text
        #expect(text.hasSuffix("\n") && !text.contains("\n\n") && !text.contains("\r"))
        let keys = text.split(separator: "\n").map { $0.prefix { $0 != ":" } }
        for key in ["StorePath", "URL", "Compression", "FileHash", "FileSize", "NarHash", "NarSize", "References"] {
            #expect(keys.count { $0 == key } == 1)
        }
        for signature in text.split(separator: "\n").filter({ $0.hasPrefix("Sig: ") }) {
            // From 2.35 on a signature of another form fails the whole file.
            #expect(NarInfo.isSignature(String(signature.dropFirst(5))))
        }
    }

    @Test("URL: nar/… below the cache, the same by concatenation and by RFC 3986")
    func url() throws {
        for path in [app, base] {
            let url = try server.fixture.narInfo(path, in: cache).url
            #expect(url.hasPrefix("nar/") && url.hasSuffix(".nar.zst") && !url.contains("..") && !url.contains("?"))
        }
    }

    @Test("Compression: frames of zstd one after another, and nothing between them that 2.3.17 stumbles over")
    func frames() throws {
        let info = try server.fixture.narInfo(app, in: cache)
        let body = try ReplayConnection(.nix23, to: server, token: token).send("GET", "/closed/\(info.url)").body
        #expect(info.compression == "zstd" && body.starts(with: [0x28, 0xb5, 0x2f, 0xfd]))
        // Skippable frames begin with 0x184D2A50 to 0x184D2A5F, little end first (RFC 8878, section 3.1.2). Of random bytes as
        // long as these, one in thousands of tests would hold such four by chance; the seeds are fixed.
        #expect(!body.indices.dropLast(3).contains { body[$0] & 0xf0 == 0x50 && body[($0 + 1)...($0 + 3)] == [0x2a, 0x4d, 0x18] })
    }

    @Test("Resume: after a cut the rest comes by Range, without If-Range, as 206 with the same bytes and the same tag", arguments: NixClient.all)
    func resume(_ client: NixClient) throws {
        let info = try server.fixture.narInfo(app, in: cache)
        let whole = try ReplayConnection(client, to: server, token: token).send("GET", "/closed/\(info.url)")
        #expect(whole.header("Accept-Ranges") == "bytes" && whole.header("Content-Encoding") == nil)
        for offset in [1, 1000, whole.body.count / 2, whole.body.count - 1] {
            let rest = try ReplayConnection(client, to: server, token: token)
                .send("GET", "/closed/\(info.url)", more: ["Range: bytes=\(offset)-"])
            #expect(rest.status == 206 && rest.body == Array(whole.body[offset...]))
            #expect(rest.header("Content-Range") == "bytes \(offset)-\(whole.body.count - 1)/\(whole.body.count)")
            // Lix gives up where it is another.
            #expect(rest.header("ETag") == whole.header("ETag") && whole.header("ETag")?.hasPrefix("\"") == true)
        }
        let beyond = try ReplayConnection(client, to: server, token: token)
            .send("GET", "/closed/\(info.url)", more: ["Range: bytes=\(whole.body.count)-"])
        #expect(beyond.status == 416 && beyond.header("Content-Range") == "bytes */\(whole.body.count)")
    }

    @Test("A NAR that is gone: 404, and the next cache is asked; damaged: 503, never a short 200")
    func vanished() throws {
        let info = try server.fixture.narInfo(app, in: cache)
        let client = try ReplayConnection(.nix28, to: server, token: token)
        for pack in try server.fixture.store.packNames() { try server.fixture.cut(pack, to: 10) }
        let damaged = try client.send("GET", "/closed/\(info.url)")
        #expect(damaged.status == 503 && damaged.text.contains("IncompleteNar"))
        #expect(try client.send("GET", "/closed/nar/\(info.narHash.base32).nar.zst").status == 404)
    }

    @Test("Pipelined and split: requests that come together, or byte by byte, are answered in their order", arguments: [0, 1, 7])
    func pipelined(_ piece: Int) throws {
        let info = try server.fixture.narInfo(app, in: cache)
        let missing = String(repeating: "0", count: 32)
        let wanted: [(method: String, target: String, status: Int)] = [
            ("GET", "/closed/nix-cache-info", 200), ("HEAD", "/closed/\(app.storePath.hash).narinfo", 200),
            ("GET", "/closed/\(app.storePath.hash).narinfo", 200), ("GET", "/closed/\(missing).narinfo", 404),
            ("GET", "/closed/\(info.url)", 200), ("HEAD", "/closed/\(info.url)", 200), ("GET", "/closed/\(base.storePath.hash).narinfo", 200),
            ("DELETE", "/closed/nix-cache-info", 405), ("GET", "/closed/\(app.storePath.hash).closure.narinfo", 200),
        ]
        let bytes = Array(wanted.map { NixClient.nix28.head($0.method, $0.target, host: "h", token: token) }.joined().utf8)
        let client = try server.connect()
        var start = 0
        while start < bytes.count {
            let end = piece == 0 ? bytes.count : min(start + piece, bytes.count)
            try client.send(Array(bytes[start..<end]))
            start = end
        }
        for (method, target, status) in wanted {
            let answer = try #require(try client.receiveAnswer(hasBody: method != "HEAD"))
            #expect(answer.status == status, "\(method) \(target)")
            if method != "HEAD" { #expect(answer.header("Content-Length") == String(answer.body.count)) }
        }
    }

    @Test("nix log: the narinfo, then the log of its derivation, which may be missing", arguments: NixClient.all)
    func log(_ client: NixClient) throws {
        let connection = try ReplayConnection(client, to: server, token: token)
        #expect(try connection.send("GET", "/closed/\(app.storePath.hash).narinfo").status == 200)
        #expect(try connection.send("GET", "/closed/log/\(app.storePath.baseName).drv").status == 404)
        #expect(try connection.send("HEAD", "/closed/log/\(app.storePath.baseName).drv").status == 404)
    }

    @Test("nix store verify: every NAR again", arguments: NixClient.all)
    func verify(_ client: NixClient) throws {
        let connection = try ReplayConnection(client, to: server, token: token)
        for path in [app, base, app] {
            let info = try NarInfo.parse(connection.send("GET", "/closed/\(path.storePath.hash).narinfo").body)
            try check(try connection.send("GET", "/closed/\(info.url)"), info, path)
        }
    }

    @Test("Reading listings: up to today nix store ls and cat ask for the narinfo and the whole NAR", arguments: NixClient.all)
    func listings(_ client: NixClient) throws {
        let connection = try ReplayConnection(client, to: server, token: token)
        let info = try NarInfo.parse(connection.send("GET", "/closed/\(app.storePath.hash).narinfo").body)
        try check(try connection.send("GET", "/closed/\(info.url)"), info, app)
    }
}
