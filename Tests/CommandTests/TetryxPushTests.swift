import Compression
import Platform
import Support
import Testing

/// Pushes from a store that a real Nix made in a temporary directory, to a server that only pretends.
@Suite("tetryx push", .enabled(if: isNixThere || Subprocess.ownEnvironment["CI"] != nil, "there is no nix-store here"))
struct TetryxPushTests {
    private var tool: ClientTool
    /// Base names; each needs the ones before it.
    private let chain: [String]
    private let store: String

    init() throws {
        tool = try ClientTool()
        let home = tool.home
        store = home.file("store")
        var environment = Subprocess.ownEnvironment
        let own = [
            "HOME": home.path, "NIX_STORE_DIR": store, "NIX_STATE_DIR": home.file("var"), "NIX_LOG_DIR": home.file("log"),
            "NIX_CONF_DIR": home.file("etc"), "NIX_DAEMON_SOCKET_PATH": home.file("socket"),
        ]
        environment.merge(own) { $1 }
        environment["NIX_REMOTE"] = nil
        tool.environment = own
        try Directory.make(store)
        try home.write("etc/nix.conf", text: "sandbox = false\nbuild-users-group =\nsubstituters =\n")
        try home.write("chain.nix", text: """
            let mk = name: needs: derivation {
              inherit name; system = builtins.currentSystem; builder = "/bin/sh";
              args = [ "-c" "echo $name $needs > $out" ]; inherit needs;
            };
            in rec { a = mk "a" ""; b = mk "b" "${a}"; c = mk "c" "${a} ${b}"; }
            """)
        let built = try Subprocess.run(["nix-build", "--no-out-link", home.file("chain.nix")], environment: environment)
        try #require(built.isSuccess, "\(built.errorText)")
        chain = built.outputText.split(separator: "\n").map { String($0.split(separator: "/").last ?? "") }
    }

