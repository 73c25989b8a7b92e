import AtticAPI
import Crypto
import Database
import HTTP
import HTTPServer
import Nix
import Platform
import Storage
import Testing

@testable import AtticServer

/// What loops answer of NARs: the same bytes and headers as the handler, to the same visitors, for as long as they are right.
@Suite("Hot NARs", .packsAreFiles)
struct HotNarTests {
    let fixture: Fixture
    let cache: CacheName
    let path: TestPath
    /// By the file's hash, as the narinfo says, and by the store path's.
    let urls: [String]

    init() throws {
        fixture = try Fixture()
        cache = try fixture.makeCache("hello", isPublic: true)
        path = try TestPath("tool", seeds: [1], byteCount: 300_000)
        #expect(try fixture.push(path, to: cache).status == .ok)
        urls = ["/hello/\(try fixture.narInfo(path, in: cache).url)", "/hello/nar/\(path.storePath.hash).nar"]
    }

    /// The answer that a loop would give at once; nil where it would ask a thread.
    func atOnce(
        _ url: String, method: String = "GET", token: String? = nil, headers: [(String, String)] = []
    ) throws -> Response? {
        var text = "\(method) \(url) HTTP/1.1\r\nHost: cache.test\r\n"
        if let token { text += "Authorization: Bearer \(token)\r\n" }
        for (name, value) in headers { text += "\(name): \(value)\r\n" }
        return fixture.application.answerAtOnce(try RequestHead(parsing: text + "\r\n"))
    }

