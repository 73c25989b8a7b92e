import AtticAPI
@testable import AtticServer
import ConfigFile
import Encoding
import Platform
import Support
import Testing

/// A key of `server.toml`: a value that is taken, and changes something, and some that are refused.
struct ConfigurationKey: CustomTestStringConvertible {
    /// As one says it: `limits.connections`.
    let name: String
    /// A value other than the default, as TOML.
    let taken: String
    /// Wrong values, as TOML, each with a part of what is said: what is allowed.
    let refused: [(value: String, allowed: String)]

    /// Of a configuration whose storage is a bucket.
    var isOfBucket = false

    init(_ name: String, _ taken: String, _ refused: [(String, String)]) {
        self.name = name
        self.taken = taken
        self.refused = refused.map { (value: $0.0, allowed: $0.1) }
    }

    var testDescription: String { name }
    var key: String { String(name.split(separator: ".").last ?? "") }
    var section: String { name.split(separator: ".").dropLast().joined(separator: ".") }

    /// The smallest configuration that may have the key.
    var minimal: String { isOfBucket ? ConfigurationKey.minimalOfBucket : ConfigurationTests.minimal }

    /// The smallest configuration, with this key at a value. Of keys that exclude one another only this one is there.
    func text(_ value: String) -> String {
        var lines = minimal.split(separator: "\n").map(String.init)
        lines.removeAll { $0.hasPrefix("\(key) = ") || section == "jwt.signing" && $0.hasPrefix("token-") }
        let line = "\(key) = \(value)"
        if section.isEmpty {
            lines.insert(line, at: 0)
        } else if let place = lines.firstIndex(of: "[\(section)]") {
            lines.insert(line, at: place + 1)
        } else {
            lines += ["[\(section)]", line]
        }
        return lines.joined(separator: "\n")
    }

    /// Where the value stands in that text, as messages begin: `server.toml:3:8: `.
    func place(_ value: String) -> String {
        let number = text(value).split(separator: "\n").firstIndex { $0 == "\(key) = \(value)" } ?? -1
        return "server.toml:\(number + 1):\(key.utf8.count + 4): "
    }

    private static func base64(_ text: String) -> String { "\"\(Base64.encode(Array(text.utf8)))\"" }
    static let string = ("1", "write a string in quotes")
    private static let truth = [("1", "write true or false"), ("\"yes\"", "write true or false")]
    private static func endpoint(_ name: String) -> ConfigurationKey {
        ConfigurationKey(name, "\"https://c.example.org/\"", [
            string, ("\"\"", "write a URL that ends in a slash"), ("\"c.example.org/\"", "write a URL that ends in a slash"),
            ("\"https://c.example.org\"", "write a URL that ends in a slash"), ("\"https://c.example.org/?x/\"", "write a URL that ends in a slash"),
            ("\"ftp://c.example.org/\"", "write a URL that ends in a slash"),
        ])
    }
    static func integer(_ name: String, _ taken: String, from least: String, to most: String, below: String, above: String) -> ConfigurationKey {
        let allowed = "write an integer from \(least) to \(most)"
        return ConfigurationKey(name, taken, [(below, allowed), (above, allowed), ("\"7\"", allowed), ("7.5", allowed)])
    }
    private static func duration(_ name: String, _ taken: String, from least: Int, to most: String) -> ConfigurationKey {
        let allowed = "write a duration from \(least) to \(most) seconds"
        var refused = [("7", "write a string in quotes"), ("\"7 parsecs\"", DurationWords.allowed), ("\"\"", DurationWords.allowed), ("\"2 hours\"", allowed)]
        if least > 0 { refused.append(("\"0\"", allowed)) }
        return ConfigurationKey(name, taken, refused)
    }
    private static func period(_ name: String) -> ConfigurationKey {
        ConfigurationKey(name, "\"5 weeks\"", [
            ("7", "write a string in quotes"), ("\"7 parsecs\"", DurationWords.allowed), ("\"-1 day\"", DurationWords.allowed), ("\"1001 years\"", "write \"0\" for never"),
        ])
    }

    static let all: [ConfigurationKey] = [server, limits, storage, bucket, cutting, rest, tokens].flatMap { $0 }