    /// A server that lacks `missing`, and does with uploads what it is told.
    private func answer(
        missing: [String]? = nil, upload: @escaping @Sendable (FakeServer.Request) -> FakeServer.Answer,
        together: (@Sendable (FakeServer.Request) -> FakeServer.Answer)? = nil
    ) -> @Sendable (FakeServer.Request) -> FakeServer.Answer {
        let missing = (missing ?? chain).map { "\"\($0.prefix(32))\"" }.joined(separator: ",")
        let limits = together == nil ? "" : #","upload_paths":{"paths_max":9,"nar_bytes_max":99999,"info_bytes_max":99999}"#
        let config = #"{"store_dir":"\#(store)","upstream_cache_key_names":[]\#(limits)}"#
        return { request in
            switch request.path {
            case "/_api/v1/cache-config/hello": .init(body: config)
            case "/_api/v1/get-missing-paths": .init(body: #"{"missing_paths":[\#(missing)]}"#)
            case "/_api/v1/upload-path": upload(request)
            case "/_api/v1/upload-paths": together?(request) ?? .error(404, "NotFound", "The URL you requested was not found.")
            default: .error(404, "NotFound", "The URL you requested was not found.")
            }
        }
    }

    private let uploaded: @Sendable (FakeServer.Request) -> FakeServer.Answer = { _ in
        .init(body: #"{"kind":"Uploaded","file_size":100,"frac_deduplicated":0.4}"#)
    }

    private func path(_ name: String) -> String { "\(store)/\(name)" }

    @Test("What a path needs goes first, and the lines are the tutorial's")
    func closure() throws {
        try FakeServer.run(answering: answer(upload: uploaded)) { server in
            _ = try tool.run("login", "local", server.endpoint, "eyJ.a.b")
            let outcome = try tool.run("push", "hello", path(chain[2]), "-j", "3")
            #expect(outcome.isSuccess, "\(outcome.errorText)")
            #expect(outcome.outputText.isEmpty)
            let lines = outcome.errorText.split(separator: "\n").map(String.init)
            #expect(lines.first == "⚙️ Pushing 3 paths to \"hello\" on \"local\" (0 already cached, 0 in upstream)...")
            #expect(lines.count == 4)
            for (line, name) in zip(lines.dropFirst(), chain) {
                #expect(line.hasPrefix("✅ \(name) (") && line.hasSuffix("B/s, 40.0% deduplicated)"))
            }
            let uploads = server.requests.filter { $0.method == "PUT" }
            #expect(uploads.count == 3)
            for (upload, name) in zip(uploads, chain) {
                let info = try #require(upload.headers["x-attic-nar-info"])
                #expect(info.contains(#""store_path":"\#(path(name))""#))
                #expect(info.contains(#""nar_size":\#(upload.body.count)"#))
                #expect(upload.body.starts(with: [13, 0, 0, 0, 0, 0, 0, 0] + Array("nix-archive-1".utf8)))
            }
        }
    }

    @Test("Small paths go in one request to a server that takes several, in frames, with a line each")
    func together() throws {
        let results = chain.map { #"{"kind":"Uploaded","file_size":9,"store_path_hash":"\#($0.prefix(32))"}"# }.joined(separator: ",")
        let accepted: @Sendable (FakeServer.Request) -> FakeServer.Answer = { _ in .init(body: #"{"results":[\#(results)]}"#) }
        try FakeServer.run(answering: answer(upload: uploaded, together: accepted)) { server in
            _ = try tool.run("login", "local", server.endpoint, "eyJ.a.b")
            let outcome = try tool.run("push", "hello", path(chain[2]))
            #expect(outcome.isSuccess, "\(outcome.errorText)")
            let lines = outcome.errorText.split(separator: "\n").map(String.init)
            #expect(lines.count == 4)
            for (line, name) in zip(lines.dropFirst(), chain) { #expect(line.hasPrefix("✅ \(name) (") && line.hasSuffix("B/s)")) }
            let uploads = server.requests.filter { $0.method == "PUT" }
            #expect(uploads.map(\.path) == ["/_api/v1/upload-paths"])
            var rest = (uploads.first?.body ?? [])[...]
            for name in chain {
                let byteCount = rest.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
                rest = rest.dropFirst(8)
                let info = String(decoding: rest.prefix(byteCount), as: UTF8.self)
                #expect(info.contains(#""store_path":"\#(path(name))""#))
                rest = rest.dropFirst(byteCount)
                #expect(rest.starts(with: [13, 0, 0, 0, 0, 0, 0, 0] + Array("nix-archive-1".utf8)))
                let narSize = try #require(info.firstMatch(of: /"nar_size":([0-9]+)/).flatMap { Int($0.1) })
                rest = rest.dropFirst(narSize)
            }
            #expect(rest.isEmpty)
        }
    }

    @Test("What is refused together is sent path by path, so that each error is told for its path", arguments: [400, 404, 413])
    func refusedTogether(status: Int) throws {
        let failing = "\"store_path\":\"\(store)/\(chain[1])\""
        let upload: @Sendable (FakeServer.Request) -> FakeServer.Answer = { request in
            request.headers["x-attic-nar-info"]?.contains(failing) == true
                ? .error(400, "RequestError", "General request error: no.") : .init(body: #"{"kind":"Deduplicated"}"#)
        }
        let refused: @Sendable (FakeServer.Request) -> FakeServer.Answer = { _ in .error(status, "RequestError", "Not these.") }
        try FakeServer.run(answering: answer(upload: upload, together: refused)) { server in
            _ = try tool.run("login", "local", server.endpoint)
            let outcome = try tool.run("push", "hello", path(chain[2]))
            #expect(outcome.status == .exited(5))
            #expect(outcome.errorText.split(separator: "\n").map(String.init).dropFirst() == [
                "✅ \(chain[0]) (deduplicated)",
                "❌ \(chain[1]): cannot push to \"hello\" on \"local\": General request error: no.",
                "❌ \(chain[2]): not pushed, since it needs \(chain[1]), which was not pushed",
                "❌ 2 of 3 paths were not pushed to \"hello\" on \"local\"",
            ])
            let uploads = server.requests.filter { $0.method == "PUT" }.map(\.path)
            #expect(uploads == ["/_api/v1/upload-paths", "/_api/v1/upload-path", "/_api/v1/upload-path"])
        }
    }

    @Test("An answer about other paths is not believed")
    func otherPaths() throws {
        let others: @Sendable (FakeServer.Request) -> FakeServer.Answer = { _ in .init(body: #"{"results":[]}"#) }
        try FakeServer.run(answering: answer(upload: uploaded, together: others)) { server in
            _ = try tool.run("login", "local", server.endpoint)
            let outcome = try tool.run("push", "hello", path(chain[2]))
            #expect(outcome.status == .exited(1) && outcome.errorText.contains("about other paths than were sent"))
        }
    }

    @Test("One path alone, named on standard input through a link, with its info before the NAR")
    func alone() throws {
        let link = tool.home.file("result")
        #expect(try Subprocess.run(["ln", "-s", path(chain[2]), link]).isSuccess)
        try FakeServer.run(answering: answer(upload: uploaded)) { server in
            _ = try tool.run("login", "local", server.endpoint)
            let outcome = try tool.run("push", "hello", "--stdin", "--no-closure", "--force-preamble", input: "\(link)\n\n")
            #expect(outcome.isSuccess, "\(outcome.errorText)")
            let uploads = server.requests.filter { $0.method == "PUT" }
            #expect(uploads.count == 1)
            let size = try #require(uploads.first?.headers["x-attic-nar-info-preamble-size"].flatMap { Int($0) })
            let body = try #require(uploads.first?.body)
            #expect(body[0] == UInt8(ascii: "{") && body[size - 1] == UInt8(ascii: "}"))
            #expect(body[size...].starts(with: [13, 0, 0, 0, 0, 0, 0, 0] + Array("nix-archive-1".utf8)))
            #expect(uploads.first?.headers["x-attic-nar-info"] == nil)
        }
    }

    @Test("What the cache has is not sent, and nothing to do is said so")
    func nothing() throws {
        try FakeServer.run(answering: answer(missing: [], upload: uploaded)) { server in
            _ = try tool.run("login", "local", server.endpoint)
            let outcome = try tool.run("push", "hello", path(chain[1]))
            #expect(outcome.isSuccess && outcome.errorText == "✅ All done! (2 already cached, 0 in upstream)\n")
            let empty = try tool.run("push", "hello", "--stdin")
            #expect(empty.isSuccess && empty.errorText == "🤷 Nothing selected.\n")
            #expect(!server.requests.contains { $0.method == "PUT" })
        }
    }

    @Test("A path that fails takes with it what needs it; the rest goes, and the exit code says so")
    func partly() throws {
        let failing = chain[1]
        let upload: @Sendable (FakeServer.Request) -> FakeServer.Answer = { request in
            request.headers["x-attic-nar-info"]?.contains(failing) == true && request.headers["x-attic-nar-info"]?.contains("\"store_path\":\"\(store)/\(failing)\"") == true
                ? .error(400, "RequestError", "General request error: no.") : .init(body: #"{"kind":"Deduplicated"}"#)
        }
        try FakeServer.run(answering: answer(upload: upload)) { server in
            _ = try tool.run("login", "local", server.endpoint)
            let outcome = try tool.run("push", "hello", path(chain[2]))
            #expect(outcome.status == .exited(5))
            let lines = outcome.errorText.split(separator: "\n").map(String.init)
            #expect(lines.dropFirst() == [
                "✅ \(chain[0]) (deduplicated)",
                "❌ \(chain[1]): cannot push to \"hello\" on \"local\": General request error: no.",
                "❌ \(chain[2]): not pushed, since it needs \(chain[1]), which was not pushed",
                "❌ 2 of 3 paths were not pushed to \"hello\" on \"local\"",
            ])
        }
    }

    @Test("Where every path fails the exit code is 1")
    func failed() throws {
        try FakeServer.run(answering: answer(upload: { _ in .error(500, "InternalServerError", "Oh.") })) { server in
            _ = try tool.run("login", "local", server.endpoint)
            #expect(try tool.run("push", "hello", path(chain[0])).status == .exited(1))
        }
    }

    @Test("What is in no store, and a cache for another store, are said to be so")
    func notThere() throws {
        try FakeServer.run(answering: answer(upload: uploaded)) { server in
            _ = try tool.run("login", "local", server.endpoint)
            let outside = try tool.run("push", "hello", "/etc/hostname")
            #expect(outside.status == .exited(1) && outside.errorText.contains("/etc/hostname"))
            let absent = try tool.run("push", "hello", path("00000000000000000000000000000000-no"))
            #expect(absent.status == .exited(1) && absent.errorText.contains("no valid path"))
        }
        try FakeServer.run(answering: { _ in .init(body: #"{"store_dir":"/nix/store"}"#) }) { server in
            _ = try tool.run("login", "local", server.endpoint)
            let other = try tool.run("push", "hello", path(chain[0]))
            #expect(other.status == .exited(1) && other.errorText.contains("is for the store /nix/store"))
        }
    }

    /// What a server says that takes build logs.
    private func config(_ more: String = #","build_logs":{"bytes_max":1000}"#) -> String {
        #"{"store_dir":"\#(store)","upstream_cache_key_names":[]\#(more)}"#
    }

    /// Writes a log for the derivation of a path of the chain, as Nix does with `compress-build-log = false`; its base name.
    private func writeLog(_ name: String, _ text: String) throws -> String {
        var environment = Subprocess.ownEnvironment
        environment.merge(tool.environment) { $1 }
        let deriver = try Subprocess.run(["nix-store", "-q", "--deriver", path(name)], environment: environment)
        let drv = deriver.outputText.split(separator: "/").last.map { $0.prefix { !$0.isWhitespace } } ?? ""
        try tool.home.write("log/drvs/\(drv.prefix(2))/\(drv.dropFirst(2))", text: text)
        return String(drv)
    }

    @Test("Logs of builds go after the paths, to a server that takes them, and change no line", arguments: [
        ([], #","build_logs":{"bytes_max":1000}"#, 2), (["--no-logs"], #","build_logs":{"bytes_max":1000}"#, 0), ([], "", 0),
    ] as [([String], String, Int)])
    func logs(options: [String], more: String, count: Int) throws {
        let text = String(repeating: "made of a\n", count: 100)
        let derivations = [try writeLog(chain[0], text), try writeLog(chain[2], text)]
        let (config, answer) = (config(more), answer(upload: uploaded))
        let handler: @Sendable (FakeServer.Request) -> FakeServer.Answer = { request in
            if request.path.hasPrefix("/hello/log/") { return .init() }
            return request.path == "/_api/v1/cache-config/hello" ? .init(body: config) : answer(request)
        }
        try FakeServer.run(answering: handler) { server in
            _ = try tool.run("login", "local", server.endpoint, "eyJ.a.b")
            let outcome = try tool.run(["push", "hello", path(chain[2])] + options)
            #expect(outcome.isSuccess && outcome.outputText.isEmpty, "\(outcome.errorText)")
            #expect(outcome.errorText.split(separator: "\n").count == 4)
            let puts = server.requests.filter { $0.method == "PUT" }
            #expect(puts.count == 3 + count && puts.prefix(3).allSatisfy { $0.path == "/_api/v1/upload-path" })
            let logs = puts.dropFirst(3)
            #expect(Set(logs.map(\.path)) == Set(derivations.prefix(count).map { "/hello/log/\($0)" }))
            for log in logs {
                #expect(log.headers["content-encoding"] == "zstd" && log.headers["authorization"] == "Bearer eyJ.a.b")
                #expect(try StreamDecoder.decode(log.body, .zstd, outputByteCountMax: 1000) == Array(text.utf8))
            }
        }
    }

    @Test("A log that cannot be sent is a warning, and the push has succeeded", arguments: [
        (1001, 200, "has more than the 1000 bytes that the server takes"), (10, 413, "General request error: no."),
    ])
    func unsentLogs(byteCount: Int, status: Int, reason: String) throws {
        _ = try writeLog(chain[0], String(repeating: "x", count: byteCount))
        let (config, answer) = (config(), answer(upload: uploaded))
        let handler: @Sendable (FakeServer.Request) -> FakeServer.Answer = { request in
            if request.path.hasPrefix("/hello/log/") { return .error(status, "RequestError", "General request error: no.") }
            return request.path == "/_api/v1/cache-config/hello" ? .init(body: config) : answer(request)
        }
        try FakeServer.run(answering: handler) { server in
            _ = try tool.run("login", "local", server.endpoint, "eyJ.a.b")
            let outcome = try tool.run("push", "hello", path(chain[2]))
            #expect(outcome.isSuccess)
            let warning = outcome.errorText.split(separator: "\n").last ?? ""
            #expect(warning.hasPrefix("⚠️ 1 of 1 build log could not be sent: ") && warning.hasSuffix(reason), "\(warning)")
        }
    }
}

private let isNixThere = (try? Subprocess.run(["nix-store", "--version"]).isSuccess) ?? false