    /// Asks for every form of the NAR's URL, so that it is kept.
    func warm() throws {
        for url in urls { #expect(try fixture.send("GET", url, token: fixture.root()).status == .ok) }
        for url in urls { #expect(try atOnce(url, token: fixture.root()) != nil) }
    }

    func isKept() throws -> Bool { try urls.contains { try atOnce($0, token: fixture.root()) != nil } }

    @Test("a NAR is given by the loop from the second time on, and is the same, by either URL")
    func second() throws {
        for url in urls {
            #expect(try atOnce(url) == nil)
            let first = try fixture.send("GET", url)
            let second = try #require(try atOnce(url))
            #expect(second.status == .ok && second.bytes == first.bytes)
            #expect(second.headers.map { "\($0.0): \($0.1)" } == first.headers.map { "\($0.0): \($0.1)" })
            #expect(try atOnce(url, method: "HEAD")?.body.byteCount == first.body.byteCount)
        }
    }

    @Test("ranges and conditions are for the handler, and keep nothing")
    func conditional() throws {
        let tag = try #require(try fixture.send("HEAD", urls[0]).header("ETag"))
        fixture.context.hot.forgetAll()
        let range = try fixture.send("GET", urls[0], headers: [("Range", "bytes=5-9")])
        #expect(range.status == .partialContent && range.bytes.count == 5)
        #expect(try !isKept())
        try warm()
        for header in [("Range", "bytes=5-9"), ("rAnGe", "bytes=5-9"), ("If-None-Match", tag)] {
            #expect(try atOnce(urls[0], headers: [header]) == nil)
        }
        #expect(try fixture.send("GET", urls[0], headers: [("Range", "bytes=5-9")]).bytes == range.bytes)
        #expect(try fixture.send("GET", urls[0], headers: [("If-None-Match", tag)]).status == .notModified)
        #expect(try fixture.send("GET", urls[0], headers: [("If-Range", "\"x\""), ("Range", "bytes=5-9")]).status == .ok)
    }

    @Test("a private cache's NARs are for known tokens with the permission only")
    func isPrivate() throws {
        let config = CacheConfig(isPublic: false).json()
        _ = try fixture.send("PATCH", Endpoint.cacheConfig(cache), token: fixture.root(), body: config)
        try warm()
        let weak = try fixture.token([("hello", .push)])
        let strong = try fixture.token([("hello", .pull)])
        #expect(try atOnce(urls[0]) == nil && atOnce(urls[0], token: weak) == nil)
        #expect(try fixture.send("GET", urls[0]).status == .unauthorized)
        #expect(try fixture.send("GET", urls[0], token: weak).status == .forbidden)
        // Verified by the handler once, and by the loop from then on.
        #expect(try atOnce(urls[0], token: strong) == nil)
        #expect(try fixture.send("GET", urls[0], token: strong).status == .ok)
        #expect(try atOnce(urls[0], token: strong) != nil)
    }

    @Test("a pull that a loop answers keeps its object from being collected")
    func noted() throws {
        try warm()
        fixture.advance(.seconds(3600))
        #expect(try atOnce(urls[0]) != nil)
        fixture.advance(.seconds(1800))
        #expect(try fixture.sweep(defaultRetentionSeconds: 3000).objects == 0)
        fixture.advance(.seconds(1800))
        #expect(try fixture.sweep(defaultRetentionSeconds: 3000).objects == 1)
    }

    @Test("what is pushed anew is forgotten, and what is beside it is not")
    func pushedAnew() throws {
        let other = try TestPath("other", seeds: [2], byteCount: 1000)
        _ = try fixture.push(other, to: cache)
        let beside = "/hello/\(try fixture.narInfo(other, in: cache).url)"
        _ = try fixture.send("GET", beside)
        try warm()
        let changed = try TestPath("tool", seeds: [3], byteCount: 1000)
        let replacement = TestPath(storePath: path.storePath, nar: changed.nar)
        #expect(try fixture.push(replacement, to: cache).status == .ok)
        #expect(try !isKept())
        #expect(try fixture.send("GET", urls[0]).status == .notFound)
        #expect(try fixture.send("GET", urls[1]).status == .ok)
        #expect(try atOnce(beside) != nil)
    }

    @Test("a collection lets go of NARs and their packs before it touches a file")
    func collected() throws {
        try warm()
        #expect(fixture.context.hot.fileCount == 1)
        fixture.advance(.seconds(100_000))
        fixture.context.accessTimes.flush(to: fixture.context.catalog, log: fixture.context.log)
        let sweeper = Sweeper(
            catalog: fixture.context.catalog, store: fixture.store, defaultRetentionSeconds: 10, punchDelay: .zero,
            log: fixture.context.log)
        let report = try sweeper.sweep(time: fixture.context.time) {
            #expect((try? fixture.store.packNames())?.count == 1)
            fixture.context.hot.forgetAll()
        }
        #expect(report.packs == 1 && fixture.context.hot.fileCount == 0)
        #expect(try !isKept() && fixture.send("GET", urls[0]).status == .notFound)
    }

    @Test("a collection is heard of when the first objects are gone, long before the last row is")
    func collectedEarly() throws {
        try warm()
        fixture.advance(.seconds(100_000))
        fixture.context.accessTimes.flush(to: fixture.context.catalog, log: fixture.context.log)
        let sweeper = Sweeper(
            catalog: fixture.context.catalog, store: fixture.store, defaultRetentionSeconds: 10, punchDelay: .zero,
            log: fixture.context.log)
        let hash = SHA256.digest(of: path.nar)
        var narsLeft: [Bool] = []
        var steps = 0
        _ = try sweeper.sweep(
            time: fixture.context.time,
            rowsRemoved: {
                do {
                    let nar = try fixture.context.catalog.read { session throws(DatabaseError) in try session.findNar(hash) }
                    narsLeft.append(nar != nil)
                } catch { Issue.record(error) }
            }, while: {
                steps += 1
                return true
            })
        #expect(narsLeft == [true, false])
        #expect(steps > 4)
        narsLeft = []
        _ = try sweeper.sweep(time: fixture.context.time) { narsLeft.append(true) }
        #expect(narsLeft.isEmpty, "nothing was deleted")
    }

    @Test("destroying a cache forgets its NARs")
    func destroyed() throws {
        try warm()
        #expect(try fixture.send("DELETE", Endpoint.cacheConfig(cache), token: fixture.root()).status == .ok)
        #expect(try !isKept() && fixture.send("GET", urls[0]).status == .unauthorized)
    }

    @Test("a pack that was cut off or removed meanwhile is an error before the status line, and heals by a push")
    func damaged() throws {
        let pack = try #require(try fixture.store.packNames().first)
        for isRemoved in [false, true] {
            try warm()
            if isRemoved {
                #expect(try fixture.store.packNames().allSatisfy { try fixture.store.removePack($0) { true } })
            } else {
                #expect(try fixture.store.truncatePack(pack, to: 1000))
            }
            #expect(try !isKept())
            #expect(try fixture.send("GET", urls[0]).status == .serviceUnavailable)
            #expect(fixture.context.hot.fileCount == 0)
            #expect(try fixture.push(path, to: cache).status == .ok)
            #expect(try fixture.send("GET", urls[0]).status == .ok)
        }
    }

    @Test("NARs keep so many packs open and no more: with one too many they begin anew")
    func bounded() throws {
        let hot = HotAnswers(filesMax: 3)
        func keep(_ number: Int) throws {
            let writer = try fixture.store.borrowPack()
            let bytes = [UInt8](repeating: 7, count: 10)
            let extent = try unsafe bytes.withUnsafeBytes { try unsafe writer.append($0) }
            writer.leave()
            let assembly = try NarAssembly(
                [.init(pack: extent.pack.text, offset: extent.offset, byteCount: 10)], byteCount: 10, in: fixture.store)
            hot.keep(
                .init(
                    path: Array("/hello/nar/\(number)".utf8), cache: cache, isPublic: true, response: Response(.ok),
                    nar: .init(objectID: Int64(number), assembly: assembly)), readAt: hot.currentGeneration)
        }
        func isKept(_ number: Int) -> Bool {
            unsafe Array("/hello/nar/\(number)".utf8).withUnsafeBytes { unsafe hot.find($0) } != nil
        }
        for number in 0..<3 { try keep(number) }
        #expect(hot.fileCount == 3 && (0..<3).allSatisfy(isKept))
        try keep(3)
        #expect(hot.fileCount == 1 && isKept(3) && !(0..<3).contains(where: isKept))
    }
}