    private static let server: [ConfigurationKey] = [
        ConfigurationKey("listen", "\"unix:/run/tetryx/atticd.sock\"", [
            string, ("\"8080\"", "write host:port"), ("\"::1:8080\"", "write host:port"), ("\"localhost:65536\"", "write host:port"), ("\"unix:x.sock\"", "unix:/path"),
        ]),
        ConfigurationKey("socket-mode", "\"0600\"", [("660", "write a string in quotes"), ("\"0888\"", "in octal"), ("\"u=rw\"", "in octal"), ("\"01777\"", "in octal")]),
        ConfigurationKey("allowed-hosts", "[\"c.example.org:8080\"]", [
            ("\"c.example.org\"", "write a list of strings"), ("[1]", "write a list of strings"), ("[\"\"]", "write it as in"), ("[\"https://c/\"]", "write it as in"), ("[\"a b\"]", "write it as in"),
        ]),
        endpoint("api-endpoint"), endpoint("substituter-endpoint"),
        integer("max-connections-per-address", "0", from: "0", to: "1000000", below: "-1", above: "1000001"),
        ConfigurationKey("proxies", "[\"192.0.2.1\"]", [("\"192.0.2.1\"", "write a list of strings"), ("[\"localhost\"]", "write it as in"), ("[\"192.0.2.0/24\"]", "write it as in")]),
        duration("drain-delay", "\"15 seconds\"", from: 0, to: "3600"),
        ConfigurationKey("access-log", "false", truth), ConfigurationKey("soft-delete-caches", "true", truth), ConfigurationKey("require-proof-of-possession", "false", truth),
        ConfigurationKey("refused-read-status", "404", [("402", "write 401, 403 or 404"), ("200", "write an integer from 401 to 404"), ("\"404\"", "write an integer from 401 to 404")]),
        integer("max-nar-info-size", "4096", from: "4096", to: "67108864", below: "4095", above: "67108865"),
        integer("max-nar-size", "1048576", from: "1048576", to: "1099511627776", below: "1048575", above: "1099511627777"),
    ]

    private static let limits: [ConfigurationKey] = [
        integer("limits.connections", "7", from: "1", to: "1000000", below: "0", above: "1000001"),
        integer("limits.uploads", "7", from: "1", to: "1024", below: "0", above: "1025"),
        integer("limits.held-bytes", "16777216", from: "16777216", to: "1099511627776", below: "16777215", above: "1099511627777"),
        duration("limits.idle-time", "\"7 seconds\"", from: 1, to: "3600"), duration("limits.head-time", "\"7 seconds\"", from: 1, to: "3600"),
        duration("limits.upload-time", "\"7 seconds\"", from: 1, to: "3600"), duration("limits.answer-time", "\"7 seconds\"", from: 1, to: "3600"),
        duration("limits.drain-time", "\"0\"", from: 0, to: "3600"),
        integer("limits.streams", "7", from: "1", to: "4096", below: "0", above: "4097"),
        integer("limits.waiting-streams", "0", from: "0", to: "65536", below: "-1", above: "65537"),
        integer("limits.streams-per-address", "7", from: "1", to: "4096", below: "0", above: "4097"),
        duration("limits.stream-time", "\"7 seconds\"", from: 1, to: "3600"),
    ]

    private static let storage: [ConfigurationKey] = [
        ConfigurationKey("database.url", "\"sqlite:///elsewhere.db\"", [
            string, ("\"\"", "write \"sqlite:///path/server.db\""), ("\"mysql://x\"", "write \"sqlite:///path/server.db\""), ("\"sqlite://\"", "write \"sqlite:///path/server.db\""),
            ("\"sqlite:///a%zz\"", "write \"sqlite:///path/server.db\""), ("\"sqlite:///a?mode=memory\"", "\"mode=rwc\" and \"mode=rw\""),
        ]),
        ConfigurationKey("database.heartbeat", "true", truth),
        integer("database.max-connections", "7", from: "4", to: "1000", below: "3", above: "1001"),
        duration("database.acquire-timeout", "\"7 seconds\"", from: 1, to: "3600"),
        ConfigurationKey("storage.type", "\"local\"", [string, ("\"nfs\"", "write \"local\"")]),
        ConfigurationKey("storage.path", "\"/elsewhere\"", [string, ("\"chunks\"", "write the whole path"), ("\"\"", "write the directory")]),
    ]

