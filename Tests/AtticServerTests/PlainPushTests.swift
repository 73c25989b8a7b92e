import AtticAPI
import Compression
import Crypto
import Database
import HTTP
import Nix
import Platform
import Testing

@testable import AtticServer

@Suite("Pushing by plain Nix")
struct PlainPushTests {
    @Test("a NAR in any compression becomes a path of the cache, and comes back byte for byte", arguments: StreamCoding.allCases, [8, 70_000, 900_000])
    func roundTrip(_ coding: StreamCoding, _ byteCount: Int) throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello")
        let base = try TestPath("base", seeds: [7], byteCount: 64)
        _ = try fixture.push(base, to: cache)
        var path = try TestPath("tool", seeds: [1], byteCount: byteCount, references: [base])
        path.signatures = ["builder-1:\(String(repeating: "A", count: 86))=="]
        let push = PlainPush(path, coding)

        #expect(try fixture.status("GET", "/hello/\(push.narInfoURL)") == 404)
        #expect(try fixture.status("HEAD", "/hello/\(push.url)") == 404)
        #expect(try fixture.putNar(push, to: cache).status == .created)
        #expect(try fixture.status("HEAD", "/hello/\(push.url)") == 200)
        #expect(try fixture.status("GET", "/hello/\(push.narInfoURL)") == 404, "nobody has said whose it is")
        #expect(try fixture.putNarInfo(push, to: cache).status == .created)
        #expect(try fixture.putNarInfo(push, to: cache).status == .noContent)

