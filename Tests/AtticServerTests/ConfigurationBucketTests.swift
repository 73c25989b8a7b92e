import ConfigFile
import Encoding
import Platform
import S3
import Storage
import Support
import Testing

@testable import AtticServer

@Suite("A bucket in the server's configuration")
struct ConfigurationBucketTests {
    /// A configuration with these lines as its storage, which begins in line 3.
    private func text(_ storage: String) -> String {
        """
        [database]
        url = "sqlite:///data/server.db"
        [storage]
        type = "s3"
        \(storage)
        [jwt.signing]
        token-hs256-secret-base64 = "\(Base64.encode(ConfigurationTests.secret))"
        """
    }

    private static let keys = "[storage.credentials]\naccess_key_id = \"AKIA\"\nsecret_access_key = \"hidden\""
    private static let environment = ["AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "envsecret", "AWS_REGION": "eu-west-3"]

    @Test("What the example says of a bucket is read, with every key that there is")
    func example() throws {
        let root = File.parent(of: File.parent(of: File.parent(of: #filePath)))
        let lines = try #require(try File.readText(root + "/server.toml.example")).split(separator: "\n", omittingEmptySubsequences: false)
        let sample = lines.filter { $0.hasPrefix("#   ") }.map { $0.dropFirst(4) }.joined(separator: "\n")
        let whole = ConfigurationTests.minimal.replacing("[storage]\npath = \"/data/storage\"", with: sample)
        let configuration = try ConfigurationTests.parse(whole)
        #expect(configuration.holdsSecret && configuration.storagePath.isEmpty && configuration.storageName == "s3://chunks")
        let expected = S3Settings(
            bucket: try S3Bucket("chunks", region: "eu-central-1", endpoint: "https://s3.example.org", addressing: .path),
            credentials: S3Credentials(
                accessKeyID: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: "(put your own secret key here)",
                sessionToken: "(put your own token here)"))
        #expect(configuration.s3 == expected, "and the defaults are those of the code")
        let file = try TOMLFile.parse(whole, name: "server.toml")
        _ = try Configuration(reading: file, environment: [:])
        #expect(file.askedPaths.filter { $0.first == "storage" } == Set(file.presentPaths.filter { $0.first == "storage" }))
    }

    @Test("What is left out is of the environment, or of the file of AWS's tools")
    func sources() throws {
        let fromVariables = try ConfigurationTests.parse(text("bucket = \"chunks\""), Self.environment).s3
        #expect(fromVariables?.bucket == (try S3Bucket("chunks", region: "eu-west-3", endpoint: nil)))
        #expect(fromVariables?.credentials == S3Credentials(accessKeyID: "AKIAENV", secretAccessKey: "envsecret"))
        #expect(fromVariables?.credentialsFile == nil && fromVariables?.redirects == false)
        #expect(try ConfigurationTests.parse(text("bucket = \"chunks\"\nredirect = true"), Self.environment).s3?.redirects == true)
        var more = Self.environment
        more["AWS_SESSION_TOKEN"] = "ticket"
        let fromFile = try ConfigurationTests.parse(text("bucket = \"chunks\"\n\(Self.keys)"), more).s3
        #expect(fromFile?.credentials == S3Credentials(accessKeyID: "AKIA", secretAccessKey: "hidden"), "all of them, or none")
        #expect(
            try ConfigurationTests.parse(text("bucket = \"chunks\""), more).s3?.credentials
                == S3Credentials(accessKeyID: "AKIAENV", secretAccessKey: "envsecret", sessionToken: "ticket"))

        let directory = try TemporaryDirectory()
        try File.replace(
            directory.file("keys"), with: Array("[work]\naws_access_key_id = A\naws_secret_access_key = B\n".utf8), permissions: 0o600)
        let shared = ["AWS_REGION": "r", "AWS_SHARED_CREDENTIALS_FILE": directory.file("keys"), "AWS_PROFILE": "work"]
        let found = try ConfigurationTests.parse(text("bucket = \"chunks\""), shared)
        #expect(found.s3?.credentials == S3Credentials(accessKeyID: "A", secretAccessKey: "B"))
        #expect(found.s3?.credentialsFile == S3CredentialsFile.Place(path: directory.file("keys"), profile: "work"), "to be read again")
    }

    @Test("What is wrong is told with its place", arguments: [
        ("", "server.toml:3:1: \"bucket\" in [storage] is missing; write the name of a bucket that is there"),
        ("bucket = \"No\"\nregion = \"r\"", "server.toml:5:10: \"No\" is no name of a bucket: 3 to 63 lower-case letters, digits, hyphens and dots"),
        ("bucket = \"chunks\"", "server.toml:3:1: \"region\" in [storage] is missing; "),
        ("bucket = \"chunks\"\nregion = \"a b\"", "server.toml:6:10: \"region\" in [storage] is missing; "),
        ("bucket = \"chunks\"\nregion = \"r\"\nendpoint = \"host\"", "server.toml:7:12: cannot use the URL host: "),
        ("bucket = \"chunks\"\nregion = \"r\"\naddressing = \"dns\"", "server.toml:7:14: \"dns\" is no way to address a bucket; write \"path\" or \"virtual-host\""),
        ("bucket = \"chunks\"\nregion = \"r\"", "server.toml:3:1: there are no keys to the bucket: write access_key_id and secret_access_key into [storage.credentials], set "),
        ("bucket = \"chunks\"\nregion = \"r\"\nmax-requests = 0\n\(keys)", "server.toml:7:16: "),
        ("bucket = \"chunks\"\nregion = \"r\"\nmax-requests-per-second = 0\n\(keys)", "server.toml:7:27: "),
        ("bucket = \"chunks\"\nregion = \"r\"\ngrace-period = \"soon\"\n\(keys)", "server.toml:7:16: "),
        ("bucket = \"chunks\"\nregion = \"r\"\nredirect = \"yes\"\n\(keys)", "server.toml:7:12: \"redirect\" is a string; write true or false"),
        ("bucket = \"chunks\"\nregion = \"r\"\nredirect = 1\n\(keys)", "server.toml:7:12: \"redirect\" is an integer; write true or false"),
        ("bucket = \"chunks\"\nregion = \"r\"\npath = \"/x\"\n\(keys)", "server.toml:7:1: unknown key \"path\" in [storage]"),
        ("bucket = \"chunks\"\nregion = \"r\"\n[storage.credentials]\naccess_key_id = \"A\"", "server.toml:8:17: [storage.credentials] has \"access_key_id\" alone; "),
        ("bucket = \"chunks\"\nregion = \"r\"\n[storage.credentials]\nsecret_access_key = \"hidden\"", "server.toml:8:21: [storage.credentials] has \"secret_access_key\" alone; "),
        ("bucket = \"chunks\"\nregion = \"r\"\n[storage.credentials]\naccess_key_id = \"\"\nsecret_access_key = \"hidden\"", "server.toml:8:17: \"access_key_id\" is empty"),
    ])
    func refused(storage: String, reason: String) {
        let refusal = ConfigurationTests.refusal(text(storage)) ?? "it was taken"
        #expect(refusal.hasPrefix(reason), "\(refusal)")
        #expect(!refusal.contains("hidden"))
    }

    @Test("The secret is in nothing that is printed")
    func secrets() throws {
        let settings = try #require(try ConfigurationTests.parse(text("bucket = \"chunks\"\nregion = \"r\"\n\(Self.keys)")).s3)
        var dumped = ""
        dump(settings, to: &dumped)
        for text in ["\(settings)", String(reflecting: settings), dumped] { #expect(!text.contains("hidden"), "\(text)") }
        #expect(EnvironmentVariable.secrets.contains("AWS_SECRET_ACCESS_KEY"))
    }
}
