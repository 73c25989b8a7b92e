import AtticAPI
@testable import AtticServer
import Encoding
import HTTPServer
import Platform
import Support
import Testing

@Suite("The server's configuration")
struct ConfigurationTests {
    static let secret = [UInt8](repeating: 7, count: 64)

    /// What must be set, and nothing else.
    static let minimal = """
        [database]
        url = "sqlite:///data/server.db"
        [storage]
        path = "/data/storage"
        [jwt.signing]
        token-hs256-secret-base64 = "\(Base64.encode(secret))"
        """

    static func parse(_ text: String, _ environment: [String: String] = [:]) throws(ConfigurationError) -> Configuration {
        try Configuration.parse(text, name: "server.toml", environment: environment)
    }

    static func refusal(_ text: String, _ environment: [String: String] = [:]) -> String? {
        do throws(ConfigurationError) { _ = try parse(text, environment) } catch { return error.description }
        return nil
    }

    /// The minimal text with `line` at the top, or in one of its sections.
    static func with(_ line: String, in section: String? = nil) -> String {
        guard let section else { return line + "\n" + minimal }
        return minimal.contains("[\(section)]")
            ? minimal.replacing("[\(section)]", with: "[\(section)]\n\(line)") : minimal + "\n[\(section)]\n\(line)"
    }

    @Test("What is left out has the documented default")
    func defaults() throws {
        let configuration = try Self.parse(Self.minimal)
        #expect(configuration.listen == "[::]:8080")
        #expect(configuration.socketPermissions == 0o660)
        #expect(configuration.drainDelaySeconds == 0)
        #expect(configuration.allowedHosts == [])
        #expect(configuration.apiEndpoint == nil)
        #expect(configuration.substituterEndpoint == nil)
        #expect(configuration.maxConnectionsPerAddress == 1024)
        #expect(configuration.proxies.map(\.description) == ["127.0.0.1", "::1"])
        #expect(!configuration.softDeleteCaches)
        #expect(configuration.requireProofOfPossession)
        #expect(configuration.maxNarInfoSize == 1_048_576)
        #expect(configuration.maxNarSize == 64 << 30)
        #expect(configuration.database == .sqlite(path: "/data/server.db"))
        #expect(!configuration.databaseHeartbeat)
        #expect(configuration.storagePath == "/data/storage")
        #expect(configuration.chunking.narSizeThreshold == 65536)
        #expect(configuration.chunking.sizes.minimum == 16384)
        #expect(configuration.chunking.sizes.average == 65536)
        #expect(configuration.chunking.sizes.maximum == 262_144)
        #expect(configuration.compressionKind == .zstd)
        #expect(configuration.compressionLevel == 1)
        #expect(configuration.garbageCollectionIntervalSeconds == 43_200)
        #expect(configuration.defaultRetentionSeconds == 0)
        #expect(configuration.tokenKey == .hs256(secret: Self.secret))
        #expect(configuration.tokenRules == TokenRules())
        #expect(configuration.warnings.isEmpty)
    }

