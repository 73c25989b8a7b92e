import AtticAPI
import AtticClient
import ConfigFile
import Platform
import Support
import Testing

@Suite("The client's configuration")
struct ClientConfigurationTests {
    private let local: ServerName
    private let other: ServerName

    init() throws {
        local = try #require(ServerName("local"))
        other = try #require(ServerName("other"))
    }

    @Test("A file is read whole")
    func parsed() throws {
        let configuration = try ClientConfiguration(parsing: """
            default-server = "local"
            [servers.local]
            endpoint = "http://localhost:8080"
            token = "eyJ.a.b"
            [servers.other]
            endpoint = "https://cache.example/base/"
            token-file = "/run/token"
            """, name: "config.toml")
        #expect(configuration == ClientConfiguration(defaultServer: local, servers: [
            local: .init(endpoint: "http://localhost:8080", token: "eyJ.a.b"),
            other: .init(endpoint: "https://cache.example/base/", tokenFile: "/run/token"),
        ]))
        #expect(try ClientConfiguration(parsing: configuration.rendered, name: "") == configuration)
    }

    @Test("What cannot be meant is refused with its place", arguments: [
        ("colour = 1\n", "config.toml:1:1: unknown key \"colour\""),
        ("[servers.a]\nendpoint = \"http://h\"\ntokn = \"x\"\n", "config.toml:3:1: unknown key \"tokn\""),
        ("[servers.a]\ntoken = \"x\"\n", "config.toml:1:1: the server has no endpoint"),
        ("[servers.a]\nendpoint = \"h\"\n", "config.toml:2:12: cannot use the URL h"),
        ("[servers.\"a b\"]\nendpoint = \"http://h\"\n", "config.toml:1:1: \"a b\" is not a server's name"),
        ("default-server = \"a b\"\n", "config.toml:1:18: \"a b\" is not a server's name"),
        ("[servers.a]\nendpoint = \"http://h\"\ntoken = \"x\"\ntoken-file = \"y\"\n", "config.toml:4:14: a server has a token or"),
        ("[servers\n", "config.toml:1:9: "),
    ])
    func refused(text: String, message: String) {
        let error = #expect(throws: ConfigFileError.self) { try ClientConfiguration(parsing: text, name: "config.toml") }
        #expect(error?.description.hasPrefix(message) == true, "\(error.map { "\($0)" } ?? "")")
    }

    @Test("An edit keeps comments, order and all other servers")
    func edited() throws {
        let text = """
            # Ours.
            default-server = "other" # for now

            [servers.other] # the old one
            endpoint = "http://other" # slow
            token = "x"

            # The new one.
            [servers.local]
            token-file = "/t"
            endpoint = "http://before"

            """
        var configuration = try ClientConfiguration(parsing: text, name: "")
        configuration.servers[local] = .init(endpoint: "http://after", token: "y")
        configuration.defaultServer = local
        #expect(configuration.edited(text, changing: local) == """
            # Ours.
            default-server = "local"

            [servers.other] # the old one
            endpoint = "http://other" # slow
            token = "x"

            # The new one.
            [servers.local]
            endpoint = "http://after"
            token = "y"

            """)
        // What changes nothing leaves every byte.
        let same = try ClientConfiguration(parsing: text, name: "")
        #expect(same.edited(text, changing: other) == text)
    }

    @Test("Whatever way a file is written in, the edit says what was meant", arguments: [
        "", "\n", "# c", "servers = { other = { endpoint = \"http://o\" } }\n", "servers.other.endpoint = \"http://o\"\n",
        "[servers]\nother = { endpoint = \"http://o\", token = \"t\" }\n", "[ servers . \"other\" ]\nendpoint='http://o'",
        "[servers.local]\nendpoint = \"http://l\"\n", "[servers.'local']\nendpoint = '''http://l'''\ntoken = \"\"\"\n[servers.local]\"\"\"\n",
        "[servers.local]\n\"endpoint\" = \"http://l\"\n",
    ])
    func anyForm(text: String) throws {
        var configuration = try ClientConfiguration(parsing: text, name: "")
        configuration.servers[local] = .init(endpoint: "http://new", token: "t\"\\u")
        configuration.defaultServer = configuration.defaultServer ?? local
        let edited = configuration.edited(text, changing: local)
        #expect(try ClientConfiguration(parsing: edited, name: "") == configuration)
    }

    @Test("It is written for its owner alone, and through a link")
    func stored() throws {
        let directory = try TemporaryDirectory()
        let file = ConfigurationFile(try UserDirectories(environment: ["XDG_CONFIG_HOME": directory.path]))
        #expect(try file.load().configuration == ClientConfiguration())
        try file.store("# a\n")
        #expect(try File.status(file.path).permissions == 0o600)
        #expect(try File.status(directory.file("tetryx")).permissions == 0o700)
        #expect(try file.load().text == "# a\n")
    }

    @Test("The directory is XDG_CONFIG_HOME, else .config below HOME; a relative one does not count")
    func directories() throws {
        #expect(try UserDirectories(environment: ["XDG_CONFIG_HOME": "/x", "HOME": "/h"]).configuration == "/x")
        #expect(try UserDirectories(environment: ["XDG_CONFIG_HOME": "x", "HOME": "/h"]).configuration == "/h/.config")
        #expect(throws: ClientFailure.self) { try UserDirectories(environment: ["XDG_CONFIG_HOME": ""]) }
    }

    @Test("A token is trimmed, and what is no token is refused without being shown", arguments: ["", " \n", "a b", "a\u{1B}b", "é"])
    func tokens(text: String) throws {
        #expect(try TokenText.parse(" eyJ.a.b\r\n", from: "x") == "eyJ.a.b")
        let failure = #expect(throws: ClientFailure.self) { try TokenText.parse(text, from: "standard input") }
        #expect(failure?.kind == .usage)
    }
}
