import Testing

@testable import Storage

@Suite struct S3BucketTests {
    @Test(arguments: [
        ("http://127.0.0.1:9000", nil, "http://127.0.0.1:9000", "/chunks/packs/a"),
        ("http://host/base/", nil, "http://host", "/base/chunks/packs/a"),
        ("http://host:81", .virtualHost, "http://chunks.host:81", "/packs/a"),
        (nil, nil, "https://chunks.s3.eu-west-1.amazonaws.com", "/packs/a"),
        (nil, .path, "https://s3.eu-west-1.amazonaws.com", "/chunks/packs/a"),
    ] as [(String?, S3Bucket.Addressing?, String, String)])
    func `a bucket stands in the path or in the host`(
        endpoint: String?, addressing: S3Bucket.Addressing?, server: String, path: String
    ) throws {
        let bucket = try S3Bucket("chunks", region: "eu-west-1", endpoint: endpoint, addressing: addressing)
        #expect(bucket.server.description == server)
        #expect(bucket.path(of: "packs/a") == path)
        #expect(bucket.path(of: "") == (path == "/packs/a" ? "/" : String(path.dropLast("/packs/a".count))))
    }

    @Test func `a name with a dot is no host below a certificate's, and stands in the path, unless it is wanted otherwise`() throws {
        #expect(try S3Bucket("my.chunks", region: "r", endpoint: nil).path(of: "a") == "/my.chunks/a")
        #expect(try S3Bucket("my.chunks", region: "r", endpoint: nil).server.description == "https://s3.r.amazonaws.com")
        let wanted = try S3Bucket("my.chunks", region: "r", endpoint: nil, addressing: .virtualHost)
        #expect(wanted.server.description == "https://my.chunks.s3.r.amazonaws.com")
    }

    @Test(arguments: ["", "ab", "Upper", "with_underscore", String(repeating: "a", count: 64)])
    func `what is no name of a bucket is refused`(name: String) {
        #expect(throws: S3BucketError.self) { try S3Bucket(name, region: "r", endpoint: nil) }
    }

    @Test(arguments: ["localhost:9000", "ftp://host", "http://", "http://host/?x"])
    func `what is no endpoint is refused`(endpoint: String) {
        #expect(throws: S3BucketError.self) { try S3Bucket("chunks", region: "r", endpoint: endpoint) }
    }
}
