import AtticAPI
import ConfigFile
import Database
import Encoding
import HTTP
import HTTPServer
import Platform
import Storage
import Testing

@testable import AtticServer

@Suite("Backup", .packsAreFiles, .databaseIsAFile)
struct BackupTests {
    private func backup(of fixture: Fixture) throws -> Backup {
        let store = try #require(fixture.store as? LocalChunkStore)
        return Backup(fixture.context.configuration, fixture.context.catalog, store, log: fixture.context.log)
    }

    /// Opens a copy as a server does that starts.
    private func restore(_ directory: String) throws -> (configuration: Configuration, context: Context) {
        let configuration = try #require(try Configuration.find(path: directory + "/server.toml", environment: [:]))
        let log = try Fixture().context.log
        let catalog = try Catalog(configuration.database, readers: 2, log: log)
        #expect(try catalog.pendingMigrations().isEmpty)
        let store = try LocalChunkStore(path: configuration.storagePath, log: log)
        try Opening.recover(store, catalog, log: log)
        let context = Context(
            configuration: configuration, catalog: catalog, store: store,
            access: Access(key: configuration.tokenKey, rules: configuration.tokenRules), accessTimes: AccessTimes(),
            press: Press(threadCount: 1, kind: configuration.compressionKind, level: configuration.compressionLevel),
            time: .system, log: log)
        return (configuration, context)
    }

    private func get(_ path: String, _ context: Context, _ token: String) throws -> Response {
        let head = try RequestHead(parsing: "GET \(path) HTTP/1.1\r\nHost: cache.test\r\nAuthorization: Bearer \(token)\r\n\r\n")
        return Application(context).respond(
            to: Request(head: head, id: "0", remoteAddress: "192.0.2.1", body: RequestBody([])))
    }

    @Test("a copy that was made while the server took a push serves what was there before, and is clean")
    func roundTrip() throws {
        let fixture = try Fixture(packs: 100_000)
        let cache = try fixture.makeCache("hello")
        let passing = try fixture.makeCache("passing")
        let path = try TestPath("tool", seeds: [1, 2], byteCount: 300_000)
        _ = try fixture.push(path, to: cache)
        _ = try fixture.push(TestPath("dying", seeds: [5], byteCount: 90_000), to: passing)
        #expect(try fixture.send("DELETE", Endpoint.cacheConfig(passing), token: fixture.root()).status == .ok)
        let later = try TestPath("later", seeds: [3], byteCount: 100_000)
        let target = fixture.directory.file("backup")
        let beside = try Catalog(fixture.context.configuration.database, readers: 1, log: fixture.context.log)

        var hasPushed = false
        let report = try backup(of: fixture)
            .run(to: target) { progress in
                guard progress.part == "packs" else { return }
                let collection = try beside.beginCollection(waitingAtMost: .zero).lock
                #expect(collection == nil)
                if hasPushed { return }
                let status = try fixture.push(later, to: cache).status
                #expect(status == .ok)
                hasPushed = true
            }
        #expect(hasPushed && report.losses.isEmpty && report.packs >= 4 && report.packBytes > 600_000)
        #expect(try beside.beginCollection(waitingAtMost: .zero).lock != nil)
        #expect(try Directory.names(target) == ["server.db", "server.toml", "storage"])
        for name in ["server.db", "server.toml"] { #expect(try File.status("\(target)/\(name)").permissions == 0o600) }
        #expect(try File.status(target).permissions == 0o700)

        let (configuration, context) = try restore(target)
        defer {
            context.press.close()
            context.catalog.close()
        }
        let realTarget = try File.resolve(target)
        #expect(configuration.database == .sqlite(path: realTarget + "/server.db") && configuration.storagePath == realTarget + "/storage")
        let checked = try Checker(context.catalog, context.store, {
            var options = CheckOptions(now: .now)
            options.verifiesContent = true
            return options
        }()).run()
        #expect(checked.outcome == .clean, "\(checked.findings)")
        let info = try fixture.narInfo(path, in: cache)
        let nar = try get("/hello/\(info.url)", context, fixture.root())
        #expect(try UploadTests().plain(nar.bytes) == path.nar)
        #expect(try get("/hello/\(later.storePath.hash).narinfo", context, fixture.root()).status == .notFound)
        #expect(try fixture.narInfo(later, in: cache).storePath == later.storePath)
    }

    @Test("holes stay holes, and what is lost is told and does not keep the rest from being copied")
    func losses() throws {
        let fixture = try Fixture(packs: 100_000)
        let cache = try fixture.makeCache("hello")
        for seed in 1..<4 { _ = try fixture.push(TestPath("p\(seed)", seeds: [UInt64(seed)], byteCount: 90_000), to: cache) }
        let lost = try fixture.place(ofChunk: 1).pack
        _ = try fixture.store.removePack(lost) { true }
        let target = fixture.directory.file("backup")
        let report = try backup(of: fixture)
            .run(to: target) { _ in }
        #expect(report.losses.count == 1 && report.losses[0].contains(fixture.store.location(of: lost)))
        let (_, context) = try restore(target)
        defer {
            context.press.close()
            context.catalog.close()
        }
        #expect(try Checker(context.catalog, context.store, CheckOptions(now: .now)).run().outcome == .damaged)
    }

    @Test("a directory with anything in it is refused, and what was interrupted has no database")
    func refusals() throws {
        let fixture = try Fixture()
        _ = try fixture.push(TestPath("p", seeds: [1], byteCount: 90_000), to: fixture.makeCache("hello"))
        let backup = try backup(of: fixture)
        #expect(throws: RunnerError.self) { try backup.run(to: fixture.directory.path) { _ in } }
        struct Interrupted: Error {}
        let target = fixture.directory.file("backup")
        #expect(throws: (any Error).self) {
            try backup.run(to: target) { progress in if progress.part == "packs" { throw Interrupted() } }
        }
        #expect(try !Directory.names(target).contains("server.db") && !Directory.names(target).contains("server.toml"))
    }

