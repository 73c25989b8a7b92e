import Platform
import Support
import Testing

@Suite("tetryx")
struct TetryxTests {
    private let tool: ClientTool
    private static let key = "hello:vlsd7ZHIXNnKXEQShVnd7erE8zcuSKrBWRpV6zTibnA="

    init() throws { tool = try ClientTool() }

    private func login(_ server: FakeServer) throws { _ = try tool.run("login", "local", server.endpoint, "eyJ.a.b") }

    @Test("The first server becomes the default one; another one only where it is told")
    func servers() throws {
        let first = try tool.run("login", "local", "http://localhost:8080", "eyJhbGciOiJIUzI1NiJ9.e30.c2ln")
        #expect(first.status == .exited(0))
        #expect(first.errorText == "✍️ Configuring server \"local\"\n" && first.outputText.isEmpty)
        #expect(try File.status(tool.home.file("config/tetryx/config.toml")).permissions == 0o600)
        _ = try tool.run("login", "second", "http://second")
        #expect(tool.text("config/tetryx/config.toml").hasPrefix("default-server = \"local\"\n"))
        _ = try tool.run("login", "third", "http://third", "--set-default")
        #expect(tool.text("config/tetryx/config.toml") == """
            default-server = "third"

            [servers.local]
            endpoint = "http://localhost:8080"
            token = "eyJhbGciOiJIUzI1NiJ9.e30.c2ln"

            [servers.second]
            endpoint = "http://second"

            [servers.third]
            endpoint = "http://third"

            """)
    }

    @Test("A token that cannot be right is kept, with a warning")
    func doubtfulToken() throws {
        let rubbish = try tool.run("login", "local", "http://localhost", "secret")
        #expect(rubbish.isSuccess && rubbish.errorText.contains("⚠️ This does not look like a token"))
        // {"exp":1}
        let expired = try tool.run("login", "local", "http://localhost", "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjF9.c2ln")
        #expect(expired.isSuccess && expired.errorText.contains("⚠️ The token expired on Thu, 01 Jan 1970 00:00:01 GMT"))
    }

    @Test("A token comes from standard input or stays in its file, and a known server keeps its own")
    func tokens() throws {
        _ = try tool.run("login", "a", "http://a", "-", input: "eyJ.from.stdin\n")
        #expect(tool.text("config/tetryx/config.toml").contains("token = \"eyJ.from.stdin\"\n"))
        let again = try tool.run("login", "a", "http://a/base")
        #expect(again.errorText == "✍️ Overwriting server \"a\"\n")
        #expect(tool.text("config/tetryx/config.toml").contains("endpoint = \"http://a/base\"\ntoken = \"eyJ.from.stdin\"\n"))
        let elsewhere = try tool.run("login", "a", "http://b")
        #expect(elsewhere.errorText.contains("is not kept"))
        #expect(!tool.text("config/tetryx/config.toml").contains("eyJ.from.stdin"))
        try File.replace(tool.home.file("secret"), with: Array("eyJ.in.file\n".utf8), permissions: 0o600)
        let file = try tool.run("login", "b", "http://b", "--token-file", tool.home.file("secret"))
        #expect(file.isSuccess)
        #expect(tool.text("config/tetryx/config.toml").contains("token-file = \"\(tool.home.file("secret"))\"\n"))
        #expect(try tool.run("login", "b", "http://b", "--token-file", tool.home.file("none")).status == .exited(1))
    }

    @Test("A configuration with a line that nobody knows is neither used nor changed")
    func unknownKey() throws {
        let text = "[servers.a]\nendpoint = \"http://a\"\ncolour = \"x\"\n"
        try tool.home.write("config/tetryx/config.toml", text: text)
        let outcome = try tool.run("login", "b", "http://b")
        #expect(outcome.status == .exited(2))
        #expect(outcome.errorText.contains("config.toml:3:1: unknown key \"colour\""))
        #expect(tool.text("config/tetryx/config.toml") == text)
    }

    @Test("Where nobody answers it ends with 4, and asks whether atticd is running", arguments: [
        ["cache", "info", "hello"], ["cache", "create", "hello"], ["cache", "destroy", "hello", "--no-confirm"], ["use", "hello"],
        ["cache", "configure", "hello", "--public"], ["push", "hello", "/nix/store/x"],
    ])
    func unreachable(arguments: [String]) throws {
        // A port that was free a moment ago, and that nobody listens at.
        let endpoint = try FakeServer.run(answering: { _ in .init() }) { $0.endpoint }
        _ = try tool.run("login", "local", endpoint)
        let outcome = try tool.run(arguments)
        #expect(outcome.status == .exited(4))
        #expect(outcome.errorText.contains("Is atticd running at \(endpoint)?"))
    }

    @Test("Without a terminal nothing is asked before a cache is destroyed: its name is the input's line, or the one line says what to give")
    func destroyWithoutTerminal() throws {
        try FakeServer.run(answering: { _ in .init() }) { server in
            try login(server)
            let kept = try tool.run("cache", "destroy", "hello", input: "hallo\n")
            #expect(kept.status == .exited(1))
            #expect(kept.errorText == "❌ that is not its name; \"hello\" on \"local\" is as it was\n")
            let unanswered = try tool.run("cache", "destroy", "hello")
            #expect(unanswered.status == .exited(1))
            #expect(unanswered.errorText == "❌ nothing was typed, so \"hello\" on \"local\" is as it was; in a script, say --no-confirm\n")
            #expect(server.requests.isEmpty)
        }
    }

    @Test("A cache is created, configured, shown and destroyed with the tutorial's words")
    func caches() throws {
        let config = #"{"substituter_endpoint":"http://h/hello","public_key":"\#(Self.key)","is_public":false,"priority":41}"#
        try FakeServer.run(answering: { $0.method == "GET" ? .init(body: config) : .init() }) { server in
            try login(server)
            let created = try tool.run("cache", "create", "hello")
            #expect(created.isSuccess && created.errorText == "✨ Created cache \"hello\" on \"local\"\n")
            let configured = try tool.run("cache", "configure", "local:hello", "--public")
            #expect(configured.isSuccess && configured.errorText == "✅ Configured \"hello\" on \"local\"\n")
            _ = try tool.run("cache", "configure", "hello", "--retention-period", "1s", "--upstream-cache-key-name", "")
            _ = try tool.run("cache", "configure", "hello", "--reset-retention-period")
            let info = try tool.run("cache", "info", "hello")
            #expect(info.isSuccess && info.errorText.isEmpty)
            #expect(info.outputText.hasPrefix("               Public: false\n           Public Key: \(Self.key)\n"))
            let destroyed = try tool.run("cache", "destroy", "hello", input: "hello\n")
            #expect(destroyed.isSuccess && destroyed.errorText == "🗑️ Destroyed cache \"hello\" on \"local\"\n")

            let requests = server.requests
            #expect(requests.map(\.method) == ["POST", "PATCH", "PATCH", "PATCH", "GET", "DELETE"])
            #expect(requests.allSatisfy { $0.path == "/_api/v1/cache-config/hello" && $0.headers["authorization"] == "Bearer eyJ.a.b" })
            #expect(requests[0].bodyText == #"{"keypair":"Generate","is_public":false,"store_dir":"/nix/store","priority":41,"upstream_cache_key_names":["cache.nixos.org-1"]}"#)
            #expect(requests[1].bodyText == #"{"is_public":true}"#)
            #expect(requests[2].bodyText == #"{"upstream_cache_key_names":[],"retention_period":{"Period":1}}"#)
            #expect(requests[3].bodyText == #"{"retention_period":"Global"}"#)
        }
    }

    @Test("Nix is configured with the tutorial's words, and a second run changes nothing")
    func use() throws {
        let config = #"{"substituter_endpoint":"http://localhost:8080/hello","public_key":"\#(Self.key)"}"#
        try FakeServer.run(answering: { _ in .init(body: config) }) { server in
            try login(server)
            let outcome = try tool.run("use", "hello")
            #expect(outcome.isSuccess && outcome.outputText.isEmpty)
            #expect(outcome.errorText == """
                Configuring Nix to use "hello" on "local":
                + Substituter: http://localhost:8080/hello
                + Trusted Public Key: \(Self.key)
                + Access Token

                """)
            let conf = tool.text("config/nix/nix.conf")
            #expect(conf.contains("extra-substituters = http://localhost:8080/hello\n") && conf.contains(Self.key))
            #expect(tool.text("config/nix/netrc") == "machine localhost password eyJ.a.b\n")
            #expect(try tool.run("use", "hello").isSuccess)
            #expect(tool.text("config/nix/nix.conf") == conf)
            #expect(tool.text("config/nix/netrc") == "machine localhost password eyJ.a.b\n")
        }
    }

    @Test("What the server refuses ends with 3 where a permission is missing, else with 1", arguments: [
        (401, "Unauthorized", 3), (403, "AccessError", 3), (404, "NoSuchCache", 1), (400, "RequestError", 1), (500, "InternalServerError", 1),
    ])
    func refused(status: Int, error: String, code: Int32) throws {
        try FakeServer.run(answering: { _ in .error(status, error, "Words of the server.") }) { server in
            try login(server)
            let outcome = try tool.run("cache", "info", "hello")
            #expect(outcome.status == .exited(code))
            #expect(outcome.errorText.hasPrefix("❌ cannot read the configuration of \"hello\" on \"local\": "))
            #expect(outcome.outputText.isEmpty)
        }
    }

    @Test("A server that is busy is asked again, as soon as it says")
    func busy() throws {
        let isFirst = Monitor(true)
        let answer: @Sendable (FakeServer.Request) -> FakeServer.Answer = { _ in
            let busy = isFirst.update { first in defer { first = false }; return first }
            return busy ? .init(status: 503, headers: [("Retry-After", "0")]) : .init()
        }
        try FakeServer.run(answering: answer) { server in
            try login(server)
            #expect(try tool.run("cache", "create", "hello").isSuccess)
            #expect(server.requests.count == 2)
        }
    }
}