        let info = try fixture.narInfo(path, in: cache)
        #expect(info.compression == "zstd")
        #expect(info.references == [base.storePath.baseName])
        #expect(info.signatures.dropFirst() == path.signatures[...])
        let nar = try fixture.send("GET", "/hello/\(info.url)", token: fixture.root())
        #expect(try UploadTests().plain(nar.bytes) == path.nar)
        #expect(try fixture.status("HEAD", "/hello/\(push.url)") == 200, "so it is not sent again")
    }

    @Test("what is stored in the same compression is given under the name that the client used")
    func givenAsItIsStored() throws {
        // What is stored in brotli is sent as none, in parts too.
        for (configuration, coding) in [
            ("", StreamCoding.zstd), ("[compression]\ntype = \"none\"", .none), ("[compression]\ntype = \"brotli\"", .none),
        ] {
            let fixture = try Fixture(configuration)
            let cache = try fixture.makeCache("hello")
            let path = try TestPath("tool", seeds: [1], byteCount: 200_000)
            // Another file than the one that is stored, for zstd.
            let push = PlainPush(path, coding, level: coding == .zstd ? 19 : nil)
            _ = try fixture.putNar(push, to: cache)
            let early = try fixture.send("GET", "/hello/\(push.url)", token: fixture.root())
            #expect(try StreamDecoder.decode(early.bytes, coding, outputByteCountMax: 1 << 20) == path.nar)
            _ = try fixture.putNarInfo(push, to: cache)
            let late = try fixture.send("GET", "/hello/\(push.url)", token: fixture.root(), headers: [("Range", "bytes=0-9")])
            #expect(late.status == .partialContent && late.bytes == Array(early.bytes.prefix(10)))
        }
    }

    @Test("what is stored in brotli is given in whatever the client sent, brotli being one")
    func storedInBrotli() throws {
        let fixture = try Fixture("[compression]\ntype = \"brotli\"")
        let cache = try fixture.makeCache("hello")
        let path = try TestPath("tool", seeds: [1, 2], byteCount: 300_000)
        for coding in StreamCoding.allCases {
            let push = PlainPush(path, coding)
            #expect(try fixture.putNar(push, to: cache).status == .created)
            _ = try fixture.putNarInfo(push, to: cache)
            #expect(try fixture.status("HEAD", "/hello/\(push.url)") == 200)
            let file = try fixture.send("GET", "/hello/\(push.url)", token: fixture.root()).bytes
            #expect(try StreamDecoder.decode(file, coding, outputByteCountMax: path.nar.count) == path.nar, "\(coding)")
        }
    }

    @Test("the same NAR in other compressions, and from tetryx, costs no further byte")
    func deduplicated() throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello")
        // Below the threshold from which NARs are cut, above the smallest chunk; a mebibyte and more.
        for byteCount in [40_000, 70_000, 1_200_000] {
            let path = try TestPath("tool\(byteCount)", seeds: [UInt64(byteCount)], byteCount: byteCount)
            let first = PlainPush(path, .xz)
            _ = try fixture.putNar(first, to: cache)
            _ = try fixture.putNarInfo(first, to: cache)
            let stored = try fixture.packBytes()
            for coding in StreamCoding.allCases {
                let again = PlainPush(path, coding)
                #expect(try fixture.putNar(again, to: cache).status == .created)
                #expect(try fixture.putNarInfo(again, to: cache).status == .noContent)
            }
            #expect(try UploadPathResult(json: fixture.push(path, to: cache).bytes).kind == .deduplicated)
            #expect(try fixture.packBytes() == stored, "\(byteCount)")
        }
    }

    @Test("gzip comes without a suffix, as Nix writes it, or with .gz; and in pieces of a byte")
    func gzip() throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello")
        let push = PlainPush(try TestPath("tool", seeds: [1], byteCount: 3000), .gzip)
        let named = "/hello/nar/\(push.fileHash.base32).nar.gz"
        #expect(try fixture.put(named, push.file).status == .created)
        #expect(try fixture.status("HEAD", named) == 200)
        #expect(try fixture.status("HEAD", "/hello/\(push.url)") == 200)
        #expect(try fixture.status("HEAD", "/hello/\(push.url).xz") == 404)
        #expect(try fixture.putNarInfo(push, to: cache).status == .created)
    }

    @Test("a stream that needs much memory to be opened is taken as well, a few at a time", arguments: [StreamCoding.xz, .zstd])
    func largeWindow(_ coding: StreamCoding) throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello")
        // In one step an encoder learns how little there is, and asks for no more than that.
        let nar = try TestPath("tool", seeds: [1], byteCount: 300_000).nar
        let encoder = StreamEncoder(coding, level: coding.levels.upperBound)
        var file: [UInt8] = []
        var room = [UInt8](repeating: 0, count: 1 << 20)
        try unsafe room.withUnsafeMutableBytes { room in
            let step = unsafe nar.withUnsafeBytes { unsafe encoder.update($0, into: room) }
            try #require(step.inputByteCount == nar.count)
            unsafe file += room[..<step.outputByteCount]
            let end = unsafe encoder.finish(into: room)
            try #require(end.isLast)
            unsafe file += room[..<end.outputByteCount]
        }
        let small = StreamDecoder(coding, outputByteCountMax: 1 << 20, memoryByteCountMax: Bounds.smallWindowBytesMax)
        #expect(throws: CompressionError.needsTooMuchMemory(byteCountMax: Bounds.smallWindowBytesMax)) {
            try unsafe file.withUnsafeBytes { bytes in
                try unsafe room.withUnsafeMutableBytes { _ = try unsafe small.update(bytes, into: $0) }
            }
        }
        let url = "/\(cache)/nar/\(SHA256.digest(of: file).base32).nar\(coding.fileSuffix)"
        // Each gives back what it took.
        for _ in 0..<Bounds.largeWindowsMax + 1 { #expect(try fixture.put(url, file).status == .created) }
    }

    @Test("a narinfo may come with a Content-Encoding", arguments: StreamCoding.allCases)
    func encodedNarInfo(_ coding: StreamCoding) throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello")
        let push = PlainPush(try TestPath("tool", seeds: [1], byteCount: 300), .none)
        _ = try fixture.putNar(push, to: cache)
        let url = "/hello/\(push.narInfoURL)"
        let body = StreamEncoder.encode(push.narInfo(), coding)
        #expect(try fixture.put(url, body, coding: coding.rawValue).status == .created)
        #expect(try fixture.put(url, body, coding: "bzip2").status == .unsupportedMediaType)
        if coding != .none {
            #expect(try fixture.put(url, Array(body.dropLast(3)), coding: coding.rawValue).status == .badRequest)
            let long = StreamEncoder.encode([UInt8](repeating: 10, count: 2 << 20), coding)
            #expect(try fixture.put(url, long, coding: coding.rawValue).status == .contentTooLarge)
        }
    }

    @Test("two clients send the same at once: both are told that it is here, and it is stored once")
    func atOnce() throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello")
        let path = try TestPath("tool", seeds: [1, 2], byteCount: 500_000)
        let alone = try Fixture()
        let twin = try alone.makeCache("hello")
        _ = try alone.putNar(PlainPush(path, .zstd), to: twin)
        let statuses = Monitor<[UInt16]>([])
        let token = try fixture.root()
        let application = fixture.application
        let threads = StreamCoding.allCases.map { coding in
            let push = PlainPush(path, coding)
            let text = "PUT /hello/\(push.url) HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer \(token)\r\nContent-Length: \(push.file.count)\r\n\r\n"
            return ThreadHandle(named: "put") {
                guard let head = try? RequestHead(parsing: text) else { return }
                let status = application.respond(
                    to: .init(head: head, id: "0", remoteAddress: "192.0.2.1", body: .init(push.file))).status.code
                statuses.update { $0.append(UInt16(status)) }
            }
        }
        for thread in threads { thread.join() }
        #expect(statuses.withLock { $0 } == [201, 201, 201, 201, 201])
        for coding in StreamCoding.allCases { #expect(try fixture.putNarInfo(PlainPush(path, coding), to: cache).status.isSuccess) }
        try fixture.sweep()
        #expect(try fixture.send("GET", "/hello/\(fixture.narInfo(path, in: cache).url)", token: token).bytes.count
            == alone.send("GET", "/hello/\(PlainPush(path, .zstd).url)", token: alone.root()).bytes.count)
    }

    @Test("a NAR whose narinfo never comes is held for a day, over a restart too, then collected")
    func neverSaid() throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello")
        let push = PlainPush(try TestPath("tool", seeds: [1], byteCount: 100_000), .xz)
        _ = try fixture.putNar(push, to: cache)
        fixture.advance(.seconds(23 * 3600 - 1))
        #expect(try fixture.send("HEAD", "/hello/\(push.url)", token: fixture.root()).header("Cache-Control") == "no-store")
        fixture.advance(.seconds(3600))
        try fixture.recover()
        #expect(try fixture.sweep().nars == 0)
        fixture.advance(.seconds(1))
        let report = try fixture.sweep()
        #expect(report.nars == 1 && report.packs == 1)
        #expect(try fixture.store.packNames().isEmpty)
        #expect(try fixture.status("HEAD", "/hello/\(push.url)") == 404)
        let late = try fixture.putNarInfo(push, to: cache)
        #expect(late.status == .badRequest && late.text.contains("is not here: put its file under nar/ first"))
        // Sent again, it is there again.
        #expect(try fixture.putNar(push, to: cache).status == .created)
        #expect(try fixture.putNarInfo(push, to: cache).status == .created)
    }

    @Test("a file that is soon to be let go is not told as here, and may be sent once more; its narinfo is taken to the end")
    func lastHour() throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello")
        let held = try [StreamCoding.xz, .zstd].map { PlainPush(try TestPath("tool-\($0)", seeds: [1], byteCount: 3000), $0) }
        for push in held { #expect(try fixture.putNar(push, to: cache).status == .created) }
        fixture.advance(.seconds(23 * 3600))
        for method in ["HEAD", "GET"] { #expect(try fixture.status(method, "/hello/\(held[0].url)") == 404) }
        #expect(try fixture.putNar(held[0], to: cache).status == .created)
        #expect(try fixture.status("HEAD", "/hello/\(held[0].url)") == 200)
        #expect(try fixture.putNarInfo(held[1], to: cache).status == .created)
        #expect(try fixture.status("HEAD", "/hello/\(held[1].url)") == 200, "an object keeps it")
    }

    @Test("an upload waits a while for memory that others have, and then is refused for good")
    func crowded() throws {
        let windows = LargeWindows(count: 1)
        var leave: LargeWindows.Leave? = try windows.wait(.zero)
        do throws(Problem) {
            leave = try windows.wait(.zero)
            Issue.record("two have what is there for one")
        } catch {
            #expect(error.toPlainNix.status == .conflict && error.message.contains("push again later"))
        }
        leave = nil
        leave = try windows.wait(.zero)
        _ = leave
    }

    @Test("once the narinfo has come the cache's retention decides, and the file's name goes with the path")
    func expired() throws {
        let fixture = try Fixture()
        let (first, second) = (try fixture.makeCache("first"), try fixture.makeCache("second"))
        let push = PlainPush(try TestPath("tool", seeds: [1], byteCount: 100_000), .xz)
        for cache in [first, second] {
            _ = try fixture.putNar(push, to: cache)
            _ = try fixture.putNarInfo(push, to: cache)
        }
        try SweeperTests().setRetention(fixture, first, .period(seconds: 60))
        fixture.advance(.seconds(61))
        #expect(try fixture.sweep().objects == 1)
        #expect(try fixture.status("HEAD", "/first/\(push.url)") == 404)
        #expect(try fixture.status("HEAD", "/second/\(push.url)") == 200)
        // The bytes are in another cache, and were in this one: to have them here again they are sent again, or could be pulled.
        let stranger = try fixture.token([("first", [.pull, .push])])
        #expect(try fixture.putNarInfo(push, to: first, token: stranger).status == .badRequest)
        #expect(try fixture.putNarInfo(push, to: first).status == .created)
        #expect(try fixture.status("HEAD", "/first/\(push.url)") == 200)
        for cache in [first, second] { try SweeperTests().setRetention(fixture, cache, .period(seconds: 60)) }
        fixture.advance(.seconds(61))
        #expect(try fixture.sweep().nars == 1)
        #expect(try fixture.store.packNames().isEmpty)
    }

    @Test("a NAR whose stored bytes are lost is asked for again, and healed by being sent")
    func healed() throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello")
        let push = PlainPush(try TestPath("tool", seeds: [1], byteCount: 100_000), .xz)
        _ = try fixture.putNar(push, to: cache)
        for pack in try fixture.store.packNames() { _ = try fixture.store.removePack(pack) { true } }
        let tooEarly = try fixture.putNarInfo(push, to: cache)
        #expect(tooEarly.status == .conflict && tooEarly.text.contains("put its file once more"))
        #expect(try fixture.status("HEAD", "/hello/\(push.url)") == 404)
        #expect(try fixture.putNar(push, to: cache).status == .created)
        #expect(try fixture.status("HEAD", "/hello/\(push.url)") == 200)
        #expect(try fixture.putNarInfo(push, to: cache).status == .created)
        let info = try fixture.narInfo(push.path, in: cache)
        #expect(try UploadTests().plain(fixture.send("GET", "/hello/\(info.url)", token: fixture.root()).bytes) == push.path.nar)
    }
}
