import Platform
import Support
import Testing

/// What a server might say to do something to whoever asks it.
private struct HostileAnswer: CustomTestStringConvertible {
    let testDescription: String
    let answer: FakeServer.Answer

    init(_ name: String, _ answer: FakeServer.Answer) { (testDescription, self.answer) = (name, answer) }

    private static func raw(_ name: String, _ text: String) -> HostileAnswer { HostileAnswer(name, .init(raw: text)) }
    private static func config(_ name: String, _ json: String) -> HostileAnswer { HostileAnswer(name, .init(body: json)) }

    private static let redirects: [HostileAnswer] = [301, 302, 303, 307, 308].map { status in
        HostileAnswer("a redirect to itself, \(status)", .init(status: status, headers: [("Location", "/_api/v1/cache-config/hello")]))
    }

    private static let words: [HostileAnswer] = [
        HostileAnswer("escape sequences", .error(400, "RequestError", #"\u001b[2J\u001b]0;title\u0007\u001bP+q\u001b\\"#)),
        HostileAnswer("sequences of one character", .error(401, "Unauthorized", "\u{9B}2J\u{9D}0;x\u{9C}")),
        HostileAnswer("lines of its own", .error(403, "AccessError", #"no\n✅ All done!\r❌ x"#)),
        HostileAnswer("another direction", .error(500, "InternalServerError", "\u{202E}enod llA")),
        HostileAnswer("a name of its own", .error(404, #"\u001b[31mNoSuchCache"#, "x")),
        HostileAnswer("a megabyte", .error(500, "InternalServerError", String(repeating: "x\u{1b}", count: 1 << 19).replacing("\u{1b}", with: #"\u001b"#))),
        HostileAnswer("a page", .init(status: 502, body: "<html>\u{1B}[2J</html>", headers: [("Content-Type", "text/html")])),
        config("a member that comes twice", #"{"\u001b[2J\nx":1,"\u001b[2J\nx":2}"#),
        config("a member that comes twice, and is long", "{\"\(String(repeating: "a", count: 1 << 20))\":1,\"\(String(repeating: "a", count: 1 << 20))\":2}"),
        config("no JSON", "\u{1B}[2J"), config("JSON that nests", String(repeating: "[", count: 1 << 20)),
        config("a list", "[]"), config("a number that is none", #"{"priority":1e999}"#), config("text for a truth", #"{"is_public":"\u001b"}"#),
    ]

    private static let messages: [HostileAnswer] = [
        raw("nothing", ""), raw("half a line", "HTTP/1.1 20"), raw("another protocol", "SSH-2.0-\u{1B}[2J\r\n"), raw("HTTP/2", "HTTP/2 200 OK\r\n\r\n"),
        raw("a reason with a sequence", "HTTP/1.1 500 \u{1B}[2J\r\nContent-Length: 0\r\n\r\n"),
        raw("a header with a sequence", "HTTP/1.1 200 OK\r\nX-\u{1B}[2J: y\r\nContent-Length: 2\r\n\r\n{}"),
        raw("a header that folds", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n X: y\r\n\r\n{}"),
        raw("bare line ends", "HTTP/1.1 200 OK\nContent-Length: 2\n\n{}"),
        raw("two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x"),
        raw("a length below zero", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}"),
        raw("a length beyond numbers", "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551617\r\n\r\n{}"),
        raw("a length beyond memory", "HTTP/1.1 200 OK\r\nContent-Length: 9000000000000000000\r\n\r\n{}"),
        raw("less than its length", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}"),
        raw("a chunk beyond numbers", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n{}"),
        raw("a chunk beyond memory", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7FFFFFFFFFFFFFFF\r\n{}"),
        raw("chunks without end", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + String(repeating: "10000\r\n" + String(repeating: " ", count: 65536) + "\r\n", count: 400)),
        raw("a coding that nobody asked for", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        raw("a head without end", "HTTP/1.1 200 OK\r\n" + String(repeating: "X: y\r\n", count: 40_000)),
        raw("interim answers without end", String(repeating: "HTTP/1.1 102 Processing\r\n\r\n", count: 1000)),
        raw("another protocol, unasked", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"),
        HostileAnswer("come again in 300 years", .init(status: 503, headers: [("Retry-After", "9999999999")])),
        HostileAnswer("come again, not a number", .init(status: 401, headers: [("WWW-Authenticate", "\u{1B}[2J")])),
    ]

    static let all = redirects + words + messages

    /// What nothing good can be made of by `tetryx use`; each in the place of a good value.
    static let settings: [HostileAnswer] = [
        "http://h/hello\\npost-build-hook = /tmp/x", "http://h/hello builders", "http://h/hello#", "http://h/\\u001b[2J", "http://user:pass@h/hello",
        "file:///etc", "ssh-ng://-oProxyCommand=x/", "s3://bucket", "daemon", "", "http://", "http:///hello", "https://h\\u0000/hello",
    ].map { config("the endpoint \($0)", #"{"substituter_endpoint":"\#($0)"}"#) } + [
        "hello:AAAA", "hello", "", ":", "a b:vlsd7ZHIXNnKXEQShVnd7erE8zcuSKrBWRpV6zTibnA=", "hello:vlsd7ZHIXNnKXEQShVnd7erE8zcuSKrBWRpV6zTibnA= x",
        "hello:vlsd7ZHIXNnKXEQShVnd7erE8zcuSKrBWRpV6zTibnA=\\nsandbox = false", "\\u001bhello:vlsd7ZHIXNnKXEQShVnd7erE8zcuSKrBWRpV6zTibnA=",
    ].map { config("the key \($0)", #"{"substituter_endpoint":"http://h/hello","public_key":"\#($0)"}"#) }
}

@Suite("tetryx against a hostile server")
struct HostileServerTests {
    private let tool: ClientTool

    init() throws { tool = try ClientTool() }

    private func expectHarmless(_ outcome: Subprocess.Outcome) {
        for text in [outcome.errorText, outcome.outputText] {
            #expect(!text.unicodeScalars.contains { $0.actsOnTerminals && $0 != "\n" }, "\(text.escapingControls())")
            #expect(text.utf8.count < 20_000)
            // One sentence, and one that says what to do; where it is waited for the server, one before that.
            #expect(text.split(separator: "\n").count { !$0.hasPrefix("⏳ ") } <= 2, "\(text.escapingControls())")
            #expect(text.split(separator: "\n").count { $0.hasPrefix("⏳ ") } <= 1, "\(text.escapingControls())")
        }
    }

    @Test("ends with a failure and a sentence, and asks nobody else", arguments: HostileAnswer.all)
    fileprivate func answers(_ hostile: HostileAnswer) throws {
        try FakeServer.run(answering: { _ in hostile.answer }) { server in
            _ = try tool.run("login", "local", server.endpoint, "eyJ.a.b")
            let outcome = try tool.run("cache", "info", "hello")
            #expect(!outcome.isSuccess)
            expectHarmless(outcome)
            #expect(server.requests.count <= 6)
        }
    }

    @Test("writes nothing into Nix's files that is not what it should be", arguments: HostileAnswer.settings)
    fileprivate func settings(_ hostile: HostileAnswer) throws {
        try FakeServer.run(answering: { _ in hostile.answer }) { server in
            _ = try tool.run("login", "local", server.endpoint, "eyJ.a.b")
            let outcome = try tool.run("use", "hello")
            #expect(outcome.status == .exited(1), "\(outcome.errorText)")
            expectHarmless(outcome)
            #expect(!File.exists(tool.home.file("config/nix/nix.conf")) && !File.exists(tool.home.file("config/nix/netrc")))
        }
    }

    @Test("keeps the passwords of other hosts, to which the server sends it")
    func netrc() throws {
        let netrc = "machine github.example password precious\n"
        try tool.home.write("netrc", text: netrc)
        try tool.home.write("config/nix/nix.conf", text: "netrc-file = \(tool.home.file("netrc"))\n")
        try FakeServer.run(answering: { _ in .init(body: #"{"substituter_endpoint":"http://github.example/hello"}"#) }) { server in
            _ = try tool.run("login", "local", server.endpoint, "eyJ.a.b")
            let outcome = try tool.run("use", "hello")
            #expect(outcome.status == .exited(1))
            #expect(outcome.errorText.contains("github.example, for which \(tool.home.file("netrc")) has another password"))
            #expect(!outcome.errorText.contains("precious") && !outcome.errorText.contains("eyJ.a.b"))
            #expect(tool.text("netrc") == netrc)
            #expect(tool.text("config/nix/nix.conf") == "netrc-file = \(tool.home.file("netrc"))\n")
        }
    }

    @Test("shows what a good answer says on lines of their own")
    func table() throws {
        let config = #"{"substituter_endpoint":"http://h/\#u{9B}2J","public_key":"k\#u{202E}","upstream_cache_key_names":["a\#u{85}b"]}"#
        try FakeServer.run(answering: { _ in .init(body: config) }) { server in
            _ = try tool.run("login", "local", server.endpoint, "eyJ.a.b")
            let outcome = try tool.run("cache", "info", "hello")
            #expect(outcome.isSuccess)
            #expect(!outcome.outputText.unicodeScalars.contains { $0.actsOnTerminals && $0 != "\n" })
            #expect(outcome.outputText.contains("http://h/\\u{9b}2J") && outcome.outputText.split(separator: "\n").count == 3)
        }
    }

    @Test("shows no token in what it says, whatever is wrong", arguments: [401, 403, 404, 500])
    func token(status: Int) throws {
        let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2VjcmV0LXNpZ25hdHVyZQ"
        try FakeServer.run(answering: { .error(status, "Unauthorized", "you sent \($0.headers["authorization"]?.count ?? 0) bytes") }) { server in
            let login = try tool.run("login", "local", server.endpoint, token)
            let info = try tool.run("cache", "info", "hello")
            for outcome in [login, info] {
                #expect(!(outcome.errorText + outcome.outputText).contains("c2VjcmV0"))
            }
        }
    }
}
