import AtticAPI
import HTTP
import HTTPServer
import Logging
import Nix
import Platform
import Support
import Testing

@testable import AtticServer

/// Every row of `docs/hostile-requests.md`, sent to a whole server over a socket.
@Suite("Hostile requests")
struct HostileRequestTests {
    /// A server with a public cache `main`, a private one `secret`, and a path in each.
    final class Target {
        let fixture: Fixture
        let server: Server
        /// What the page's words stand for.
        let words: [String: String]
        let answered = Monitor(AccessBatch())
        /// What no answer may ever have in it: it stands in files beside the database, and in the private cache.
        static let treasure = "a treasure that nobody may read"

        init() throws {
            fixture = try Fixture()
            let main = try fixture.makeCache("main", isPublic: true)
            let secret = try fixture.makeCache("secret")
            let path = try TestPath("tool", seeds: [1], byteCount: 4000)
            #expect(try fixture.push(path, to: main).status == .ok)
            #expect(try fixture.push(TestPath("treasure", seeds: [2], byteCount: 800), to: secret).status == .ok)
            try fixture.directory.write("treasure", text: Self.treasure)
            let info = try fixture.narInfo(path, in: main)
            words = [
                "hash": path.storePath.hash.description, "nar": info.url, "token": try fixture.root(),
                "pull": try fixture.token([("main", .pull)]),
            ]
            var log = Logger(label: "test")
            log.logLevel = .critical
            let answered = answered
            server = try Server(
                listen: [ListenAddress(parsing: "127.0.0.1:0")], handler: fixture.application, loopCount: 1, log: log,
                accessLog: { new in answered.update { $0.append(new) } })
            server.start()
            // Asked for once, an answer comes from the loop: all rows find the same.
            _ = try send([Self.after], withoutBody: [])
        }

        deinit { server.drain(timeout: .zero) }

        static let before = Array("GET /main/nix-cache-info?before HTTP/1.1\r\nHost: h\r\n\r\n".utf8)
        static let after = Array("GET /main/nix-cache-info?after HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".utf8)

        /// Sends pieces over a connection of their own, ends the client's direction, and takes apart all that comes back.
        func send(_ pieces: [[UInt8]], withoutBody: Set<Int>) throws -> AnswerStream {
            let client = try RawConnection(to: server.boundAddresses[0])
            // A server that has refused what it saw need not take the rest.
            for piece in pieces { do { try client.send(piece) } catch { break } }
            client.shutdownWriting()
            let bytes = try client.receiveAll()
            #expect(!String(decoding: bytes, as: UTF8.self).contains(Self.treasure))
            return AnswerStream(bytes, withoutBody: withoutBody)
        }

        var requests: [String] {
            answered.withLock { answered in answered.records.map { String(decoding: answered.request(of: $0), as: UTF8.self) } }
        }
    }

    @Test("The page has a row for each of a hundred of them, each another one")
    func enough() throws {
        let rows = try HostileRequest.read()
        #expect(rows.count >= 100)
        #expect(Set(rows.map(\.text)).count == rows.count)
    }

    @Test("The host that counts is the one that the target names, for who may ask and for what is answered", arguments: [
        ("GET http://good/_api/v1/cache-config/main HTTP/1.1\r\nHost: evil\r\n\r\n", true),
        ("GET http://evil/_api/v1/cache-config/main HTTP/1.1\r\nHost: good\r\n\r\n", false),
        ("GET /_api/v1/cache-config/main HTTP/1.1\r\nHost: GOOD\r\n\r\n", true),
        ("GET /_api/v1/cache-config/main HTTP/1.1\r\nHost: evil\r\n\r\n", false),
        ("GET /_api/v1/cache-config/main HTTP/1.0\r\n\r\n", false),
    ])
    func hosts(_ request: String, isServed: Bool) throws {
        let fixture = try Fixture("allowed-hosts = [\"good\", \"cache.test\"]")
        try fixture.makeCache("main", isPublic: true)
        let head = try RequestHead(parsing: request)
        let refused = fixture.application.answerAtOnce(head)
        #expect((refused == nil) == isServed)
        let answer = fixture.application.respond(to: Request(head: head, id: "x", remoteAddress: "192.0.2.1", body: RequestBody()))
        let config = try CacheConfig(json: answer.bytes)
        #expect(answer.header("Cache-Control") == "no-store", "a cache between would give it to others")
        if isServed { #expect(config.apiEndpoint?.lowercased() == "http://good/") }
    }

    @Test("Every row gets its answer, however it comes, and what is hidden in it is never a request of its own")
    func table() throws {
        let target = try Target()
        for row in try HostileRequest.read() {
            let bytes = try row.bytes(target.words)
            let isHead = bytes.starts(with: "HEAD ".utf8)
            // Byte by byte; what is very long in pieces, for the sake of time.
            let pieceBytes = bytes.count > 4096 ? 509 : 1
            let pieces = stride(from: 0, to: bytes.count, by: pieceBytes).map { Array(bytes[$0..<min($0 + pieceBytes, bytes.count)]) }
            for (way, sent, first) in [
                ("whole, with another behind it", [bytes + Target.after], 0), ("byte by byte", pieces + [Target.after], 0),
                ("behind another", [Target.before + bytes + Target.after], 1),
            ] {
                let stream = try target.send(sent, withoutBody: isHead ? [first] : [])
                var expected = [row.status] + (row.goesOn ? [200] : [])
                if first == 1 { expected.insert(200, at: 0) }
                let comment = Comment(rawValue: "\(row), \(way)")
                #expect(stream.answers.map(\.status) == expected, comment)
                #expect(stream.answers.last?.saysClose == true, comment)
                #expect(stream.rest.isEmpty, comment)
            }
        }
        let smuggled = target.requests.filter { $0.contains("smuggled") }
        #expect(smuggled.isEmpty)
        // The server is as it was.
        for name in ["main", "secret"] {
            #expect(try target.fixture.send("GET", "/_api/v1/cache-config/\(name)", token: target.fixture.root()).status == .ok)
        }
        #expect(try target.fixture.send("GET", "/_api/v1/cache-config/evil", token: target.fixture.root()).status == .notFound)
    }
}
