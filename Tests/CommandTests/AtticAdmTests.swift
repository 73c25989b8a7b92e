import Encoding
import Platform
import Support
import Testing

@Suite("atticadm")
struct AtticAdmTests {
    private let directory: TemporaryDirectory
    private let configuration: String

    init() throws {
        directory = try TemporaryDirectory()
        configuration = directory.file("server.toml")
        try File.replace(configuration, with: Array("""
            [database]
            url = "sqlite:///data/server.db"
            [storage]
            path = "/data/storage"
            [jwt.signing]
            token-hs256-secret-base64 = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
            """.utf8), permissions: 0o600)
    }

    private func run(_ arguments: String..., environment: [String: String] = [:]) throws -> Subprocess.Outcome {
        try run(arguments, environment: environment)
    }

    private func run(_ arguments: [String], environment: [String: String] = [:]) throws -> Subprocess.Outcome {
        // The tools are built beside the program that runs the tests.
        let tools = File.parent(of: try File.resolve("/proc/self/exe"))
        return try Subprocess.run([tools + "/atticadm"] + arguments, environment: environment)
    }

    private func isOneLine(_ text: String) -> Bool {
        text.count > 1 && text.hasSuffix("\n") && !text.dropLast().contains(where: \.isNewline)
    }

    @Test("A token goes to standard output, and nothing else anywhere")
    func token() throws {
        let outcome = try run("-f", configuration, "make-token", "--sub", "alice", "--validity", "3 months", "--pull", "hello")
        #expect(outcome.status == .exited(0))
        #expect(outcome.outputText.hasPrefix("eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9."))
        #expect(isOneLine(outcome.outputText))
        #expect(outcome.errorText.isEmpty)
    }

    @Test("Patterns stay in the order of the command line, across options, wherever -f stands")
    func order() throws {
        let outcome = try run(
            "make-token", "--sub", "alice", "--validity", "1 day", "--push", "b*", "--pull", "a*", "--pull", "b*", "--destroy-cache", "z",
            "--dump-claims", "-f", configuration)
        #expect(outcome.status == .exited(0))
        #expect(outcome.outputText.contains(#""caches":{"b*":{"r":1,"w":1},"a*":{"r":1},"z":{"cd":1}}"#))
    }

    @Test("The configuration is found as atticd finds it")
    func found() throws {
        let path = directory.file("tetryx/server.toml")
        try Directory.make(File.parent(of: path))
        try File.rename(configuration, to: path)
        let outcome = try run(
            "make-token", "--sub", "a", "--validity", "1s", environment: ["XDG_CONFIG_HOME": directory.path])
        #expect(outcome.status == .exited(0))
    }

    @Test("Wrong arguments end with 2 and one line", arguments: [
        ["--sub", "a"], ["--validity", "1 day"], ["--sub", "a", "--validity", "soon"], ["--sub", "a", "--validity", "0"],
        ["--sub", "a", "--validity", "1 day", "--pull", "a/b"], ["--sub", "a", "--validity", "1 day", "--pul", "a"],
    ])
    func usage(arguments: [String]) throws {
        let outcome = try run(["-f", configuration, "make-token"] + arguments)
        #expect(outcome.status == .exited(2))
        #expect(isOneLine(outcome.errorText))
        #expect(outcome.outputText.isEmpty)
    }

    @Test("A word that is no command is named, with those that are, wherever -f stands", arguments: [
        (["tokn", "list"], "tokn", "", "make-token, token, fsck, backup", ""),
        (["-f", "token", "tokn", "list"], "tokn", "", "make-token, token, fsck, backup", ""),
        (["help", "tokn"], "tokn", "", "make-token, token, fsck, backup", ""),
        (["token", "lst"], "token lst", " of \"atticadm token\"", "revoke, restore, list", " token"),
        (["token", "--config=token", "lst"], "token lst", " of \"atticadm token\"", "revoke, restore, list", " token"),
    ])
    func unknownCommand(arguments: [String], word: String, below: String, known: String, path: String) throws {
        let outcome = try run(arguments)
        #expect(outcome.status == .exited(2))
        #expect(outcome.errorText == "atticadm: there is no command \"\(word)\"; the commands\(below) are \(known). \"atticadm\(path) --help\" says what each does.\n")
    }

    @Test("With a private key of RSA a token is RS256; with a public one make-token says that it cannot sign")
    func rs256() throws {
        let variables = ["ATTIC_SERVER_DATABASE_URL": "sqlite:///d"]
        let configuration = directory.file("keyless.toml")
        try File.replace(configuration, with: Array("[storage]\npath = \"/s\"\n".utf8), permissions: 0o600)
        let arguments = ["-f", configuration, "make-token", "--sub", "a", "--validity", "1s", "--pull", "x"]
        let made = try run(
            arguments, environment: variables.merging(["ATTIC_SERVER_TOKEN_RS256_SECRET_BASE64": Base64.encode(Array(RSAKeys.privatePKCS1.utf8))]) { $1 })
        #expect(made.status == .exited(0))
        #expect(made.outputText.hasPrefix("eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9."))
        let refused = try run(
            arguments, environment: variables.merging(["ATTIC_SERVER_TOKEN_RS256_PUBKEY_BASE64": Base64.encode(Array(RSAKeys.publicKey.utf8))]) { $1 })
        #expect(refused.status == .exited(1))
        #expect(refused.errorText.hasPrefix("atticadm: cannot sign tokens with the public key of [jwt.signing]"))
        #expect(isOneLine(refused.errorText))
        #expect(refused.outputText.isEmpty)
    }

    @Test("What cannot be read ends with 1 and one line")
    func failure() throws {
        for outcome in [
            try run("-f", directory.file("none"), "make-token", "--sub", "a", "--validity", "1s"),
            try run("make-token", "--sub", "a", "--validity", "1s"),
        ] {
            #expect(outcome.status == .exited(1))
            #expect(isOneLine(outcome.errorText))
            #expect(outcome.outputText.isEmpty)
        }
    }

    @Test("fsck and backup want a server that is there, and make nothing")
    func noServer() throws {
        for arguments in [["fsck"], ["fsck", "--repair", "--json"], ["backup", directory.file("copy")]] {
            let outcome = try run(["-f", configuration] + arguments)
            #expect(outcome.status == .exited(1))
            #expect(isOneLine(outcome.errorText) && outcome.errorText.contains("/data/server.db"))
            #expect(outcome.outputText.isEmpty)
        }
        #expect(!File.exists("/data/server.db") && !File.exists(directory.file("copy")))
    }

    @Test("Wrong arguments of fsck end with 2 and one line", arguments: [
        ["--rate", "5M"], ["--from", "3"], ["--verify-content", "--rate", "0"], ["--verify-content", "--rate", "fast"],
        ["--verify-content", "--from", "-1"], ["--verify"],
    ])
    func fsckUsage(arguments: [String]) throws {
        let outcome = try run(["-f", configuration, "fsck"] + arguments)
        #expect(outcome.status == .exited(2))
        #expect(isOneLine(outcome.errorText))
    }
}
