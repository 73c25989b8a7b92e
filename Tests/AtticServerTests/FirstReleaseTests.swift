import AtticAPI
import Compression
import Crypto
import Database
import Encoding
import HTTP
import HTTPServer
import Nix
import Platform
import Storage
import Support
import Testing

@testable import AtticServer

/// What a server of the first release left behind: its database and storage, after `tetryx` pushed a closure of four paths, and the answers
/// that it gave (`answers`: `nix-cache-info`, and the narinfo of each path, which has the hashes of the NAR and of the stored file).
///
/// Made once, by commit 1e310be, with chunks of 1 to 16 KiB and an Ed25519 key that signs the same narinfo the same at every time.
@Suite("A database and storage of the first release")
struct FirstReleaseTests {
    private let directory: TemporaryDirectory
    private let server: (context: Context, store: LocalChunkStore)
    private let cache: CacheName
    private static let secret = Array("the first release, 0123456789abcdef".utf8)

    /// Opens it as a server does that starts.
    init() throws {
        directory = try TemporaryDirectory()
        let tar = File.parent(of: #filePath) + "/Vectors/first-release.tar.gz"
        try #require(try Subprocess.run(["tar", "-C", directory.path, "-xzf", tar]).isSuccess)
        let configuration = try Configuration.parse("""
            [database]
            url = "sqlite://\(directory.path)/server.db"
            [storage]
            path = "\(directory.path)/storage"
            [jwt.signing]
            token-hs256-secret-base64 = "\(Base64.encode(Self.secret))"
            """, name: "server.toml", environment: [:])
        let log = try Fixture().context.log
        let catalog = try Catalog(configuration.database, readers: 2, log: log)
        #expect(try catalog.pendingMigrations().count >= 5, "it is as the first release left it")
        #expect(throws: RunnerError.self) { try Opening.requireSchema(of: catalog) }
        try catalog.migrate()
        try Opening.requireSchema(of: catalog)
        let store = try LocalChunkStore(path: configuration.storagePath, log: log)
        try Opening.recover(store, catalog, log: log)
        let context = Context(
            configuration: configuration, catalog: catalog, store: store,
            access: Access(key: configuration.tokenKey, rules: configuration.tokenRules), accessTimes: AccessTimes(),
            press: Press(threadCount: 1, kind: configuration.compressionKind, level: configuration.compressionLevel), time: .system, log: log)
        server = (context, store)
        cache = try #require(CacheName("hello"))
    }

    private func send(_ method: String, _ path: String, _ body: [UInt8] = [], headers: String = "") throws -> Response {
        let token = Token(subject: "root", expirySeconds: 4_000_000_000, caches: [(.all, .all)]).signed(with: .hs256(secret: Self.secret))
        let head = try RequestHead(parsing: "\(method) \(path) HTTP/1.1\r\nHost: cache.test\r\nAuthorization: Bearer \(token)\r\n\(headers)Content-Length: \(body.count)\r\n\r\n")
        return Application(server.context).respond(to: Request(head: head, id: "0", remoteAddress: "192.0.2.1", body: RequestBody(body)))
    }

    /// The narinfos that the first release answered, by the hash of their paths.
    private func answers() throws -> [(hash: String, bytes: [UInt8])] {
        try Directory.names(directory.file("answers")).filter { $0.hasSuffix(".narinfo") }.map {
            (String($0.dropLast(8)), try File.readAll(directory.file("answers/\($0)")))
        }
    }

    private func close() {
        server.context.press.close()
        server.context.catalog.close()
    }

    @Test("is served byte for byte: narinfos with their signatures, stored files, NARs")
    func serves() throws {
        defer { close() }
        #expect(try send("GET", "/hello/nix-cache-info").text.hasPrefix(String(decoding: File.readAll(directory.file("answers/nix-cache-info")), as: UTF8.self)))
        let answers = try answers()
        #expect(answers.count == 4)
        for (hash, bytes) in answers {
            let answer = try send("GET", "/hello/\(hash).narinfo")
            #expect(answer.status == .ok)
            #expect(answer.text == String(decoding: bytes, as: UTF8.self))
            let info = try NarInfo.parse(bytes)
            let stored = try send("GET", "/hello/\(info.url)").bytes
            #expect(SHA256.digest(of: stored) == info.fileHash && Int64(stored.count) == info.fileSize)
            let nar = try StreamDecoder.decode(stored, .zstd, outputByteCountMax: Int(info.narSize))
            #expect(SHA256.digest(of: nar) == info.narHash && Int64(nar.count) == info.narSize)
            // What came later is made of it: listings, and other codings.
            #expect(try send("GET", "/hello/\(hash).ls").status == .ok)
        }
    }

    @Test("is clean, with its contents read as well, and stays so through a push and a collection")
    func clean() throws {
        defer { close() }
        func check() throws -> CheckReport {
            var options = CheckOptions(now: .now)
            options.verifiesContent = true
            return try Checker(server.context.catalog, server.store, options, tell: { Issue.record("\($0)") }, goesOn: { true }).run()
        }
        let report = try check()
        #expect(report.outcome == .clean && report.counts.nars == 4 && report.counts.objects == 4 && report.counts.verifiedNars == 4)
        #expect(report.counts.chunks > 20, "its NARs are cut")

        // A new path refers to an old one, and its bytes go into the old storage.
        let old = try NarInfo.parse(try #require(try answers().first?.bytes)).storePath
        let path = try TestPath("new", seeds: [1], byteCount: 100_000)
        let info = UploadPathNarInfo(
            cache: cache, storePathHash: path.storePath.hash, storePath: path.storePath.absolute(), references: [old], signatures: [],
            narHash: SHA256.digest(of: path.nar), narSize: Int64(path.nar.count)
        ).json()
        let pushed = try send("PUT", Endpoint.uploadPath, info + path.nar, headers: "\(Endpoint.narInfoPreambleSizeHeader): \(info.count)\r\n")
        #expect(pushed.status == .ok, "\(pushed.text)")
        _ = try Sweeper(
            catalog: server.context.catalog, store: server.store, defaultRetentionSeconds: 0, punchDelay: .zero, log: server.context.log
        ).sweep(time: .system)
        let after = try check()
        #expect(after.outcome == .clean && after.counts.objects == 5 && after.counts.verifiedNars == 5)
    }
}