    @Test("the copy's configuration says what the server's did, in every key")
    func configuration() throws {
        let text = """
            listen = "127.0.0.1:1"
            socket-mode = "0606"
            drain-delay = "7 seconds"
            allowed-hosts = ["a", "b"]
            api-endpoint = "https://a/"
            substituter-endpoint = "https://b/"
            max-connections-per-address = 7
            proxies = ["192.0.2.1", "2001:db8::1"]
            access-log = false
            soft-delete-caches = true
            require-proof-of-possession = false
            refused-read-status = 404
            max-nar-info-size = 5000
            max-nar-size = 2000000
            [database]
            url = "sqlite:///x"
            heartbeat = true
            [storage]
            path = "/y"
            [limits]
            streams = 7
            streams-per-address = 3
            [chunking]
            nar-size-threshold = 1
            min-size = 1000
            avg-size = 2000
            max-size = 3000
            [compression]
            level = 7
            [garbage-collection]
            interval = "7 hours"
            default-retention-period = "2 months"
            [jwt]
            token-bound-issuer = "i"
            token-bound-audiences = ["c", "d"]
            [jwt.signing]
            token-hs256-secret-base64 = "\(Base64.encode(ConfigurationTests.secret))"
            """
        var expected = try ConfigurationTests.parse(text)
        let written = expected.text(database: .sqlite(path: "/a dir/\"q\"/server.db"), storagePath: "/a dir/storage")
        expected.database = .sqlite(path: "/a dir/\"q\"/server.db")
        expected.storagePath = "/a dir/storage"
        #expect(try ConfigurationTests.parse(written) == expected)
        let plain = try ConfigurationTests.parse(ConfigurationTests.with("type = \"none\"", in: "compression"))
        #expect(try ConfigurationTests.parse(plain.text(database: plain.database, storagePath: plain.storagePath)) == plain)
        // Whoever adds a key adds it here.
        let file = try TOMLFile.parse(written, name: "the copy's configuration")
        _ = try Configuration(reading: file, environment: [:])
        #expect(Set(file.presentPaths) == file.askedPaths.subtracting(ConfigurationExampleTests.alternatives))
    }
}
