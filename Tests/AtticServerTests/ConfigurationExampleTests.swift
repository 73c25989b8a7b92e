import AtticAPI
@testable import AtticServer
import ConfigFile
import Encoding
import Platform
import Testing

@Suite("server.toml.example and the first run's server.toml")
struct ConfigurationExampleTests {
    /// Keys that stand in place of another one of the example, so that only one of them can be set.
    static let alternatives: Set<[String]> = [
        ["jwt", "signing", "token-rs256-secret-base64"], ["jwt", "signing", "token-rs256-pubkey-base64"],
    ]

    /// The example with every commented key uncommented, but for alternatives, and a secret put in.
    private func example() throws -> String {
        let root = File.parent(of: File.parent(of: File.parent(of: #filePath)))
        let text = try #require(try File.readText(root + "/server.toml.example"))
        let uncommented = text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            let isAlternative = Self.alternatives.contains { line.hasPrefix("#\($0.last ?? "") = ") }
            return line.hasPrefix("#") && line.count > 1 && !line.hasPrefix("# ") && !isAlternative ? line.dropFirst() : line
        }.joined(separator: "\n")
        return uncommented.replacing("(put your own secret here)", with: Base64.encode(ConfigurationTests.secret))
    }

    @Test("With every key uncommented the example says what the code does by itself")
    func values() throws {
        var expected = try ConfigurationTests.parse(ConfigurationTests.minimal)
        // Without a default: examples.
        expected.database = .sqlite(path: "/var/lib/tetryx/server.db")
        expected.storagePath = "/var/lib/tetryx/storage"
        expected.apiEndpoint = "https://cache.example.org/"
        expected.substituterEndpoint = "https://cdn.example.org/"
        expected.tokenRules = TokenRules(issuer: "cache.example.org")
        // What they are without a bucket.
        (expected.limits.streamsMax, expected.limits.clientStreamsMax) = expected.limits.streams(ofAllNars: false)
        #expect(try ConfigurationTests.parse(try example()) == expected)
    }

    @Test("The example has every key that the code knows, and no other")
    func keys() throws {
        let file = try TOMLFile.parse(try example(), name: "server.toml.example")
        _ = try Configuration(reading: file, environment: [:])
        #expect(Set(file.presentPaths) == file.askedPaths.subtracting(Self.alternatives))
        let text = try example()
        for path in Self.alternatives { #expect(text.contains("\n#\(path.last ?? "") = \""), "the example does not show it") }
    }

    @Test("As it is, the example does not start a server with a secret that all the world knows")
    func placeholder() throws {
        let text = try example().replacing(Base64.encode(ConfigurationTests.secret), with: "(put your own secret here)")
        #expect(ConfigurationTests.refusal(text)?.contains("the secret is not base64") == true)
    }

    @Test("The first run's text gives the defaults with its own database, storage and secret", arguments: [
        "/home/someone/.local/share/tetryx", "/data/a \"quoted\" \\ é ?x=%41#/dir",
    ])
    func firstRun(directory: String) throws {
        let text = Configuration.firstRunText(
            databasePath: directory + "/server.db", storagePath: directory + "/storage",
            secretBase64: Base64.encode(ConfigurationTests.secret))
        var expected = try ConfigurationTests.parse(ConfigurationTests.minimal)
        expected.database = .sqlite(path: directory + "/server.db")
        expected.storagePath = directory + "/storage"
        #expect(try ConfigurationTests.parse(text) == expected)
        // Its commented keys are good ones too, and say the defaults.
        let uncommented = text.replacing("\n#level", with: "\nlevel").replacing("\n#default", with: "\ndefault").replacing("\n#api", with: "\napi")
        let changed = try ConfigurationTests.parse(uncommented)
        #expect(changed.compressionLevel == expected.compressionLevel)
        #expect(changed.apiEndpoint == "https://cache.example.org/")
    }
}
