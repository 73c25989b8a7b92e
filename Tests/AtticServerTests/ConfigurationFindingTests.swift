import AtticAPI
@testable import AtticServer
import Encoding
import Platform
import Support
import Testing

@Suite("Finding the server's configuration")
struct ConfigurationFindingTests {
    private let directory: TemporaryDirectory
    private let environment: [String: String]

    init() throws {
        directory = try TemporaryDirectory()
        environment = ["XDG_CONFIG_HOME": directory.file("config"), "HOME": directory.path]
    }

    /// The minimal configuration, told apart by its storage path.
    private func text(_ mark: String) -> String { ConfigurationTests.minimal.replacing("/data/storage", with: "/" + mark) }

    private func write(_ text: String, _ name: String) throws {
        try Directory.make(File.parent(of: directory.file(name)))
        try File.replace(directory.file(name), with: Array(text.utf8), permissions: 0o600)
    }

    private func refusal(_ path: String?, _ environment: [String: String]) -> String? {
        do throws(ConfigurationError) { _ = try Configuration.load(path: path, environment: environment) } catch {
            return error.description
        }
        return nil
    }

    @Test("The file that -f names comes first, then the variable, then the usual file")
    func order() throws {
        try write(text("named"), "named.toml")
        try write(text("usual"), "config/tetryx/server.toml")
        var environment = environment
        #expect(try Configuration.find(path: nil, environment: environment)?.storagePath == "/usual")
        environment["ATTIC_SERVER_CONFIG_BASE64"] = Base64.encode(Array(text("variable").utf8))
        #expect(try Configuration.find(path: nil, environment: environment)?.storagePath == "/variable")
        #expect(try Configuration.find(path: directory.file("named.toml"), environment: environment)?.storagePath == "/named")
        environment["ATTIC_SERVER_CONFIG_BASE64"] = ""
        #expect(try Configuration.load(path: nil, environment: environment).storagePath == "/usual")
    }

    @Test("Where XDG_CONFIG_HOME is unset or relative, it is .config below HOME")
    func home() throws {
        try write(text("home"), ".config/tetryx/server.toml")
        #expect(try Configuration.find(path: nil, environment: ["HOME": directory.path])?.storagePath == "/home")
        #expect(try Configuration.find(path: nil, environment: ["HOME": directory.path, "XDG_CONFIG_HOME": "relative"])?.storagePath == "/home")
    }

    @Test("Nothing configured is nil to find, and an error that says where to load")
    func nothing() throws {
        #expect(try Configuration.find(path: nil, environment: environment) == nil)
        #expect(try Configuration.find(path: nil, environment: [:]) == nil)
        #expect(refusal(nil, environment)?.contains(directory.file("config/tetryx/server.toml")) == true)
        #expect(refusal(nil, [:])?.contains("neither XDG_CONFIG_HOME nor HOME is set") == true)
    }

