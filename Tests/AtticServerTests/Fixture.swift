import AtticAPI
import BucketSupport
import Crypto
import Database
import Encoding
import HTTP
import HTTPServer
import Logging
import Nix
import Platform
import SQL
import Storage
import Support
import Testing

@testable import AtticServer

/// A server without sockets: requests go straight to the application, on a directory and a clock of its own.
final class Fixture {
    let directory: TemporaryDirectory
    /// Where the database is on PostgreSQL.
    private let schema: TestSchema?
    let clock = Monitor(WallTime(milliseconds: 1_800_000_000_000))
    let secret = Array("a secret of the tests, long enough to be one".utf8)
    let context: Context
    let application: Application
    let store: any ChunkStore
    /// The name of the bucket, where there is one.
    let bucket = "t\(UInt64.random(in: .min ... .max))"

    /// - Parameters:
    ///   - more: lines of the configuration before its sections, and sections.
    ///   - sealByteCount: a pack that has reached it gets no more.
    ///   - storage: where the chunks lie.
    init(_ more: String = "", packs sealByteCount: Int64 = 64 << 20, on storage: TestStorage = .wanted) throws {
        directory = try TemporaryDirectory()
        schema = TestPostgres.isForServers ? try TestSchema(onServer: #require(TestPostgres.serverURL)) : nil
        let text = try """
            \(more)
            [database]
            url = "\(schema?.url ?? "sqlite://\(directory.path)/server.db")"
            \(storage.configurationText(in: directory, bucket: bucket))
            [jwt.signing]
            token-hs256-secret-base64 = "\(Base64.encode(secret))"
            """
        let configuration = try Configuration.parse(text, name: "the test's configuration", environment: [:])
        var log = Logger(label: "test")
        log.logLevel = .critical
        var options = Catalog.Options()
        // A busy machine must not decide whose change was seen.
        options.lookPatience = .seconds(60)
        let catalog = try Catalog(configuration.database, readers: 2, log: log, options: options)
        try catalog.migrate()
        let clock = clock
        let time = TimeSource { clock.withLock { $0 } }
        store = try Fixture.openStore(configuration, catalog, sealByteCount: sealByteCount, time: time, log: log)
        context = Context(
            configuration: configuration, catalog: catalog, store: store,
            access: Access(key: configuration.tokenKey, rules: configuration.tokenRules), freshness: .endless,
            accessTimes: AccessTimes(),
            press: Press(threadCount: 2, kind: configuration.compressionKind, level: configuration.compressionLevel),
            time: time, log: log)
        application = Application(context)
    }

    deinit {
        context.press.close()
        context.catalog.close()
        if store.packKind == .object && TestGateway.url == nil { try? FakeBucket.shared().forget(bucket: bucket) }
    }

    // MARK: Asking

    /// A token with these permissions, in order.
    func token(_ grants: [(String, Permissions)], expiry: Int64 = 1_900_000_000) throws -> String {
        let caches = try grants.map { (try #require(CacheNamePattern($0.0)), $0.1) }
        return Token(subject: "test", expirySeconds: expiry, caches: caches).signed(with: .hs256(secret: secret))
    }

    func root() throws -> String { try token([("*", .all)]) }

    /// Sends one request and gives the answer, as the wire would see it.
    func send(
        _ method: String, _ path: String, token: String? = nil, headers: [(String, String)] = [], body: [UInt8] = [],
        to other: Application? = nil
    ) throws -> Response {
        let application = other ?? application
        var text = "\(method) \(path) HTTP/1.1\r\nHost: cache.test\r\n"
        if let token { text += "Authorization: Bearer \(token)\r\n" }
        for (name, value) in headers { text += "\(name): \(value)\r\n" }
        if !body.isEmpty { text += "Content-Length: \(body.count)\r\n" }
        let head = try RequestHead(parsing: text + "\r\n")
        if let response = application.answerAtOnce(head) { return response }
        return application.respond(
            to: Request(head: head, id: "0123456789abcdef", remoteAddress: "192.0.2.1", body: RequestBody(body)))
    }

    /// Whether a server answers a path from memory, without a thread.
    func isAnsweredAtOnce(_ path: String, by application: Application) throws -> Bool {
        let head = try RequestHead(parsing: "GET \(path) HTTP/1.1\r\nHost: cache.test\r\nAuthorization: Bearer \(root())\r\n\r\n")
        return application.answerAtOnce(head) != nil
    }

    @discardableResult
    func makeCache(_ name: String, isPublic: Bool = false) throws -> CacheName {
        let body = CreateCacheRequest(
            keypair: .generate, isPublic: isPublic, storeDirectory: "/nix/store", priority: 41,
            upstreamCacheKeyNames: ["cache.nixos.org-1"]
        ).json()
        let response = try send("POST", "/_api/v1/cache-config/\(name)", token: root(), body: body)
        #expect(response.status == .ok)
        return try #require(CacheName(name))
    }

    /// Pushes a store path; its references are paths pushed before.
    func push(
        _ path: TestPath, to cache: CacheName, token: String? = nil, preamble: Bool = false, narHash: SHA256Digest? = nil,
        narSize: Int64? = nil
    ) throws -> Response {
        let info = UploadPathNarInfo(
            cache: cache, storePathHash: path.storePath.hash, storePath: path.storePath.absolute(),
            references: path.references, signatures: path.signatures, narHash: narHash ?? SHA256.digest(of: path.nar),
            narSize: narSize ?? Int64(path.nar.count)
        ).json()
        let headers: [(String, String)] =
            preamble
            ? [(Endpoint.narInfoPreambleSizeHeader, String(info.count))]
            : [(Endpoint.narInfoHeader, String(decoding: info, as: UTF8.self))]
        return try send(
            "PUT", Endpoint.uploadPath, token: token ?? root(), headers: headers, body: preamble ? info + path.nar : path.nar)
    }

    func narInfo(_ path: TestPath, in cache: CacheName) throws -> NarInfo {
        let response = try send("GET", "/\(cache)/\(path.storePath.hash).narinfo", token: root())
        try #require(response.status == .ok)
        return try NarInfo.parse(response.bytes)
    }

    /// Collects garbage at the clock's time.
    @discardableResult
    func sweep(defaultRetentionSeconds: Int64 = 0) throws -> Sweeper.Report {
        context.accessTimes.flush(to: context.catalog, log: context.log)
        return try Sweeper(
            catalog: context.catalog, store: store, defaultRetentionSeconds: defaultRetentionSeconds, punchDelay: .zero,
            grace: .zero, log: context.log
        ).sweep(time: context.time)
    }

    func advance(_ duration: Duration) { clock.update { $0 = $0 + duration } }

    /// Bytes of all packs, by their length.
    func packBytes() throws -> Int64 {
        try store.packNames().reduce(0) { sum, name in sum + (try store.packByteCount(name) ?? 0) }
    }
}

/// A store path of the tests: one file, whose bytes are seeded noise.
struct TestPath {
    let storePath: StorePath
    let nar: [UInt8]
    var references: [StorePath] = []
    var signatures: [String] = []

    /// - Parameter seeds: each gives a stretch of `byteCount` bytes; paths with the same seeds share chunks.
    init(_ name: String, seeds: [UInt64], byteCount: Int, references: [TestPath] = []) throws {
        var contents: [UInt8] = []
        for seed in seeds {
            var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
            for _ in 0..<(byteCount / 8) {
                state ^= state << 13
                state ^= state >> 7
                state ^= state << 17
                unsafe withUnsafeBytes(of: state) { unsafe contents.append(contentsOf: $0) }
            }
        }
        var writer = NarWriter()
        writer.file(contents)
        nar = writer.take()
        let hash = SHA256.digest(of: Array("\(name)\(seeds)".utf8)).bytes.prefix(20)
        storePath = try StorePath(baseName: "\(NixBase32.encode(Array(hash)))-\(name)")
        self.references = references.map(\.storePath)
    }
}

extension Response {
    /// The body, read from wherever it lies.
    var bytes: [UInt8] {
        switch body {
        case .empty: return []
        case .bytes(let bytes): return bytes
        case .files(let extents, _):
            var all: [UInt8] = []
            for extent in extents {
                var part = [UInt8](repeating: 0, count: Int(extent.byteCount))
                let count = try? unsafe part.withUnsafeMutableBytes { buffer in
                    try unsafe extent.file.descriptor.readFully(at: extent.offset, into: buffer)
                }
                all += part.prefix(count ?? 0)
            }
            return all
        case .stream(let byteCount, let produce): return (try? BodyWriter.bytes(of: produce, byteCount: byteCount)) ?? []
        }
    }

    var text: String { String(decoding: bytes, as: UTF8.self) }
    func header(_ name: String) -> String? { headers.first { $0.0.lowercased() == name.lowercased() }?.1 }
}

extension DatabaseLocation {
    /// A connection beside the catalog's.
    func connect() throws -> any SQLConnection {
        switch self {
        case .sqlite(let path): try SQLiteConnection(path: path, access: .readWrite)
        case .postgres(let server): try PostgresConnection(server)
        }
    }
}