    @Test("Every key is taken")
    func everyKey() throws {
        let configuration = try Self.parse("""
            listen = "unix:/run/tetryx/atticd.sock"
            socket-mode = "600"
            drain-delay = "15 seconds"
            allowed-hosts = ["cache.example.org", "localhost:8080"]
            api-endpoint = "https://cache.example.org/"
            substituter-endpoint = "http://cdn.example.org/caches/"
            max-connections-per-address = 0
            proxies = ["192.0.2.1"]
            access-log = false
            soft-delete-caches = true
            require-proof-of-possession = false
            max-nar-info-size = 65536
            max-nar-size = 1048576
            [database]
            url = "sqlite://server%20a.db?mode=rwc"
            heartbeat = true
            [storage]
            type = "local"
            path = "/storage"
            [chunking]
            nar-size-threshold = 0
            min-size = 64
            avg-size = 256
            max-size = 16777216
            [compression]
            type = "zstd"
            level = -5
            [garbage-collection]
            interval = "0"
            default-retention-period = "2 years 3 days"
            [jwt]
            token-bound-issuer = "me"
            token-bound-audiences = ["a", "b"]
            [jwt.signing]
            token-hs256-secret-base64 = "AAECAw=="
            """)
        #expect(configuration.listen == "unix:/run/tetryx/atticd.sock")
        #expect(configuration.socketPermissions == 0o600)
        #expect(configuration.drainDelaySeconds == 15)
        #expect(configuration.allowedHosts == ["cache.example.org", "localhost:8080"])
        #expect(configuration.apiEndpoint == "https://cache.example.org/")
        #expect(configuration.substituterEndpoint == "http://cdn.example.org/caches/")
        #expect(configuration.maxConnectionsPerAddress == 0)
        #expect(configuration.proxies.map(\.description) == ["192.0.2.1"])
        #expect(!configuration.logsAccess)
        #expect(configuration.softDeleteCaches)
        #expect(!configuration.requireProofOfPossession)
        #expect(configuration.maxNarInfoSize == 65536)
        #expect(configuration.maxNarSize == 1 << 20)
        #expect(configuration.database == .sqlite(path: "server a.db"))
        #expect(configuration.databaseHeartbeat)
        #expect(configuration.storagePath == "/storage")
        #expect(!configuration.chunking.isChunked(narSize: .max))
        #expect(configuration.chunking.sizes.maximum == 16 << 20)
        #expect(configuration.compressionLevel == -5)
        #expect(configuration.garbageCollectionIntervalSeconds == 0)
        #expect(configuration.defaultRetentionSeconds == 63_374_400)
        #expect(configuration.tokenRules == TokenRules(issuer: "me", audiences: ["a", "b"]))
        #expect(configuration.tokenKey == .hs256(secret: [0, 1, 2, 3]))
        #expect(configuration.warnings.count == 1)
        #expect(configuration.warnings.first?.hasPrefix("the HS256 secret has only 4 bytes") == true)
    }

    @Test("What one address may have becomes a bound of the engine; 0 leaves the bound of all", arguments: [(0, 16_384), (7, 7)])
    func shares(wanted: Int, most: Int) throws {
        let configuration = try Self.parse(Self.with("max-connections-per-address = \(wanted)\nproxies = [\"192.0.2.1\"]"))
        let limits = Limits(configuration, openFilesMax: 1 << 20)
        #expect(limits.clientConnectionsMax == most)
        #expect(limits.proxies == [try #require(HostAddress("192.0.2.1"))])
    }

    @Test("What [limits] says becomes the engine's bounds, as far as there are descriptors for it")
    func limits() throws {
        let text = """
            connections = 5000
            uploads = 7
            held-bytes = 67108864
            idle-time = "11 seconds"
            head-time = "12 seconds"
            upload-time = "13 seconds"
            answer-time = "14 seconds"
            drain-time = "15 seconds"
            streams = 70
            waiting-streams = 71
            stream-time = "16 seconds"
            """
        let configuration = try Self.parse(Self.with(text, in: "limits"))
        let limits = Limits(configuration, openFilesMax: 1 << 20)
        #expect(limits.connectionsMax == 5000 && limits.transferThreads == 7)
        #expect(limits.heldBytesMax == 64 << 20 && limits.clientHeldBytesMax == 16 << 20)
        #expect(limits.idleTime == .seconds(11) && limits.headTime == .seconds(12))
        #expect(limits.bodyProgressTime == .seconds(13) && limits.writeProgressTime == .seconds(14))
        #expect(configuration.limits.drainSeconds == 15)
        #expect(limits.producerThreads == 70 && limits.producerQueueMax == 71 && limits.streamPatience == .seconds(16))
        #expect(Limits(configuration, openFilesMax: 1000).connectionsMax == 500)
        // What nobody has set is as the engine has it.
        let (standard, plain) = (Limits(), Limits(try Self.parse(Self.minimal), openFilesMax: 1 << 20))
        #expect(plain.connectionsMax == standard.connectionsMax && plain.transferThreads == standard.transferThreads)
        #expect(plain.heldBytesMax == standard.heldBytesMax && plain.clientHeldBytesMax == standard.clientHeldBytesMax)
        #expect(plain.producerThreads == standard.producerThreads && plain.producerQueueMax == standard.producerQueueMax)
        #expect(plain.clientStreamsMax == standard.clientStreamsMax && plain.streamPatience == standard.streamPatience)
        #expect(plain.idleTime == standard.idleTime && plain.headTime == standard.headTime)
        #expect(plain.bodyProgressTime == standard.bodyProgressTime && plain.writeProgressTime == standard.writeProgressTime)
    }

