import AtticAPI
import Support
import Testing

@testable import AtticServer

/// HEAD over a raw socket: a body behind such an answer would be taken for the next answer, and poison the connection.
@Suite("HEAD over the wire")
struct HeadOverTheWireTests {
    static let missing = String(repeating: "0", count: 32)

    /// Each route that can be read, and each way for it to fail; `PATH`, `NAR` and `TOOL` stand for what was pushed.
    static let targets: [(path: String, hasToken: Bool, status: Int)] = [
        ("/", false, 200), ("/open/nix-cache-info", false, 200), ("/open/attic-cache-info", false, 200),
        ("/_api/v1/cache-config/open", false, 200), ("/open/PATH.narinfo", false, 200), ("/open/PATH.closure.narinfo", false, 200),
        ("/open/NAR", false, 200), ("/open/nar/PATH.nar", false, 200), ("/open/PATH.ls", false, 200),
        // What there is not.
        ("/open/\(missing).narinfo", false, 404), ("/open/\(missing).closure.narinfo", false, 404), ("/open/\(missing).ls", false, 404),
        ("/open/nar/\(missing).nar", false, 404),
        ("/open/nar/\(missing)\(missing.prefix(20)).nar.zst", false, 404), ("/open/log/\(missing)-x.drv", false, 404),
        ("/open/realisations/sha256:\(missing)\(missing)!out.doi", false, 404),
        ("/open/build-trace-v2/\(missing)-x.drv/out.doi", false, 404), ("/open/nothing", false, 404), ("/nothing", false, 404),
        ("/_api/v1/nothing", false, 404), ("/_private", false, 404),
        // What is not for everyone.
        ("/closed/nix-cache-info", false, 401), ("/closed/PATH.narinfo", false, 401), ("/closed/NAR", false, 401),
        ("/_api/v1/cache-config/closed", false, 401), ("/nothere/nix-cache-info", false, 401),
        ("/closed/nix-cache-info", true, 200), ("/closed/PATH.narinfo", true, 404), ("/nothere/nix-cache-info", true, 404),
        // What is wrong, and what takes other methods only.
        ("/open/short.narinfo", false, 400), ("/_api/v1/get-missing-paths", false, 405), ("/_api/v1/upload-path", false, 405),
        ("/_api/v1/upload-paths", false, 405), ("/open/get-narinfos-v1", false, 405),
    ]

    @Test("the head is that of GET, its length too, and the next answer follows it at once", arguments: targets.indices)
    func everywhere(_ index: Int) throws {
        let server = try LoopbackFixture()
        let fixture = server.fixture
        let cache = try fixture.makeCache("open", isPublic: true)
        try fixture.makeCache("closed")
        let path = try TestPath("tool", seeds: [1], byteCount: 5000)
        #expect(try fixture.push(path, to: cache).status == .ok)
        let file = try fixture.narInfo(path, in: cache).url
        fixture.context.hot.forgetAll()

        let (pattern, hasToken, status) = Self.targets[index]
        let target = pattern.replacing("PATH", with: path.storePath.hash.description).replacing("NAR", with: file)
        let authorization = hasToken ? "Authorization: Bearer \(try fixture.root())\r\n" : ""
        func request(_ method: String, _ target: String) -> String { "\(method) \(target) HTTP/1.1\r\nHost: h\r\n\(authorization)\r\n" }
        let client = try server.connect()
        // From the handler, and then from the loop where it keeps the answer.
        for _ in 0..<2 {
            try client.send(request("HEAD", target) + request("GET", target) + request("HEAD", target) + request("GET", "/"))
            let head = try #require(try client.receiveAnswer(hasBody: false))
            let get = try #require(try client.receiveAnswer())
            let again = try #require(try client.receiveAnswer(hasBody: false))
            let last = try #require(try client.receiveAnswer())
            #expect(head.status == status && get.status == status, "\(target)")
            #expect(stable(head) == stable(get) && stable(again) == stable(get))
            #expect(get.header("Content-Length") == String(get.body.count))
            #expect(last.status == 200 && last.text.hasPrefix("This is a tetryx"))
        }
    }

    /// The lines that are the same each time.
    func stable(_ answer: RawAnswer) -> [String] {
        answer.head.split(separator: "\r\n").map(String.init).filter { !$0.hasPrefix("Date:") && !$0.hasPrefix("X-Request-Id:") }
    }
}
