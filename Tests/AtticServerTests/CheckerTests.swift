import AtticAPI
import Crypto
import Database
import HTTP
import HTTPServer
import Platform
import SQL
import Storage
import Testing

@testable import AtticServer

@Suite("fsck")
struct CheckerTests {
    /// Two paths in packs of 100 KB.
    private struct Store {
        let fixture: Fixture
        let cache: CacheName
        let tool: TestPath
        let other: TestPath

        init() throws {
            fixture = try Fixture(packs: 100_000)
            cache = try fixture.makeCache("hello")
            tool = try TestPath("tool", seeds: [1, 2], byteCount: 300_000)
            other = try TestPath("other", seeds: [3], byteCount: 100_000, references: [tool])
            for path in [tool, other] { #expect(try fixture.push(path, to: cache).status == .ok) }
        }

        func missing() throws -> Int {
            let question = MissingPathsRequest(cache: cache, storePathHashes: [tool.storePath.hash, other.storePath.hash]).json()
            let answer = try fixture.send("POST", Endpoint.getMissingPaths, token: fixture.root(), body: question)
            return try MissingPathsResponse(json: answer.bytes).missingPaths.count
        }
    }

    @Test("a server where nothing is wrong is clean, with its contents read as well, also after collections")
    func clean() throws {
        let store = try Store()
        #expect(try store.fixture.check().outcome == .clean)
        let report = try store.fixture.check(repairs: true, contents: true)
        #expect(report.outcome == .clean && report.notices.isEmpty && report.next == nil)
        #expect(report.counts.nars == 2 && report.counts.objects == 2 && report.counts.packs >= 4 && report.counts.chunks > 8)
        #expect(report.counts.verifiedNars == 2 && report.counts.verifiedBytes > 600_000)
        #expect(try store.fixture.send("DELETE", Endpoint.cacheConfig(store.cache), token: store.fixture.root()).status == .ok)
        #expect(try store.fixture.check().outcome == .clean)
        try store.fixture.sweep()
        let rest = try store.fixture.check(contents: true)
        #expect(rest.outcome == .clean && rest.counts.packs == 0)
    }