    @Test("One address never has all streams, and of a bucket's there are more, as every pull is one", arguments: [
        ("", false, 32, 16), ("", true, 128, 32), ("streams = 8", false, 8, 4), ("streams = 1", false, 1, 1), ("streams = 1000", true, 1000, 250),
        ("streams-per-address = 100", false, 32, 100),
    ])
    func streams(text: String, isBucket: Bool, all: Int, ofClient: Int) throws {
        let minimal = isBucket ? ConfigurationKey.minimalOfBucket : Self.minimal
        let limits = Limits(try Self.parse(minimal + "\n[limits]\n" + text), openFilesMax: 1 << 20)
        #expect(limits.producerThreads == all && limits.clientStreamsMax == ofClient)
    }

    @Test("A NAR is cut from the threshold on; 1 cuts all")
    func threshold() throws {
        #expect(!ChunkingRules().isChunked(narSize: 65535))
        #expect(ChunkingRules().isChunked(narSize: 65536))
        let all = try Self.parse(Self.with("nar-size-threshold = 1", in: "chunking")).chunking
        #expect(all.isChunked(narSize: 96))
    }

    @Test("Without compression there is no level")
    func noCompression() throws {
        let configuration = try Self.parse(Self.with("type = \"none\"", in: "compression"))
        #expect(configuration.compressionKind == .none)
        #expect(configuration.compressionLevel == 0)
    }

    @Test("xz has levels of its own")
    func xz() throws {
        let configuration = try Self.parse(Self.with("type = \"xz\"", in: "compression"))
        #expect(configuration.compressionKind == .xz && configuration.compressionLevel == 2)
        #expect(try Self.parse(Self.with("type = \"xz\"\nlevel = 9", in: "compression")).compressionLevel == 9)
    }

    @Test("brotli has levels of its own")
    func brotli() throws {
        let configuration = try Self.parse(Self.with("type = \"brotli\"", in: "compression"))
        #expect(configuration.compressionKind == .brotli && configuration.compressionLevel == 5)
        #expect(try Self.parse(Self.with("type = \"brotli\"\nlevel = 11", in: "compression")).compressionLevel == 11)
    }

    @Test("A database may be PostgreSQL's, and nothing that is said of it has the password", arguments: [
        ("postgresql://user:hunter2@host:5433/db?sslmode=verify-full", "postgresql://user@host:5433/db"),
        ("postgres://user:hunter2@host/db", "postgresql://user@host/db"),
        ("postgresql:///db?host=/run/postgresql", "postgresql:///db?host=/run/postgresql"),
        ("postgresql://user:hunter2@one,two/db?target_session_attrs=read-write", "postgresql://user@one,two/db"),
        ("postgresql://user@host/db?password=hunter2", "postgresql://user@host/db"),
    ])
    func postgreSQL(url: String, name: String) throws {
        let configuration = try Self.parse(Self.minimal.replacing("sqlite:///data/server.db", with: url))
        #expect(configuration.database.name == name)
        #expect(configuration.database.path == nil)
        #expect(try Self.parse(configuration.text(database: configuration.database, storagePath: configuration.storagePath)) == configuration)
    }

