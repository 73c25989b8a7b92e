import Compression
import Crypto
import Encoding
import HTTP
import HTTPServer
import Logging
import Platform
import Support
import Testing

@testable import AtticServer

/// What plain Nix sees on its connection while it pushes, byte by byte.
@Suite("Pushing by plain Nix, over the wire")
struct PlainPushWireTests {
    /// A whole server on a port of its own.
    final class Wire {
        let fixture: Fixture
        let server: Server
        let token: String

        init(_ limits: Limits = Limits()) throws {
            fixture = try Fixture()
            try fixture.makeCache("hello")
            token = try fixture.root()
            var log = Logger(label: "test")
            log.logLevel = .critical
            server = try Server(
                listen: [ListenAddress(parsing: "127.0.0.1:0")], limits: limits, handler: fixture.application, loopCount: 1, log: log)
            server.start()
        }

        deinit { server.drain(timeout: .zero) }

        func connect() throws -> RawConnection { try RawConnection(to: server.boundAddresses[0]) }

        /// The head of a request as curl writes it.
        func head(_ method: String, _ url: String, _ more: String..., token: String?? = nil) -> String {
            let credentials = (token ?? self.token).map { "Authorization: Basic \(Base64.encode(Array(":\($0)".utf8)))\r\n" } ?? ""
            return "\(method) \(url) HTTP/1.1\r\nHost: h\r\n\(credentials)Accept: */*\r\n" + more.map { "\($0)\r\n" }.joined() + "\r\n"
        }
    }

    static let expect = "Expect: 100-continue"
    static let goOn = Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)

    @Test("the sequence of one path: on one connection, asked to go on at once, and answers to HEAD without a body")
    func sequence() throws {
        let wire = try Wire()
        let push = PlainPush(try TestPath("tool", seeds: [1], byteCount: 300_000), .xz)
        let client = try wire.connect()
        for url in ["/hello/\(push.narInfoURL)", "/hello/\(push.url)"] {
            try client.send(wire.head("HEAD", url))
            let answer = try #require(try client.receiveAnswer(hasBody: false))
            #expect(answer.status == 404)
        }
        for (url, body, type) in [
            ("/hello/\(push.url)", push.file, "application/x-nix-nar"), ("/hello/\(push.narInfoURL)", push.narInfo(), "text/x-nix-narinfo"),
        ] {
            try client.send(wire.head("PUT", url, "Content-Type: \(type)", "Content-Length: \(body.count)", Self.expect))
            #expect(try client.receive(Self.goOn.count) == Self.goOn)
            try client.send(body)
            let answer = try #require(try client.receiveAnswer())
            #expect(answer.status == 201 && answer.body.isEmpty)
            #expect(answer.header("Connection") == nil)
            // Where a body came after all, the next answer would begin with it.
            try client.send(wire.head("HEAD", url))
            let head = try #require(try client.receiveAnswer(hasBody: false))
            #expect(head.status == 200)
        }
        try client.send(wire.head("GET", "/hello/\(push.narInfoURL)"))
        #expect(try client.receiveAnswer()?.text.hasPrefix("StorePath: \(push.path.storePath.absolute())\n") == true)
    }

    @Test("a NAR may come in chunks of any size", arguments: StreamCoding.allCases)
    func chunked(_ coding: StreamCoding) throws {
        let wire = try Wire()
        let push = PlainPush(try TestPath("tool", seeds: [1], byteCount: 100_000), coding)
        let client = try wire.connect()
        try client.send(wire.head("PUT", "/hello/\(push.url)", "Transfer-Encoding: chunked", Self.expect))
        #expect(try client.receive(Self.goOn.count) == Self.goOn)
        var rest = push.file[...]
        var size = 1
        while !rest.isEmpty {
            let piece = rest.prefix(size)
            try client.send(Array("\(String(piece.count, radix: 16))\r\n".utf8) + piece + [13, 10])
            rest = rest.dropFirst(piece.count)
            size = size * 3 % 20_011
        }
        try client.send("0\r\n\r\n")
        #expect(try client.receiveAnswer()?.status == 201)
        let body = push.narInfo()
        try client.send(Array(wire.head("PUT", "/hello/\(push.narInfoURL)", "Content-Length: \(body.count)").utf8) + body)
        #expect(try client.receiveAnswer()?.status == 201)
    }

    @Test("what is refused is refused before the body, whether or not the client waits for that", arguments: [
        ("/hello/nix-cache-info", 10, 403), ("/hello/nar/HASH.nar.bz2", 10, 415), ("/hello/nar/HASH.nar.xz", 1 << 40, 413),
        ("/hello/00000000000000000000000000000000.narinfo", 2 << 20, 413), ("/hello/nar/HASH.nar.xz", 10, 401),
        ("/nothere/nar/HASH.nar.xz", 10, 404), ("/hello/00000000000000000000000000000000.narinfo", 10, 401),
    ], [true, false])
    func early(_ asked: (url: String, byteCount: Int, status: Int), waits: Bool) throws {
        let wire = try Wire()
        let client = try wire.connect()
        let url = asked.url.replacing("HASH", with: SHA256.digest(of: [1]).base32)
        let length = "Content-Length: \(asked.byteCount)"
        let token: String?? = asked.status == 401 ? .some(nil) : nil
        try client.send(waits ? wire.head("PUT", url, length, Self.expect, token: token) : wire.head("PUT", url, length, token: token))
        let answer = try #require(try client.receiveAnswer())
        #expect(answer.status == asked.status, "\(answer.text)")
        #expect(answer.body.count < 1024 && !answer.body.isEmpty)
    }

    @Test("a file that turns out wrong while it comes is refused where it does, and the client hears of it")
    func inTheMiddle() throws {
        let wire = try Wire()
        let client = try wire.connect()
        let url = "/hello/nar/\(SHA256.digest(of: [1]).base32).nar.xz"
        // Much more than the kernel's buffers hold is sent behind the first wrong byte.
        try client.send(wire.head("PUT", url, "Content-Length: 20000000"))
        for _ in 0..<200 { try client.send([UInt8](repeating: 65, count: 100_000)) }
        let answer = try #require(try client.receiveAnswer())
        #expect(answer.status == 400)
        #expect(answer.text.contains("xz"))
        #expect(answer.header("Connection") == "close")
        #expect(try wire.fixture.packBytes() == 0)
    }

    @Test("a body that stalls, as that of a PUT which old Nix sends again, is ended by a status that is final")
    func stalls() throws {
        var limits = Limits()
        limits.bodyProgressTime = .milliseconds(30)
        let wire = try Wire(limits)
        for url in ["/hello/nar/\(SHA256.digest(of: [1]).base32).nar.xz", "/hello/00000000000000000000000000000000.narinfo"] {
            let client = try wire.connect()
            try client.send(wire.head("PUT", url, "Content-Length: 100", Self.expect))
            #expect(try client.receive(Self.goOn.count) == Self.goOn)
            let answer = try #require(try client.receiveAnswer())
            #expect(answer.status == 400 && answer.text.contains("did not arrive in time"))
            #expect(answer.header("Connection") == "close")
        }
    }
}