    @Test("each kind of damage is found and named, repaired once, and healed by the next push", arguments: Damage.all)
    func each(damage: Damage) throws {
        let store = try Store()
        let fixture = store.fixture
        try damage.plant(fixture)
        if damage.isHidden { #expect(try fixture.check().outcome == .clean) }

        var told: [Finding] = []
        let found = try fixture.check(contents: damage.isHidden) { told.append($0) }
        #expect(found.outcome == .damaged)
        // What follows from what was repaired shows only then.
        let followed: Set<Finding.Kind> = [.narDamaged]
        #expect(damage.kinds.subtracting(followed.intersection(damage.kinds.count > 1 ? followed : [])).isSubset(of: told.map(\.kind)), "\(told)")
        #expect(found.findings == told)
        for finding in told {
            #expect(finding.line(isRehearsal: true).contains(": would "))
            #expect(finding.line(isRehearsal: false).contains("atticadm fsck --repair"))
        }

        // Looking changed nothing.
        var before: [Finding] = []
        _ = try fixture.check(contents: damage.isHidden) { before.append($0) }
        #expect(before == told)

        let repaired = try fixture.check(repairs: true, contents: damage.isHidden)
        #expect(repaired.outcome == damage.after, "\(repaired.findings.map { $0.line(isRehearsal: false) })")
        #expect(damage.kinds.isSubset(of: repaired.findings.map(\.kind)), "\(repaired.findings)")
        #expect(!repaired.findings.contains { $0.state == .failed || $0.state == .found })

        // Once more there is nothing to do: what is lost stays lost, and is named.
        let again = try fixture.check(repairs: true, contents: true)
        switch damage.after {
        case .damaged:
            #expect(again.outcome == .damaged)
            #expect(again.findings.allSatisfy { $0.kind == .narDamaged && $0.state == .remains })
            #expect(again.findings.contains { $0.claims.shown.contains { $0.storePath == store.tool.storePath.absolute() } })
            #expect(try store.missing() > 0)
        case .repaired, .clean:
            #expect(again.outcome == .clean, "\(again.findings)")
        }

        for path in [store.tool, store.other] {
            #expect(try fixture.push(path, to: store.cache).status == .ok)
            let url = "/hello/\(try fixture.narInfo(path, in: store.cache).url)"
            let nar = try fixture.send("GET", url, token: fixture.root())
            #expect(nar.status == .ok)
            #expect(try UploadTests().plain(nar.bytes) == path.nar)
        }
        try fixture.sweep()
        #expect(try store.missing() == 0)
        let last = try fixture.check(contents: true)
        #expect(last.outcome == .clean, "\(last.findings)")
    }

    @Test("a finding says which file, and whose paths")
    func names() throws {
        let store = try Store()
        let place = try store.fixture.place(ofChunk: 2)
        _ = try store.fixture.store.removePack(place.pack) { true }
        let report = try store.fixture.check()
        let finding = try #require(report.findings.first { $0.kind == .packMissing })
        let line = finding.line(isRehearsal: false)
        #expect(line.contains("\(store.fixture.store.location(of: place.pack)) is not there"))
        #expect(line.contains("needed by \(store.tool.storePath.absolute()) in hello"))
        #expect(report.json.contains(#""outcome":"damaged""#) && report.json.contains(#""kind":"pack-missing""#))
        #expect(report.json.contains(#""path":"\#(store.tool.storePath.absolute())""#))
    }

    @Test("what is marked as lost and comes back is whole again, without a push")
    func comesBack() throws {
        let store = try Store()
        let pack = try store.fixture.place(ofChunk: 2).pack
        let bytes = try store.fixture.bytes(of: pack)
        try store.fixture.lose(pack)
        #expect(try store.fixture.check(repairs: true).outcome == .damaged)
        #expect(try store.missing() == 1)
        try store.fixture.replace(pack, with: bytes)
        #expect(try store.fixture.check(repairs: true).outcome == .repaired)
        #expect(try store.missing() == 0)
        #expect(try store.fixture.check(contents: true).outcome == .clean)
    }

    @Test("files that are not the server's are left alone, and told")
    func strangers() throws {
        let store = try Store()
        let stranger = try store.fixture.leave("packs/README")
        let report = try store.fixture.check(repairs: true)
        #expect(report.outcome == .clean && report.notices.count == 1 && report.notices[0].contains(stranger))
        #expect(try store.fixture.isLeft("packs/README"))
    }

    @Test("a pack that an upload is writing is nobody's leftover", .packsAreFiles)
    func writing() throws {
        let store = try Store()
        let writer = try store.fixture.store.borrowPack()
        let bytes = [UInt8](repeating: 7, count: 150_000)
        // Into a pack that is there, and into a new one.
        for _ in 0..<2 { _ = try unsafe bytes.withUnsafeBytes { try unsafe writer.append($0) } }
        let before = try store.fixture.packBytes()
        #expect(try store.fixture.check(repairs: true).outcome == .clean)
        #expect(try store.fixture.packBytes() == before)
        writer.leave()
        #expect(try store.fixture.check(repairs: true).outcome == .repaired)
        #expect(try store.fixture.packBytes() == before - 300_000)
    }

    @Test("a NAR whose narinfo is still to come is kept by its file")
    func received() throws {
        let store = try Store()
        try store.fixture.plant([
            "DELETE FROM object WHERE id = 2", "INSERT INTO received_file VALUES (1, x'00', 1, 'xz', 5, 2, 0, 9000000000000)",
        ])
        try store.fixture.plant(["DELETE FROM object_reference WHERE object_id = 2"])
        #expect(try store.fixture.check().outcome == .clean)
    }

    @Test("a NAR that is known to be damaged is refused also where its size does not show it")
    func refused() throws {
        let store = try Store()
        let url = "/hello/\(try store.fixture.narInfo(store.tool, in: store.cache).url)"
        #expect(try store.fixture.send("GET", url, token: store.fixture.root()).status == .ok)
        try store.fixture.context.catalog.write { session throws(DatabaseError) in try session.markDamaged(chunkIDs: [2]) }
        store.fixture.context.hot.forgetAll()
        #expect(try store.fixture.send("GET", url, token: store.fixture.root()).status == .serviceUnavailable)
        #expect(try store.fixture.check(repairs: true).outcome == .repaired)
        #expect(try store.fixture.send("GET", url, token: store.fixture.root()).status == .ok)
    }

    @Test("a check that is stopped while it reads says where to go on, and goes on there")
    func resumes() throws {
        let store = try Store()
        var hasFound = false
        let place = try store.fixture.place(ofChunk: 1)
        try store.fixture.overwrite(place.pack, at: place.offset + 30, with: [UInt8](repeating: 0x55, count: 20))
        let stopped = try store.fixture.check(contents: true, tell: { _ in hasFound = true }, goesOn: { !hasFound })
        #expect(stopped.next == 2 && stopped.outcome == .damaged && !stopped.isComplete)
        #expect(stopped.summary.contains("--from 2"))
        let rest = try store.fixture.check(contents: true, from: 2)
        #expect(rest.outcome == .clean && rest.counts.verifiedNars == 1 && rest.next == nil && rest.isComplete)
        let early = try store.fixture.check(goesOn: { false })
        #expect(early.outcome == .clean && !early.isComplete && early.next == nil)
        #expect(early.summary.hasSuffix("stopped before the end"))
    }

    @Test("a database whose file is damaged is told, and not repaired by what it says", .databaseIsAFile, arguments: [false, true])
    func databaseFile(contents: Bool) throws {
        let store = try Store()
        let path = store.fixture.directory.file("copy.db")
        try store.fixture.context.catalog.copy(to: path)
        // The root of the index of chunks by their hash becomes an empty page.
        let connection = try SQLiteConnection(path: path, access: .readWrite)
        let page = try #require(try connection.first("SELECT rootpage FROM sqlite_schema WHERE name = 'chunk_by_hash'") {
            row throws(SQLError) in try row.integer(0)
        })
        let file = try File.open(path, .readWrite)
        let zeros = [UInt8](repeating: 0, count: 4096)
        try unsafe zeros.withUnsafeBytes { try unsafe file.writeAll(at: (page - 1) * 4096, $0) }
        let catalog = try Catalog(path: path, readers: 1, log: store.fixture.context.log)
        defer { catalog.close() }
        var options = CheckOptions(now: .now)
        options.repairs = true
        options.verifiesContent = contents
        let report = try Checker(catalog, store.fixture.store, options).run()
        #expect(report.outcome == .damaged && !report.isComplete)
        #expect(report.findings.allSatisfy { $0.kind == .databaseFile && $0.state == .remains })
        #expect(report.findings[0].line(isRehearsal: false).contains("restore the database from a backup"))
    }

