import BucketSupport
import HTTP
import HTTPClient
import Platform
import Storage
import Support
import Testing

/// URLs that open a pack to whoever has them.
@Suite struct S3PresignedURLTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func ask(_ method: HTTP.Method, _ url: String, range: String? = nil) throws -> ClientResponse {
        let parts = try HTTPURL(url)
        let session = try HTTPSession(endpoint: HTTPURL(parts.serverText))
        let target = parts.path + (parts.query.map { "?\($0)" } ?? "")
        return try session.send(ClientRequest(method, target, headers: range.map { [("Range", $0)] } ?? []))
    }

    private func stored(in store: any ChunkStore) throws -> Extent {
        let writer = try store.borrowPack()
        let pack = try writer.append(patterned(5000, seed: 1))
        try writer.makeDurable()
        writer.giveBack()
        return pack
    }

    @Test(arguments: StoreKind.objects)
    func `whoever has one gets the pack, whole or a part of it, and by HEAD its size`(kind: StoreKind) throws {
        let store = try kind.open(in: directory)
        let pack = try stored(in: store)
        let url = try #require(try store.presignedURL(of: pack, method: .get, seconds: 60))
        let whole = try ask(.get, url)
        #expect(whole.status == .ok && whole.body == patterned(5000, seed: 1))
        let part = try ask(.get, url, range: "bytes=10-19")
        #expect(part.status == .partialContent && part.body == Array(patterned(5000, seed: 1)[10..<20]))
        let head = try ask(.head, #require(try store.presignedURL(of: pack, method: .head, seconds: 60)))
        #expect(head.status == .ok && head.header("Content-Length") == "5000")
    }

    @Test(.enabled(if: TestGateway.url != nil, "TETRYX_TEST_S3 is not set: scripts/test does"))
    func `one is good for its pack and its method, as long as it says, and as it is`() throws {
        let store = try StoreKind.gateway.open(in: directory)
        let (pack, other) = (try stored(in: store), try stored(in: store))
        let url = try #require(try store.presignedURL(of: pack, method: .get, seconds: 60))
        #expect(try ask(.get, url.replacing(pack.pack.text, with: other.pack.text)).status == .forbidden)
        #expect(try ask(.get, url.replacing("X-Amz-Expires=60", with: "X-Amz-Expires=6000")).status == .forbidden)
        #expect(try ask(.get, #require(try store.presignedURL(of: pack, method: .head, seconds: 60))).status == .forbidden)
        #expect(try ask(.delete, url).status == .forbidden)
        #expect(try ask(.get, url).status == .ok)
    }

    @Test func `a directory has none`() throws {
        let store = try StoreKind.local.open(in: directory)
        let pack = try stored(in: store)
        #expect(try store.presignedURL(of: pack, method: .get, seconds: 60) == nil)
    }
}
