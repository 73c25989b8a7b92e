import AtticAPI
import Encoding
import HTTP
import HTTPServer
import Nix
import Support
import Testing

@testable import AtticServer

/// What every request of every client has; docs/api.md, "Conformance", lists the rows.
@Suite("Conformance: every request")
struct RequestRowTests {
    let server: LoopbackFixture
    let path: TestPath
    let file: String

    init() throws {
        server = try LoopbackFixture()
        let cache = try server.fixture.makeCache("open", isPublic: true)
        try server.fixture.makeCache("closed")
        path = try TestPath("tool", seeds: [1], byteCount: 200_000)
        #expect(try server.fixture.push(path, to: cache).status == .ok)
        let closed = try #require(CacheName("closed"))
        #expect(try server.fixture.push(path, to: closed).status == .ok)
        file = try server.fixture.narInfo(path, in: cache).url
    }

    @Test("Methods: GET and HEAD read; what no client sends is a 405 that says what is taken", arguments: ["DELETE", "MKCOL", "PATCH", "OPTIONS", "POST"])
    func methods(_ method: String) throws {
        for target in ["/open/\(path.storePath.hash).narinfo", "/open/nix-cache-info", "/open/\(file)"] {
            let client = try ReplayConnection(.nix28, to: server)
            let answer = try client.send(method, target)
            #expect(answer.status == 405 && answer.header("Allow")?.hasPrefix("GET, HEAD") == true)
        }
    }

    @Test("HTTP version: in the clear it is HTTP/1.1, and an offer of HTTP/2 is passed over")
    func version() throws {
        let client = try server.connect()
        try client.send("GET /open/nix-cache-info HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n")
        #expect(try client.receiveAnswer()?.head.hasPrefix("HTTP/1.1 200 OK\r\n") == true)
        try client.send("GET /open/nix-cache-info HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(try client.receiveAnswer()?.status == 200)
    }

    @Test("Connections: 25 of one client are served at once and kept, through what is missing and what is refused")
    func connections() throws {
        let missing = String(repeating: "0", count: 32)
        let clients = try (0..<25).map { _ in try ReplayConnection(.nix28, to: server) }
        for _ in 0..<3 {
            for client in clients {
                for (target, status) in [
                    ("/open/\(path.storePath.hash).narinfo", 200), ("/open/\(missing).narinfo", 404), ("/closed/nix-cache-info", 401),
                ] {
                    let answer = try client.send("GET", target)
                    #expect(answer.status == status && answer.header("Connection") == nil)
                }
            }
        }
    }

    @Test("User-Agent: any client is answered alike", arguments: NixClient.all)
    func userAgent(_ client: NixClient) throws {
        let answer = try ReplayConnection(client, to: server).send("GET", "/open/nix-cache-info")
        #expect(answer.text == "WantMassQuery: 1\nStoreDir: /nix/store\nPriority: 41\nGetNarInfosV1: get-narinfos-v1\n")
    }

    @Test("Accept-Encoding: NARs and narinfos come as they are, whatever is accepted", arguments: NixClient.all)
    func acceptEncoding(_ client: NixClient) throws {
        let connection = try ReplayConnection(client, to: server)
        // A coding on a NAR would end resuming, and the file hash would be of other bytes.
        for target in ["/open/\(file)", "/open/nar/\(path.storePath.hash).nar", "/open/\(path.storePath.hash).narinfo"] {
            for _ in 0..<2 {
                let answer = try connection.send("GET", target)
                #expect(answer.status == 200 && answer.header("Content-Encoding") == nil)
            }
        }
    }

    @Test("Auth: the token is the password, at once with the first request, with a login or without one", arguments: [":TOKEN", "x:TOKEN", "a%20user:TOKEN"])
    func auth(_ form: String) throws {
        let token = try server.fixture.root()
        let value = Base64.encode(Array(form.replacing("TOKEN", with: token).utf8))
        let client = try server.connect()
        for scheme in ["Basic", "basic", "BASIC"] {
            try client.send("GET /closed/nix-cache-info HTTP/1.1\r\nHost: h\r\nAuthorization: \(scheme) \(value)\r\n\r\n")
            #expect(try client.receiveAnswer()?.status == 200)
        }
        for scheme in ["Bearer", "bearer"] {
            try client.send("GET /closed/nix-cache-info HTTP/1.1\r\nHost: h\r\nAuthorization: \(scheme) \(token)\r\n\r\n")
            #expect(try client.receiveAnswer()?.status == 200)
        }
    }

    @Test("Redirects: none are given; a narinfo's URL is of the cache itself")
    func redirects() throws {
        let client = try ReplayConnection(.nix234, to: server)
        for target in ["/open/nix-cache-info", "/open/\(path.storePath.hash).narinfo", "/open/\(file)"] {
            let answer = try client.send("GET", target)
            #expect(answer.status == 200 && answer.header("Location") == nil)
        }
    }

    @Test("Timeouts: nothing here ends before clients do, and a body that stalls is ended before they give up")
    func timeouts() {
        let limits = Limits()
        // From 2.35 on a connection is kept for 90 s; nobody keeps an idle one longer, and a client should be first to close.
        #expect(limits.idleTime >= .seconds(90))
        // A client gives up on less than a byte a second for 300 s. Nix up to 2.32 sends a PUT again without its body, and waits.
        #expect(limits.bodyProgressTime < .seconds(300) && limits.writeProgressTime < .seconds(300))
        #expect(limits.connectionsMax >= 25 * 100)
    }

    @Test("HEAD: no body, so that the connection goes on", arguments: NixClient.all)
    func head(_ client: NixClient) throws {
        let connection = try ReplayConnection(client, to: server)
        for target in ["/open/\(path.storePath.hash).narinfo", "/open/\(file)", "/open/\(String(repeating: "0", count: 32)).narinfo"] {
            let head = try connection.send("HEAD", target)
            let get = try connection.send("GET", target)
            #expect(head.status == get.status && head.header("Content-Length") == get.header("Content-Length"))
        }
    }

    @Test("Error text: short enough that Nix shows it, and a sentence", arguments: [
        "/open/nothing", "/open/short.narinfo", "/closed/nix-cache-info", "/open/\(String(repeating: "x", count: 3000)).narinfo",
    ])
    func errorText(_ target: String) throws {
        let answer = try ReplayConnection(.nix28, to: server).send("GET", target)
        #expect(answer.status >= 400 && answer.body.count < 1024)
        let body = try #require(try JSON.parse(answer.body).objectValue?["message"]?.stringValue)
        #expect(body.hasSuffix("."))
    }
}
