import AtticAPI
import Encoding
import Platform
import Storage
import Support
import Testing

@testable import AtticServer

/// Keys and variables of a bucket.
extension ConfigurationKey {
    /// The smallest configuration whose storage is a bucket.
    static let minimalOfBucket = """
        [database]
        url = "sqlite:///data/server.db"
        [storage]
        type = "s3"
        bucket = "chunks"
        region = "r"
        [storage.credentials]
        access_key_id = "AKIA"
        secret_access_key = "hidden"
        [jwt.signing]
        token-hs256-secret-base64 = "\(Base64.encode(ConfigurationTests.secret))"
        """

    static let bucket: [ConfigurationKey] = [
        ConfigurationKey("storage.bucket", "\"other\"", [string, ("\"\"", "write the name of a bucket"), ("\"No\"", "3 to 63 lower-case letters")]),
        ConfigurationKey("storage.region", "\"eu-central-1\"", [string, ("\"\"", "write the bucket's"), ("\"a b\"", "write the bucket's")]),
        ConfigurationKey("storage.endpoint", "\"https://s3.example.org\"", [("1", "must be a string"), ("\"host\"", "cannot use the URL host")]),
        ConfigurationKey("storage.addressing", "\"path\"", [string, ("\"dns\"", "write \"path\" or \"virtual-host\"")]),
        integer("storage.max-requests", "7", from: "1", to: "1024", below: "0", above: "1025"),
        integer("storage.max-requests-per-second", "7", from: "1", to: "1000000", below: "0", above: "1000001"),
        ConfigurationKey("storage.grace-period", "\"7 hours\"", [
            string, ("\"7 parsecs\"", DurationWords.allowed), ("\"-1 day\"", DurationWords.allowed), ("\"1001 years\"", "longer than 1000 years"),
        ]),
        ConfigurationKey("storage.redirect", "true", [("1", "write true or false"), ("\"yes\"", "write true or false")]),
        ConfigurationKey("storage.credentials.access_key_id", "\"AKIB\"", [string, ("\"\"", "is empty")]),
        ConfigurationKey("storage.credentials.secret_access_key", "\"hidden2\"", [string, ("\"\"", "is empty")]),
        ConfigurationKey("storage.credentials.session_token", "\"ticket\"", [string]),
    ].map { key in
        var key = key
        key.isOfBucket = true
        return key
    }
}

@Suite("Every variable of a bucket")
struct ConfigurationBucketVariableTests {
    /// A configuration whose bucket is in no region and has no keys.
    private static let text = ConfigurationKey.minimalOfBucket.split(separator: "\n")
        .filter { !$0.hasPrefix("region") && !$0.contains("access_key") && !$0.hasPrefix("[storage.c") }.joined(separator: "\n")
    private static let keys = ["AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "hidden"]

    private func settings(_ environment: [String: String]) throws -> S3Settings? { try ConfigurationTests.parse(Self.text, environment).s3 }

    @Test("is in the example, and counts")
    func all() throws {
        let example = try #require(try File.readText(File.parent(of: File.parent(of: File.parent(of: #filePath))) + "/server.toml.example"))
        let words = example.split { !$0.isLetter && !$0.isNumber && $0 != "_" }
        let named = Set(words.filter { $0.hasPrefix("AWS_") }.map(String.init))
        #expect(named == [
            "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_SHARED_CREDENTIALS_FILE",
        ])
        for name in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
            #expect(try settings(Self.keys.merging([name: "eu-west-3"]) { $1 })?.bucket == S3Bucket("chunks", region: "eu-west-3", endpoint: nil))
            #expect(ConfigurationTests.refusal(Self.text, Self.keys.merging([name: "a b"]) { $1 })?.contains("region") == true)
        }
        #expect(ConfigurationTests.refusal(Self.text, Self.keys)?.contains("\"region\" in [storage] is missing") == true)
        // The first of the two, unless it is empty.
        for (first, region) in [("one", "one"), ("", "two")] {
            let both = ["AWS_REGION": first, "AWS_DEFAULT_REGION": "two"]
            #expect(try settings(Self.keys.merging(both) { $1 })?.bucket == S3Bucket("chunks", region: region, endpoint: nil))
        }
        let region = ["AWS_REGION": "r"]
        for name in Self.keys.keys {
            #expect(ConfigurationTests.refusal(Self.text, region.merging([name: "x"]) { $1 })?.contains(EnvironmentVariable.awsSecret) == true, "one is not enough")
        }
        let ticket = region.merging(Self.keys) { $1 }.merging(["AWS_SESSION_TOKEN": "ticket"]) { $1 }
        #expect(try settings(ticket) != settings(region.merging(Self.keys) { $1 }))
        // Files: the default profile, and another.
        let directory = try TemporaryDirectory()
        try File.replace(directory.file("keys"), with: Array("""
            [default]
            aws_access_key_id = A
            aws_secret_access_key = hidden
            [work]
            aws_access_key_id = B
            aws_secret_access_key = hidden

            """.utf8), permissions: 0o600)
        let file = region.merging(["AWS_SHARED_CREDENTIALS_FILE": directory.file("keys")]) { $1 }
        let work = file.merging(["AWS_PROFILE": "work"]) { $1 }
        #expect(try settings(file) != settings(work))
        #expect(ConfigurationTests.refusal(Self.text, file.merging(["AWS_PROFILE": "none"]) { $1 })?.contains("profile \"none\"") == true)
    }
}