    @Test("every link of the schema is looked at, and every table that can be without one says why")
    func links() throws {
        let store = try Store()
        let links = try store.fixture.context.catalog.read { session throws(DatabaseError) in try session.rowLinks() }
        for link in ["object.nar_id", "chunk.pack_id", "chunk_reference.chunk_id", "nar_listing.nar_id", "build_log.cache_id", "upload_hold.chunk_id"] {
            #expect(links.contains { $0.description == link })
        }
        #expect(Set(links).count == links.count)
    }

    @Test("beside pushes, collections and repairs of others nothing is found")
    func beside() throws {
        let fixture = try Fixture(packs: 60_000)
        let cache = try fixture.makeCache("hello")
        let gone = try fixture.makeCache("gone")
        let body = CacheConfig(retentionPeriod: .period(seconds: 1)).json()
        #expect(try fixture.send("PATCH", Endpoint.cacheConfig(gone), token: fixture.root(), body: body).status == .ok)
        let paths = try (0..<24).map { try TestPath("p\($0)", seeds: [UInt64($0 / 2), 100], byteCount: 40_000) }
        let left = Monitor(2)
        let refusals = Monitor<[String]>([])
        let context = fixture.context
        let requests = try (0..<2).map { half in
            try paths.indices.filter { $0 % 2 == half }.map { index in
                try (fixture.request(pushing: paths[index], to: cache), fixture.request(pushing: paths[index], to: gone))
            }
        }
        let threads = (0..<2).map { half in
            ThreadHandle(named: "push-\(half)") {
                for (kept, passing) in requests[half] {
                    for request in [passing, kept] {
                        let answer = Application(context).respond(to: request())
                        if answer.status != .ok { refusals.update { $0.append("\(answer.status)") } }
                    }
                    do {
                        // What was pushed into the second cache has expired by then.
                        _ = try Sweeper(
                            catalog: context.catalog, store: context.store, defaultRetentionSeconds: 0, punchDelay: .zero,
                            grace: .zero, log: context.log
                        ).sweep(time: TimeSource { context.time.now() + .seconds(10) })
                    } catch { refusals.update { $0.append("\(error)") } }
                }
                left.update { $0 -= 1 }
            }
        }
        var rounds = 0
        repeat {
            let report = try fixture.check(repairs: rounds % 2 == 1, contents: true)
            #expect(report.outcome == .clean, "\(report.findings.map { $0.line(isRehearsal: true) })")
            rounds += 1
        } while left.withLock { $0 } > 0
        for thread in threads { thread.join() }
        #expect(refusals.withLock { $0 } == [])
        #expect(try fixture.check(repairs: true, contents: true).outcome == .clean)
        for path in paths { #expect(try fixture.narInfo(path, in: cache).storePath == path.storePath) }
    }
}

extension Fixture {
    /// A push that another thread can send, as often as it likes.
    func request(pushing path: TestPath, to cache: CacheName) throws -> @Sendable () -> Request {
        let info = UploadPathNarInfo(
            cache: cache, storePathHash: path.storePath.hash, storePath: path.storePath.absolute(), references: [],
            narHash: SHA256.digest(of: path.nar), narSize: Int64(path.nar.count)
        ).json()
        let head = try RequestHead(parsing: """
            PUT \(Endpoint.uploadPath) HTTP/1.1\r\nHost: cache.test\r\nAuthorization: Bearer \(root())\r
            \(Endpoint.narInfoHeader): \(String(decoding: info, as: UTF8.self))\r
            Content-Length: \(path.nar.count)\r\n\r\n
            """)
        let nar = path.nar
        return { Request(head: head, id: "0123456789abcdef", remoteAddress: "192.0.2.1", body: RequestBody(nar)) }
    }
}