    @Test("What is no URL of PostgreSQL is refused without repeating its password", arguments: [
        "postgresql://user:hunter2@host/db?colour=red", "postgres://user:hunter2@[::1/db", "postgresql://user:hunter%zz2@host/db",
    ])
    func notPostgreSQL(url: String) {
        let refusal = Self.refusal(Self.minimal.replacing("sqlite:///data/server.db", with: url))
        #expect(refusal?.hasPrefix("server.toml:2:7: this is no URL of a PostgreSQL database: write ") == true)
        #expect(refusal?.contains("hunter") == false)
    }

    /// The minimal text with another key of tokens.
    static func keyed(_ key: String, _ value: String) -> String {
        minimal.replacing("token-hs256-secret-base64 = \"\(Base64.encode(secret))\"", with: "\(key) = \"\(Base64.encode(Array(value.utf8)))\"")
    }

    @Test("Tokens are checked with one of three keys", arguments: [
        ("token-rs256-secret-base64", RSAKeys.privatePKCS1, true), ("token-rs256-secret-base64", RSAKeys.privatePKCS8, true),
        ("token-rs256-pubkey-base64", RSAKeys.publicKey, false), ("token-rs256-pubkey-base64", RSAKeys.publicPKCS1, false),
    ])
    func rs256(key: String, value: String, signs: Bool) throws {
        let configuration = try Self.parse(Self.keyed(key, value))
        #expect(configuration.tokenKey.algorithm == "RS256")
        #expect((configuration.tokenKey.signer != nil) == signs)
        #expect(configuration.holdsSecret == signs)
        // A backup's configuration has the same key.
        let copy = try Self.parse(configuration.text(database: .sqlite(path: "/d"), storagePath: "/s"))
        #expect(copy.tokenKey == configuration.tokenKey)
        #expect(!String(reflecting: configuration).contains("BEGIN"))
        #expect(Self.refusal(Self.with("\(key) = \"x\"", in: "jwt.signing"))
            == "server.toml:6:\(key.count + 4): [jwt.signing] has 2 keys; write exactly one")
    }

    @Test("A key that is none, too small, or in another's place is refused, and not repeated", arguments: [
        ("token-rs256-secret-base64", "hunter2", "this is no key of RSA in PEM; write the output of \"openssl genrsa -traditional 4096 | base64 -w0\""),
        ("token-rs256-secret-base64", RSAKeys.publicKey, "this is a public key, and the private one belongs here; "),
        ("token-rs256-secret-base64", RSAKeys.small, "the key has 1024 bits; it must have 2048 to 8192; "),
        ("token-rs256-secret-base64", RSAKeys.encryptedPKCS8, "the key is encrypted under a passphrase, which nobody could type here; "),
        ("token-rs256-pubkey-base64", "hunter2", "this is no key of RSA in PEM; write the output of \"openssl rsa -in KEY -pubout | base64 -w0\""),
        ("token-rs256-pubkey-base64", RSAKeys.privatePKCS1, "this is a private key, and only the public one belongs here; "),
        ("token-rs256-pubkey-base64", RSAKeys.curvePublic, "this is a key of another algorithm than RSA; "),
        ("token-hs256-secret-base64", RSAKeys.publicKey, "the secret is the text of a key, in PEM; "),
        ("token-hs256-secret-base64", RSAKeys.privatePKCS1, "the secret is the text of a key, in PEM; "),
    ])
    func wrongKeys(key: String, value: String, message: String) {
        let refusal = Self.refusal(Self.keyed(key, value))
        #expect(refusal?.hasPrefix("server.toml:6:\(key.count + 4): \(message)") == true, "\(refusal ?? "it was taken")")
        #expect(refusal?.contains("hunter2") == false)
        let notBase64 = Self.minimal.replacing("token-hs256-secret-base64", with: key).replacing(Base64.encode(Self.secret), with: "hunter2!")
        #expect(Self.refusal(notBase64)?.contains(" is not base64; write the output of ") == true)
    }

    @Test("A wrong value is named by its line, with what is allowed", arguments: [
        ("listen = \"8080\"", nil, "server.toml:1:10: \"8080\" is no address; write host:port, as in \"[::]:8080\" or \"127.0.0.1:8080\", or unix:/path of a socket"),
        ("listen = \"unix:atticd.sock\"", nil, "server.toml:1:10: \"unix:atticd.sock\" is no address; write host:port, as in \"[::]:8080\" or \"127.0.0.1:8080\", or unix:/path of a socket"),
        ("socket-mode = \"0888\"", nil, "server.toml:1:15: \"0888\" are no permissions; write them in octal, as in \"0660\""),
        ("socket-mode = \"1777\"", nil, "server.toml:1:15: \"1777\" are no permissions; write them in octal, as in \"0660\""),
        ("socket-mode = 660", nil, "server.toml:1:15: \"socket-mode\" is an integer; write a string in quotes"),
        ("drain-delay = \"2 hours\"", nil, "server.toml:1:15: \"2 hours\" is not allowed for \"drain-delay\"; write a duration from 0 to 3600 seconds, as in \"30 seconds\""),
        ("listen = 8080", nil, "server.toml:1:10: \"listen\" is an integer; write a string in quotes"),
        ("lsten = \"x\"", nil, "server.toml:1:1: unknown key \"lsten\"; did you mean \"listen\"?"),
        ("proxies = [\"localhost\"]", nil, "server.toml:1:11: \"localhost\" is no address; write it as in \"192.0.2.1\" or \"2001:db8::1\""),
        ("allowed-hosts = [\"https://x\"]", nil, "server.toml:1:17: \"https://x\" is no host; write it as in \"cache.example.org\""),
        ("api-endpoint = \"https://x\"", nil, "server.toml:1:16: \"https://x\" is no endpoint; write a URL that ends in a slash, as in \"https://cache.example.org/\""),
        ("soft-delete-caches = 1", nil, "server.toml:1:22: \"soft-delete-caches\" is an integer; write true or false"),
        ("max-nar-info-size = 5", nil, "server.toml:1:21: 5 is not allowed for \"max-nar-info-size\"; write an integer from 4096 to 67108864"),
        ("refused-read-status = 402", nil, "server.toml:1:23: 402 is not allowed for \"refused-read-status\"; write 401, 403 or 404"),
        ("refused-read-status = 200", nil, "server.toml:1:23: 200 is not allowed for \"refused-read-status\"; write an integer from 401 to 404"),
        ("max-nar-size = 1048575", nil, "server.toml:1:16: 1048575 is not allowed for \"max-nar-size\"; write an integer from 1048576 to 1099511627776"),
        ("type = \"nfs\"", "storage", "server.toml:4:8: \"nfs\" is no storage type; write \"local\" or \"s3\""),
        ("type = \"gzip\"", "compression", "server.toml:8:8: \"gzip\" is no compression type; write \"zstd\", \"xz\", \"brotli\" or \"none\""),
        ("type = \"br\"", "compression", "server.toml:8:8: \"br\" is no compression type; write \"zstd\", \"xz\", \"brotli\" or \"none\""),
        ("type = \"brotli\"\nlevel = 12", "compression", "server.toml:9:9: 12 is not allowed for \"level\"; write an integer from 0 to 11"),
        ("type = \"xz\"\nlevel = 10", "compression", "server.toml:9:9: 10 is not allowed for \"level\"; write an integer from 0 to 9"),
        ("level = 23", "compression", "server.toml:8:9: 23 is not allowed for \"level\"; write an integer from -131072 to 22"),
        ("type = \"none\"\nlevel = 1", "compression", "server.toml:9:9: \"level\" means nothing with the compression type \"none\"; remove it"),
        ("min-size = 63", "chunking", "server.toml:8:12: 63 is not allowed for \"min-size\"; write an integer from 64 to 1048576"),
        ("min-size = 65537", "chunking", "server.toml:7:1: the minimum chunk size, 65537 bytes, is above the average, 65536 bytes; \"min-size\", \"avg-size\" and \"max-size\" must rise"),
        ("interval = 12", "garbage-collection", "server.toml:8:12: \"interval\" is an integer; write a string in quotes"),
        ("interval = \"2000 years\"", "garbage-collection", "server.toml:8:12: \"2000 years\" is longer than 1000 years; write \"0\" for never"),
        ("url = \"x\"", "chunking", "server.toml:8:1: unknown key \"url\" in [chunking]; it belongs in [database]"),
    ] as [(String, String?, String)])
    func wrongValues(line: String, section: String?, message: String) {
        #expect(Self.refusal(Self.with(line, in: section)) == message)
    }

    @Test("A wrong duration says what a duration is")
    func wrongDuration() {
        let message = Self.refusal(Self.with("interval = \"12 parsecs\"", in: "garbage-collection"))
        #expect(message == "server.toml:8:12: \"12 parsecs\" is not a duration: \"parsecs\" is no unit; \(DurationWords.allowed)")
    }

    @Test("A database URL is a file of SQLite, or refused", arguments: [
        ("sqlite:///a/b.db", "/a/b.db"), ("sqlite://b.db", "b.db"), ("sqlite:b.db", "b.db"), ("sqlite:///a%3Fb?mode=rwc", "/a?b"),
        ("sqlite:///a?mode=rw", "/a"), ("sqlite::memory:", nil), ("sqlite://", nil), ("sqlite:///a?mode=memory", nil),
        ("sqlite:///a%zz", nil), ("sqlite:///a%+f", nil), ("sqlite:///a%00", nil), ("mysql://x", nil), ("/a/b.db", nil), ("", nil),
    ] as [(String, String?)])
    func databaseURLs(url: String, path: String?) {
        let text = Self.minimal.replacing("sqlite:///data/server.db", with: url)
        #expect((try? Self.parse(text))?.database == path.map { .sqlite(path: $0) })
    }

    @Test("What must be set and is not is asked for, in its section or at the top")
    func missing() {
        #expect(Self.refusal("")?.hasPrefix("server.toml:1:1: \"path\" in [storage] is missing; ") == true)
        #expect(Self.refusal("[storage]\npath = \"chunks\"") == "server.toml:2:8: \"chunks\" is a relative path; write the whole path, from / on")
        #expect(Self.refusal("[storge]\npath = \"/x\"") == "server.toml:1:1: unknown key \"storge\"; did you mean \"storage\"?")
        #expect(Self.refusal("[storage]\npath = \"/x\"")?.hasPrefix("server.toml:1:1: \"url\" in [database] is missing; ") == true)
        #expect(Self.refusal(Self.minimal.replacing("path =", with: "pth ="))?.contains("unknown key \"pth\" in [storage]; did you mean \"path\"?") == true, "a slip is not only something missing")
        #expect(Self.refusal(Self.minimal.replacing("path =", with: "#"))?.hasPrefix("server.toml:3:1: \"path\" in [storage] is missing; ") == true)
        let message = Self.refusal(Self.minimal.replacing("token-hs", with: "#"))
        #expect(message?.hasPrefix("server.toml:5:1: \"token-hs256-secret-base64\" in [jwt.signing] is missing; ") == true)
    }

    @Test("A wrong secret is not repeated", arguments: ["hunter2hunter2!", "", "====", "AAA"])
    func wrongSecrets(secret: String) {
        let text = Self.minimal.replacing(Base64.encode(Self.secret), with: secret)
        #expect(Self.refusal(text)?.hasPrefix("server.toml:6:29: the secret is ") == true)
        #expect(Self.refusal(text)?.contains("hunter2") == false)
    }

    @Test("Nothing that shows a configuration shows its secret")
    func secrecy() throws {
        let configuration = try Self.parse(Self.minimal)
        #expect(!String(reflecting: configuration).contains("7, 7"))
    }
}
