import Platform
import Support
import Testing

/// What `atticd` says to those who start it wrongly. None of these gets as far as serving.
@Suite("atticd")
struct AtticdTests {
    private let home: TemporaryDirectory

    init() throws { home = try TemporaryDirectory() }

    private func run(_ arguments: [String]) throws -> Subprocess.Outcome {
        // The tools are built beside the program that runs the tests.
        let tools = File.parent(of: try File.resolve("/proc/self/exe"))
        return try Subprocess.run([tools + "/atticd"] + arguments, environment: ["HOME": home.path])
    }

    @Test("Wrong arguments end with 2, and nothing is set up", arguments: [
        ["--mode", "rubbish"], ["rubbish"], ["--no-such-option"], ["-l", "rubbish"], ["-l", "localhost:99999"], ["-f"],
    ])
    func usage(arguments: [String]) throws {
        let outcome = try run(arguments)
        #expect(outcome.status == .exited(2))
        #expect(outcome.errorText.hasPrefix("Error: "))
        #expect(outcome.outputText.isEmpty)
        #expect(try Directory.names(home.path).isEmpty)
    }

    @Test("Help and version are no errors", arguments: ["--help", "--version"])
    func help(argument: String) throws {
        let outcome = try run([argument])
        #expect(outcome.status == .exited(0))
        #expect(!outcome.outputText.isEmpty && outcome.errorText.isEmpty)
    }

    @Test("A configuration that cannot be used ends with 1 and says where", arguments: ["monolithic", "check-config", "garbage-collector-once"])
    func configuration(mode: String) throws {
        try home.write("server.toml", text: "[storge]\npath = \"/x\"\n")
        let outcome = try run(["-f", home.file("server.toml"), "--mode", mode])
        #expect(outcome.status == .exited(1))
        #expect(outcome.errorText.hasSuffix("server.toml:1:1: unknown key \"storge\"; did you mean \"storage\"?\n"))
    }

    @Test("The directory of a database is made where it is not there")
    func databaseDirectory() throws {
        try home.write("server.toml", text: """
            [database]
            url = "sqlite://\(home.path)/data/deep/server.db"
            [storage]
            path = "\(home.path)/storage"
            [jwt.signing]
            token-hs256-secret-base64 = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
            """)
        #expect(try run(["-f", home.file("server.toml"), "--mode", "check-config"]).isSuccess)
        #expect(!File.exists(home.file("data")))
        #expect(try run(["-f", home.file("server.toml"), "--mode", "db-migrations"]).isSuccess)
        #expect(File.exists(home.file("data/deep/server.db")))
    }

    @Test("A secret that is too short is taken, and check-config says in one line how to make another")
    func shortSecret() throws {
        try File.replace(home.file("server.toml"), with: Array("""
            listen = "127.0.0.1:0"
            [database]
            url = "sqlite://\(home.path)/server.db"
            [storage]
            path = "\(home.path)/storage"
            [jwt.signing]
            token-hs256-secret-base64 = "c2hvcnQ="
            """.utf8), permissions: 0o600)
        let outcome = try run(["-f", home.file("server.toml"), "--mode", "check-config"])
        #expect(outcome.isSuccess)
        let lines = outcome.errorText.split(separator: "\n")
        #expect(lines.count == 2 && lines.last == "The configuration is good.")
        #expect(lines.first?.hasSuffix(
            "the HS256 secret has only 5 bytes; RFC 7518 asks for 32 and more: make one with \"openssl rand 64 | base64 -w0\"") == true)
    }

    @Test("What cannot be made is found by check-config")
    func notMade() throws {
        try home.write("file", text: "")
        try home.write("server.toml", text: """
            [database]
            url = "sqlite://\(home.path)/data/server.db"
            [storage]
            path = "\(home.path)/file/storage"
            [jwt.signing]
            token-hs256-secret-base64 = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
            """)
        let outcome = try run(["-f", home.file("server.toml"), "--mode", "check-config"])
        #expect(outcome.status == .exited(1))
        #expect(outcome.errorText.contains("cannot make \(home.path)/file/storage below \(home.path)/file: Not a directory"))
    }
}