    private static let cutting: [ConfigurationKey] = [
        ConfigurationKey("chunking.nar-size-threshold", "1", [("-1", "write an integer of at least 0"), ("\"1 MiB\"", "write an integer of at least 0")]),
        integer("chunking.min-size", "64", from: "64", to: "1048576", below: "63", above: "1048577"),
        integer("chunking.avg-size", "131072", from: "256", to: "4194304", below: "255", above: "4194305"),
        integer("chunking.max-size", "16777216", from: "1024", to: "16777216", below: "1023", above: "16777217"),
    ]

    private static let rest: [ConfigurationKey] = [
        ConfigurationKey("compression.type", "\"brotli\"", [("\"br\"", "write \"zstd\", \"xz\", \"brotli\" or \"none\""), string, ("\"gzip\"", "write \"zstd\""), ("\"ZSTD\"", "write \"zstd\"")]),
        integer("compression.level", "3", from: "-131072", to: "22", below: "-131073", above: "23"),
        period("garbage-collection.interval"), period("garbage-collection.default-retention-period"),
        ConfigurationKey("jwt.token-bound-issuer", "\"me\"", [string]),
        ConfigurationKey("jwt.token-bound-audiences", "[\"me\"]", [("\"me\"", "write a list of strings"), ("[1]", "write a list of strings")]),
    ]

    private static let tokens: [ConfigurationKey] = [
        ConfigurationKey("jwt.signing.token-hs256-secret-base64", base64("another secret, which is long enough for one"), [
            string, ("\"\"", "openssl rand 64"), ("\"%%\"", "openssl rand 64"), (base64(RSAKeys.publicKey), "token-rs256-pubkey-base64"),
        ]),
        ConfigurationKey("jwt.signing.token-rs256-secret-base64", base64(RSAKeys.privatePKCS1), [
            string, ("\"\"", "openssl genrsa"), ("\"%%\"", "openssl genrsa"), (base64(RSAKeys.small), "2048 to 8192"), (base64(RSAKeys.publicKey), "openssl genrsa"), (base64(RSAKeys.encryptedPKCS8), "openssl genrsa"),
        ]),
        ConfigurationKey("jwt.signing.token-rs256-pubkey-base64", base64(RSAKeys.publicKey), [
            string, ("\"\"", "openssl rsa"), ("\"%%\"", "openssl rsa"), (base64(RSAKeys.privatePKCS1), "openssl rsa"), (base64(RSAKeys.curvePublic), "openssl rsa"),
        ]),
    ]
}

/// A variable of the environment, likewise.
private struct ConfigurationVariable {
    let name: String
    /// The configuration without what it is for.
    let without: String
    let taken: String
    let refused: [(value: String, allowed: String)]

    private static let tokenless = "[database]\nurl = \"sqlite:///d\"\n[storage]\npath = \"/s\""
    private static func base64(_ text: String) -> String { Base64.encode(Array(text.utf8)) }

    static let all: [ConfigurationVariable] = [
        ConfigurationVariable(name: "ATTIC_SERVER_CONFIG_BASE64", without: "", taken: base64(ConfigurationTests.minimal), refused: [("%%", "base64"), (base64("lsten = 1"), "did you mean \"listen\"")]),
        ConfigurationVariable(
            name: "ATTIC_SERVER_DATABASE_URL", without: ConfigurationTests.minimal.replacing("url = ", with: "#"), taken: "sqlite:///d",
            refused: [("mysql://user:hunter2@host/d", "sqlite:///path/server.db"), ("hunter2", "sqlite:///path/server.db")]),
        ConfigurationVariable(
            name: "ATTIC_SERVER_TOKEN_HS256_SECRET_BASE64", without: tokenless, taken: base64("a secret that is long enough for one"), refused: [("hunter2!", "openssl rand 64")]),
        ConfigurationVariable(
            name: "ATTIC_SERVER_TOKEN_RS256_SECRET_BASE64", without: tokenless, taken: base64(RSAKeys.privatePKCS1), refused: [("hunter2!", "openssl genrsa"), (base64("hunter2"), "openssl genrsa")]),
        ConfigurationVariable(
            name: "ATTIC_SERVER_TOKEN_RS256_PUBKEY_BASE64", without: tokenless, taken: base64(RSAKeys.publicKey), refused: [("hunter2!", "openssl rsa"), (base64("hunter2"), "openssl rsa")]),
    ]