    @Test("A file that is named and not there, or is no text, is an error")
    func unreadable() throws {
        #expect(refusal(directory.file("x.toml"), environment)
            == "there is no configuration: \(directory.file("x.toml")), which -f names, does not exist; name another, or leave -f out: "
                + "the first start without one makes one")
        #expect(refusal(directory.path, environment)?.hasPrefix("cannot read the configuration: ") == true)
        try File.replace(directory.file("y.toml"), with: [0xFF], permissions: 0o600)
        #expect(refusal(directory.file("y.toml"), environment) == "cannot read the configuration: \(directory.file("y.toml")) is not UTF-8")
    }

    @Test("A variable that is not base64 of TOML is an error that names it; line ends in it are not", arguments: [
        ("!!!", "the environment variable ATTIC_SERVER_CONFIG_BASE64: it is not the base64 of a text in UTF-8"),
        (Base64.encode([0xFF]), "the environment variable ATTIC_SERVER_CONFIG_BASE64: it is not the base64 of a text in UTF-8"),
        (Base64.encode(Array("x = 1".utf8)) + "\n", "ATTIC_SERVER_CONFIG_BASE64:1:1: "),
    ])
    func variable(base64: String, message: String) {
        #expect(refusal(nil, ["ATTIC_SERVER_CONFIG_BASE64": base64])?.hasPrefix(message) == true)
    }

    @Test("Database and secret come from the environment where the file leaves them out, and only there")
    func parts() throws {
        let variables = [
            "ATTIC_SERVER_DATABASE_URL": "sqlite:///env.db", "ATTIC_SERVER_TOKEN_HS256_SECRET_BASE64": "AAAA\nAAAA\n",
        ]
        let without = "[storage]\npath = \"/s\""
        let configuration = try ConfigurationTests.parse(without, variables)
        #expect(configuration.database == .sqlite(path: "/env.db"))
        #expect(configuration.tokenKey == .hs256(secret: [0, 0, 0, 0, 0, 0]))
        let full = try ConfigurationTests.parse(ConfigurationTests.minimal, variables)
        #expect(full.database == .sqlite(path: "/data/server.db"))
        #expect(full.tokenKey == .hs256(secret: ConfigurationTests.secret))
    }

    @Test("What the environment says wrongly is named by its variable, and not repeated", arguments: [
        ("ATTIC_SERVER_DATABASE_URL", "postgresql://user:hunter2@host/db?colour=red", "this is no URL of a PostgreSQL database: write \"postgresql://user:password@host:5432/database?sslmode=verify-full\" or \"postgresql:///database?host=/run/postgresql\", odd characters of the password percent-encoded, and only parameters that libpq knows"),
        ("ATTIC_SERVER_TOKEN_HS256_SECRET_BASE64", "hunter2!", "the secret is not base64; write the output of \"openssl rand 64 | base64 -w0\""),
    ])
    func wrongParts(variable: String, value: String, reason: String) {
        var variables = ["ATTIC_SERVER_DATABASE_URL": "sqlite:///env.db", "ATTIC_SERVER_TOKEN_HS256_SECRET_BASE64": "AAAA"]
        variables[variable] = value
        #expect(ConfigurationTests.refusal("[storage]\npath = \"/s\"", variables) == "the environment variable \(variable): \(reason)")
    }

    @Test("The keys of RSA come from the environment as well, and of the three only one", arguments: [
        ("ATTIC_SERVER_TOKEN_RS256_SECRET_BASE64", RSAKeys.privatePKCS1, RSAKeys.publicKey),
        ("ATTIC_SERVER_TOKEN_RS256_PUBKEY_BASE64", RSAKeys.publicKey, "hunter2"),
    ])
    func rs256(variable: String, value: String, wrong: String) throws {
        let without = "[database]\nurl = \"sqlite:///d\"\n[storage]\npath = \"/s\""
        let configuration = try ConfigurationTests.parse(without, [variable: Base64.encode(Array(value.utf8))])
        #expect(configuration.tokenKey.algorithm == "RS256")
        #expect(!configuration.holdsSecret)
        let two = ConfigurationTests.refusal(without, [variable: "AAAA", "ATTIC_SERVER_TOKEN_HS256_SECRET_BASE64": "AAAA"])
        #expect(two == "the environment variable \(variable): ATTIC_SERVER_TOKEN_HS256_SECRET_BASE64 is set as well; exactly one key of tokens is taken")
        let refused = ConfigurationTests.refusal(without, [variable: Base64.encode(Array(wrong.utf8))])
        #expect(refused?.hasPrefix("the environment variable \(variable): this is ") == true)
        #expect(refused?.contains("hunter2") == false)
    }

    @Test("A password in the database's URL is a secret of the file, where it stands in the file", arguments: [
        ("postgresql://me:hunter2@h/d", true), ("postgresql://me@h/d?password=hunter2", true), ("postgresql://me@h/d?sslkey=/k&sslpassword=hunter2", true),
        ("postgresql://me@h/d", false), ("postgresql:///d?host=/run/postgresql&passfile=/p", false), ("sqlite:///d", false),
    ])
    func password(url: String, isSecret: Bool) throws {
        let key = ["ATTIC_SERVER_TOKEN_RS256_PUBKEY_BASE64": Base64.encode(Array(RSAKeys.publicKey.utf8))]
        let without = "[database]\n[storage]\npath = \"/s\""
        let text = without.replacing("[database]", with: "[database]\nurl = \"\(url)\"")
        #expect(try ConfigurationTests.parse(text, key).holdsSecret == isSecret)
        #expect(try !ConfigurationTests.parse(without, key.merging(["ATTIC_SERVER_DATABASE_URL": url]) { $1 }).holdsSecret)
        // Beside a bucket, whose keys are elsewhere.
        let bucket = ["AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "hidden", "AWS_REGION": "r"]
        let beside = text.replacing("path = \"/s\"", with: "type = \"s3\"\nbucket = \"chunks\"")
        #expect(try ConfigurationTests.parse(beside, key.merging(bucket) { $1 }).holdsSecret == isSecret)
    }

    @Test("Places follow the XDG variables, else HOME")
    func locations() {
        let locations = Locations(environment: ["HOME": "/h", "XDG_DATA_HOME": "/d"])
        #expect(locations?.configurationPath == "/h/.config/tetryx/server.toml")
        #expect(locations?.dataDirectory == "/d/tetryx")
        #expect(Locations(environment: ["XDG_DATA_HOME": "/d"]) == nil)
        #expect(Locations(environment: ["XDG_CONFIG_HOME": "/c"]) == nil)
        #expect(Locations.configurationPath(environment: ["XDG_CONFIG_HOME": "/c"]) == "/c/tetryx/server.toml")
        #expect(Locations(environment: ["HOME": "relative"]) == nil)
    }
}
