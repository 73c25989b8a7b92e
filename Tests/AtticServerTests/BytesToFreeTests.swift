import AtticAPI
import Database
import HTTPServer
import Platform
import Storage
import Support
import Synchronization
import Testing

@testable import AtticServer

@Suite("Bytes that a collection gives back while somebody is being sent them", .packsAreFiles)
struct BytesToFreeTests {
    let fixture: Fixture
    let cache: CacheName
    /// Two NARs in one pack.
    let collected: TestPath
    let kept: TestPath

    init() throws {
        fixture = try Fixture()
        cache = try fixture.makeCache("hello", isPublic: true)
        collected = try TestPath("collected", seeds: [1], byteCount: 300_000)
        kept = try TestPath("kept", seeds: [2], byteCount: 300_000)
        for path in [collected, kept] { #expect(try fixture.push(path, to: cache).status == .ok) }
    }

    private func answer(_ path: TestPath) throws -> Response {
        try fixture.send("GET", "/hello/\(try fixture.narInfo(path, in: cache).url)")
    }

    /// The path names another NAR from now on; a collection frees what it named.
    private func collect() throws -> Sweeper.Report {
        let other = try TestPath("other", seeds: [3], byteCount: 1000)
        #expect(try fixture.push(TestPath(storePath: collected.storePath, nar: other.nar), to: cache).status == .ok)
        return try sweeper.sweep(time: fixture.context.time)
    }

    private var sweeper: Sweeper {
        Sweeper(
            catalog: fixture.context.catalog, store: fixture.store, defaultRetentionSeconds: 0, punchDelay: .zero,
            bytesToFree: fixture.context.bytesToFree, log: fixture.context.log)
    }

    @Test func `who is being sent some is broken off before they go, and nobody else`() throws {
        let (going, staying) = (try answer(collected), try answer(kept))
        #expect(going.permit?.holds == true && staying.permit?.holds == true)
        let couldGoOn = Monitor<[Bool?]>([])
        fixture.context.bytesToFree.use {
            couldGoOn.update { $0 = [going.permit?.holds, staying.permit?.holds] }
            return true
        }
        #expect(try collect().freedBytes > 250_000)
        #expect(couldGoOn.withLock { $0 } == [false, true])
        #expect(going.permit?.holds == false && staying.permit?.holds == true)
    }

    @Test func `a part of a NAR rests on its bytes as all of it does`() throws {
        let url = "/hello/\(try fixture.narInfo(collected, in: cache).url)"
        let part = try fixture.send("GET", url, headers: [("Range", "bytes=100-200")])
        #expect(part.status == .partialContent)
        let couldGoOn = Monitor<Bool?>(nil)
        fixture.context.bytesToFree.use {
            couldGoOn.update { $0 = part.permit?.holds }
            return true
        }
        _ = try collect()
        #expect(couldGoOn.withLock { $0 } == false)
    }

    @Test func `where those who send cannot be told in time, nothing goes until the next time`() throws {
        let reached = Atomic(false)
        fixture.context.bytesToFree.use { reached.load(ordering: .relaxed) }
        #expect(try collect().freedBytes == 0)
        reached.store(true, ordering: .relaxed)
        #expect(try sweeper.punch(now: fixture.context.time.now()).freedBytes > 250_000)
    }

    @Test(arguments: [true, false]) func `a collection beside a server leaves the bytes to that, however late it started`(startsLate: Bool) throws {
        let path = try TemporaryDirectory()
        // The directory as a server has it, and as a collection takes it for each batch.
        let server = Monitor<OpenFile?>(nil)
        func start() throws {
            let lock = try #require(try LocalChunkStore.lockDirectory(path.path))
            server.update { $0 = lock }
        }
        if !startsLate { try start() }
        let beside = Sweeper(
            catalog: fixture.context.catalog, store: fixture.store, defaultRetentionSeconds: 0, punchDelay: .zero,
            takeDirectory: { () throws(StorageError) in try LocalChunkStore.lockDirectory(path.path) }, log: fixture.context.log)
        let other = try TestPath("other", seeds: [3], byteCount: 1000)
        #expect(try fixture.push(TestPath(storePath: collected.storePath, nar: other.nar), to: cache).status == .ok)
        let report = try beside.sweep(
            time: fixture.context.time, rowsRemoved: { if startsLate && server.withLock({ $0 == nil }) { try? start() } })
        #expect(report.nars == 1 && report.freedBytes == 0)
        #expect(report.leftBytes > 250_000)
        #expect(report.description.hasSuffix("0 bytes freed, \(report.leftBytes) left to the running server, which frees them in the next minutes"))
        server.update { $0 = nil }
        let punched = try beside.punch(now: fixture.context.time.now())
        #expect(punched.freedBytes == report.leftBytes && punched.leftBytes == 0, "nobody has it")
    }
}