    func configuration(_ value: String) throws(ConfigurationError) -> Configuration {
        without.isEmpty
            ? try Configuration.load(path: nil, environment: [name: value])
            : try Configuration.parse(without, name: "server.toml", environment: [name: value])
    }
}

@Suite("Every key and every variable of the server's configuration")
struct ConfigurationKeyTests {
    private static let example = try? File.readText(File.parent(of: File.parent(of: File.parent(of: #filePath))) + "/server.toml.example")

    /// The keys that the example has, as one says them; those too that are commented out.
    private static func keysOfExample() throws -> Set<String> {
        let text = try #require(example)
        var section = ""
        var keys: Set<String> = []
        for line in text.split(separator: "\n") {
            // What stands further in is of a bucket, and not read with the rest.
            let line = line.hasPrefix("#   ") ? line.dropFirst(4) : line
            if line.hasPrefix("[") { section = line.dropFirst().prefix { $0 != "]" } + "." }
            let rest = line.hasPrefix("#") && !line.hasPrefix("# ") ? line.dropFirst() : line
            guard !rest.hasPrefix("#"), !rest.hasPrefix("["), let equals = rest.firstRange(of: " = ") else { continue }
            keys.insert(section + rest[..<equals.lowerBound])
        }
        return keys
    }

    @Test("stands in this table, and nothing else does")
    func complete() throws {
        let keys = try Self.keysOfExample()
        let table = Set(ConfigurationKey.all.map(\.name))
        #expect(keys.subtracting(table).isEmpty, "keys of server.toml.example that no test exercises")
        #expect(table.subtracting(keys).isEmpty, "keys that server.toml.example does not have")
        let text = try #require(Self.example)
        var named: Set<String> = []
        for word in text.split(whereSeparator: { !$0.isLetter && !$0.isNumber && $0 != "_" }) where word.hasPrefix("ATTIC_SERVER_") { named.insert(String(word)) }
        #expect(named == Set(ConfigurationVariable.all.map(\.name)), "variables that the example names, and those of the table")
        #expect(named == Set(EnvironmentVariable.all))
    }

    @Test("is taken, and changes the configuration", arguments: ConfigurationKey.all)
    func taken(key: ConfigurationKey) throws {
        let changed = try ConfigurationTests.parse(key.text(key.taken))
        let isDefault = key.name == "storage.type"
        #expect((changed != (try ConfigurationTests.parse(key.minimal))) != isDefault)
        // A backup has it too; its storage is a directory.
        if key.isOfBucket { return }
        var copy = try ConfigurationTests.parse(changed.text(database: changed.database, storagePath: changed.storagePath))
        copy.warnings = changed.warnings
        #expect(copy == changed)
    }

    @Test("is refused with a wrong value, by its line and column, with what is allowed", arguments: ConfigurationKey.all)
    func refused(key: ConfigurationKey) throws {
        #expect(!key.refused.isEmpty)
        for (value, allowed) in key.refused {
            let message = ConfigurationTests.refusal(key.text(value)) ?? "it was taken"
            #expect(message.hasPrefix(key.place(value)), "\(key.name) = \(value): \(message)")
            #expect(message.contains(allowed), "\(key.name) = \(value): \(message)")
            #expect(!message.contains("\n") && message.utf8.count < 400)
        }
        // Of two keys that go together, the other is said to be alone.
        if key.section == "storage.credentials" { return }
        // A slip in its name is named, and so is a second time.
        let slip = key.text(key.taken).replacing("\n\(key.key) = ", with: "\n\(key.key)x = ")
        if slip != key.text(key.taken) {
            let message = ConfigurationTests.refusal(slip) ?? "it was taken"
            #expect(message.contains("unknown key \"\(key.key)x\"") && message.contains("did you mean \"\(key.key)\"?"), "\(message)")
        }
    }

    @Test("A variable is taken where the file leaves it out, and a wrong one is refused by its name, and not repeated", arguments: ConfigurationVariable.all.indices)
    func variables(index: Int) throws {
        let variable = ConfigurationVariable.all[index]
        _ = try variable.configuration(variable.taken)
        for (value, allowed) in variable.refused {
            var message = "it was taken"
            do throws(ConfigurationError) { _ = try variable.configuration(value) } catch { message = error.description }
            #expect(message.contains(variable.name) && message.contains(allowed), "\(message)")
            #expect(!message.contains("hunter2"))
        }
    }
}
