import Database
import HTTP
import HTTPServer
import Platform
import S3
import Storage
import Support

@testable import AtticServer

/// Another server on a fixture's database, whose packs are objects of a bucket: those that the fixture has as files. The bucket answers
/// as the test says.
final class BucketReplica {
    /// What the bucket does when it is asked for a pack.
    struct Bucket: Sendable {
        /// Questions for sizes that have come.
        var sizeQuestions = 0
        /// Whether they are left without an answer, until that changes.
        var isSilent = false
        /// What it has lost of each pack.
        var loss = Loss.nothing
    }

    enum Loss: Sendable { case nothing, end, all }

    let state: Monitor<Bucket>
    let context: Context
    let application: Application

    /// Runs `body` while the bucket is there.
    static func run(of fixture: Fixture, redirects: Bool = false, _ body: (BucketReplica) throws -> Void) throws {
        let bucket = Monitor(Bucket())
        let store = fixture.store
        try FakeServer.run(answering: { request in BucketReplica.answer(request, bucket, store) }) { fake in
            defer { bucket.update { $0.isSilent = false } }
            let server = try BucketReplica(fixture, bucket, endpoint: fake.endpoint, redirects: redirects)
            try body(server)
        }
    }

    private init(_ fixture: Fixture, _ bucket: Monitor<Bucket>, endpoint: String, redirects: Bool) throws {
        state = bucket
        let first = fixture.context
        var configuration = first.configuration
        let place = try S3Bucket("chunks", region: "us-east-1", endpoint: endpoint)
        let keys = S3Credentials(accessKeyID: "key", secretAccessKey: "secret")
        configuration.s3 = S3Settings(bucket: place, credentials: keys)
        configuration.s3?.redirects = redirects
        context = Context(
            configuration: configuration, catalog: first.catalog, store: try S3ChunkStore(place, keys, journal: nil, time: first.time, log: first.log),
            access: Access(key: configuration.tokenKey, rules: configuration.tokenRules), freshness: .endless, accessTimes: AccessTimes(),
            press: first.press, time: first.time, log: first.log)
        application = Application(context)
    }

    private static func answer(_ request: FakeServer.Request, _ bucket: Monitor<Bucket>, _ store: any ChunkStore) -> FakeServer.Answer {
        let isHead = request.method == "HEAD"
        if request.path == "/chunks/VERSION" { return answer(200, "tetryx storage 1 (objects)\n") }
        bucket.update { if isHead { $0.sizeQuestions += 1 } }
        bucket.wait { $0.isSilent ? nil : () }
        let loss = bucket.withLock { $0.loss }
        let name = PackName(request.path.dropFirst("/chunks/packs/".count))
        guard loss != .all, let byteCount = name.flatMap({ try? store.packByteCount($0) }) else {
            // HEAD tells no code; then the bucket is asked by GET.
            return answer(404, isHead ? "" : "<Error><Code>NoSuchKey</Code></Error>")
        }
        return answer(200, "", byteCount: loss == .end ? byteCount - 1 : byteCount)
    }

    /// An answer that ends its connection, so that nobody waits for what comes next there.
    private static func answer(_ status: Int, _ body: String, byteCount: Int64? = nil) -> FakeServer.Answer {
        let length = byteCount ?? Int64(body.utf8.count)
        return .init(raw: "HTTP/1.1 \(status) Fake\r\nConnection: close\r\nContent-Length: \(length)\r\n\r\n\(body)")
    }
}
