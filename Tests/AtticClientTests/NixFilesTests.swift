import AtticClient
import Platform
import Support
import Testing

@Suite("The user's files of Nix")
struct NixFilesTests {
    private let directory: TemporaryDirectory
    private let files: NixFiles
    private let cache = NixFiles.Cache(
        substituter: "http://localhost:8080/hello", publicKey: "hello:vlsd7ZHIXNnKXEQShVnd7erE8zcuSKrBWRpV6zTibnA=",
        credentials: NixFiles.Credentials(host: "localhost", token: "eyJ.a.b"))

    init() throws {
        directory = try TemporaryDirectory()
        files = NixFiles(directory: directory.file("config/nix"))
    }

    private func text(_ name: String) throws -> String { try #require(try File.readText(directory.file(name))) }
    private func permissions(_ name: String) throws -> UInt32 { try File.status(directory.file(name)).permissions }

    @Test("On a machine without files both are made, the netrc for its owner alone")
    func fresh() throws {
        let outcome = try files.use(cache)
        #expect(try text("config/nix/nix.conf") == """
            extra-substituters = http://localhost:8080/hello
            extra-trusted-public-keys = hello:vlsd7ZHIXNnKXEQShVnd7erE8zcuSKrBWRpV6zTibnA=
            netrc-file = \(directory.file("config/nix/netrc"))

            """)
        #expect(try text("config/nix/netrc") == "machine localhost password eyJ.a.b\n")
        #expect(try permissions("config/nix/netrc") == 0o600)
        #expect(outcome.keyChange == .added && outcome.looseNetrcPermissions == nil)
    }

    @Test("A second run does not even write the files")
    func again() throws {
        _ = try files.use(cache)
        let before = try (File.status(directory.file("config/nix/nix.conf")), File.status(directory.file("config/nix/netrc")))
        _ = try files.use(cache)
        // A file that is written is a new one.
        #expect(try File.status(directory.file("config/nix/nix.conf")) == before.0)
        #expect(try File.status(directory.file("config/nix/netrc")) == before.1)
    }

    @Test("A netrc-file that is set stays, gets the token, and keeps its mode; others that can read it are told of")
    func existingNetrc() throws {
        let path = try directory.write("secrets", text: "machine a password b\n")
        try directory.write("config/nix/nix.conf", text: "netrc-file = \(path)\nmax-jobs = 3\n")
        let outcome = try files.use(cache)
        #expect(try text("secrets") == "machine a password b\nmachine localhost password eyJ.a.b\n")
        #expect(try text("config/nix/nix.conf").hasPrefix("netrc-file = \(path)\nmax-jobs = 3\nextra-substituters"))
        #expect(!(try text("config/nix/nix.conf").contains("config/nix/netrc")))
        #expect(!File.exists(directory.file("config/nix/netrc")))
        #expect(outcome.netrc == path && outcome.looseNetrcPermissions == 0o644)
    }

    @Test("A netrc-file that an included file sets counts as well")
    func included() throws {
        let path = directory.file("deep/netrc")
        try directory.write("config/nix/more.conf", text: "netrc-file = \(path)\ninclude nix.conf\n")
        try directory.write("config/nix/nix.conf", text: "!include more.conf\n")
        _ = try files.use(cache)
        #expect(try text("deep/netrc") == "machine localhost password eyJ.a.b\n")
        #expect(!(try text("config/nix/nix.conf").contains("netrc-file")))
    }

    @Test("Without a token there is no netrc")
    func noToken() throws {
        _ = try files.use(NixFiles.Cache(substituter: "http://h/c", publicKey: nil, credentials: nil))
        #expect(try text("config/nix/nix.conf") == "extra-substituters = http://h/c\n")
        #expect(!File.exists(directory.file("config/nix/netrc")))
    }

    @Test("Our own netrc is closed to others again")
    func reopened() throws {
        try directory.write("config/nix/netrc", text: "machine localhost password eyJ.a.b\n")
        _ = try files.use(cache)
        #expect(try permissions("config/nix/netrc") == 0o600)
    }

    @Test("A netrc-file that is not absolute is refused, and nothing is written")
    func relative() throws {
        try directory.write("config/nix/nix.conf", text: "netrc-file = netrc\n")
        #expect(throws: ClientFailure.self) { try files.use(cache) }
        #expect(try text("config/nix/nix.conf") == "netrc-file = netrc\n")
        #expect(!File.exists(directory.file("config/nix/netrc")))
    }
}
