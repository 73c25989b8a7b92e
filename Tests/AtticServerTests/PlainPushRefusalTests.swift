import AtticAPI
import Compression
import Crypto
import HTTP
import HTTPServer
import Nix
import Platform
import SQL
import Testing

@testable import AtticServer
@testable import Database

@Suite("What plain Nix may not push")
struct PlainPushRefusalTests {
    @Test("nobody puts a nix-cache-info, and each is told why")
    func cacheInfo() throws {
        let fixture = try Fixture()
        try fixture.makeCache("hello", isPublic: true)
        let body = Array("StoreDir: /nix/store\n".utf8)
        func answer(_ token: String?) throws -> String {
            let answer = try fixture.send("PUT", "/hello/nix-cache-info", token: token, body: body)
            return "\(answer.status.code) \(answer.text)"
        }
        #expect(try answer(fixture.root()).hasPrefix("403 "))
        #expect(try answer(fixture.root()).contains("made from the cache's configuration"))
        #expect(try answer(fixture.token([("hello", .pull)])).hasPrefix("403 "))
        #expect(try answer(nil).hasPrefix("401 ") && answer(nil).contains("No token came with the request"))
        #expect(try fixture.send("PUT", "/nothere/nix-cache-info", token: fixture.root(), body: body).status == .notFound)
        #expect(try fixture.send("GET", "/hello/nix-cache-info").text.contains("Priority: 41"))
    }

    @Test("who may only pull, or knows another cache, is refused before the body")
    func access() throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello")
        let push = PlainPush(try TestPath("tool", seeds: [1], byteCount: 100), .xz)
        for (permissions, status) in [([.pull] as Permissions, 403), ([], 401)] {
            let token = try fixture.token([("hello", permissions)])
            #expect(try Int(fixture.putNar(push, to: cache, token: token).status.code) == status)
            #expect(try Int(fixture.putNarInfo(push, to: cache, token: token).status.code) == status)
        }
        for method in ["POST", "DELETE", "PATCH"] {
            let answer = try fixture.send(method, "/hello/\(push.url)", token: fixture.root())
            #expect(answer.status == .methodNotAllowed && answer.header("Allow") == "GET, HEAD, PUT")
        }
    }

    @Test("compressions that are not read here are named, with those that are", arguments: [".bz2", ".lzip", ".lz4", ".Z", "foo"])
    func suffixes(_ suffix: String) throws {
        let fixture = try Fixture()
        try fixture.makeCache("hello")
        let answer = try fixture.put("/hello/nar/\(SHA256.digest(of: [1]).base32).nar\(suffix)", [1])
        #expect(answer.status == .unsupportedMediaType)
        #expect(answer.text.contains("does not read \\\"\(suffix)\\\"") && answer.text.contains("compression=zstd, xz, br, gzip or none"))
        #expect(answer.bytes.count < 1024)
    }

    @Test("a file is what its name says, whole, and no longer than allowed; or it leaves nothing", arguments: StreamCoding.allCases)
    func files(_ coding: StreamCoding) throws {
        let fixture = try Fixture("max-nar-size = 1048576")
        try fixture.makeCache("hello")
        let push = PlainPush(try TestPath("tool", seeds: [1], byteCount: 300_000), coding)
        func answer(_ body: [UInt8], named hash: SHA256Digest? = nil, encoding: String? = nil) throws -> (status: Int, text: String) {
            let url = "/hello/nar/\((hash ?? SHA256.digest(of: body)).base32).nar\(coding.fileSuffix)"
            let answer = try fixture.put(url, body, coding: encoding)
            return (Int(answer.status.code), answer.text)
        }
        let misnamed = try answer(push.file, named: SHA256.digest(of: [1]))
        #expect(misnamed.status == 400 && misnamed.text.contains("but its name says"))
        for body in [Array(push.file.dropLast(5)), push.file + [1, 2, 3, 4], [], [1], [0x1f, 0x8b], Array("no NAR at all".utf8)] {
            let refused = try answer(body)
            #expect(refused.status == 400 && refused.text.utf8.count < 1024, "\(refused)")
        }
        // Well compressed, and no NAR.
        #expect(try answer(StreamEncoder.encode(Array("no NAR at all".utf8), coding)).status == 400)
        // Little that stands for much.
        var writer = NarWriter()
        writer.file([UInt8](repeating: 0, count: 1 << 20))
        let bomb = try answer(StreamEncoder.encode(writer.take(), coding))
        #expect(bomb.status == 413 && bomb.text.contains("max-nar-size"), "\(bomb)")
        #expect(try answer(push.file, encoding: "gzip").status == 415)
        #expect(try fixture.packBytes() == 0)
        try fixture.sweep()
        #expect(try fixture.store.packNames().isEmpty)
    }

    @Test("a NAR above max-nar-size is refused however it is announced")
    func tooLong() throws {
        let fixture = try Fixture("max-nar-size = 1048576")
        let cache = try fixture.makeCache("hello")
        let path = try TestPath("tool", seeds: [1], byteCount: 8)
        let answer = try fixture.push(path, to: cache, narSize: 1_048_577)
        #expect(answer.status == .contentTooLarge)
        #expect(answer.text.contains("the NAR has 1048577 bytes, but max-nar-size allows 1048576"))
    }

    @Test("a NAR is put by the hash of its file, not by a store path's")
    func byStorePath() throws {
        let fixture = try Fixture()
        try fixture.makeCache("hello")
        let path = try TestPath("tool", seeds: [1], byteCount: 8)
        let answer = try fixture.put("/hello/nar/\(path.storePath.hash).nar", path.nar)
        #expect(answer.status == .badRequest && answer.text.contains("under the hash of its file"))
    }

    @Test("a narinfo that does not fit itself, the cache or its NAR is refused, and nothing is visible", arguments: [
        ("StorePath", "/gnu/store/TOOL", "StorePath is in /gnu/store, but the cache is for /nix/store"),
        ("StorePath", "/nix/store/00000000000000000000000000000000-tool", "but it was put as"),
        ("StorePath", "/nix/store/tool", "store path"),
        ("StorePath", nil, "StorePath is missing"),
        ("URL", "https://elsewhere.example/x.nar", "must be nar/{file hash}.nar"),
        ("URL", "nar/../../x", "must be nar/{file hash}.nar"),
        ("URL", "OTHER", "URL and NarHash are of different NARs"),
        ("NarHash", "sha256:0000000000000000000000000000000000000000000000000000", "URL and NarHash are of different NARs"),
        ("NarHash", "md5:x", "NarHash"),
        ("NarHash", nil, "NarHash is missing"),
        ("NarSize", "1", "NarSize is 1, but the NAR of that hash has"),
        ("NarSize", "0", "NarSize"),
        ("NarSize", "-5", "NarSize"),
        ("NarSize", "99999999999999999999999", "NarSize"),
        ("References", "no-store-path", "store path"),
        ("References", "../../etc/passwd", "store path"),
        ("Deriver", "/nix/store/x.drv", "store path"),
        ("Sig", "nonsense", "signature"),
        ("Sig", "name:c2hvcnQ=", "is not name:base64 of 64 bytes"),
        ("Sig", "name:AAAA BBBB", "signature"),
        ("CA", "fixed r", "CA"),
    ])
    func narInfos(field: String, value: String?, reason: String) throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello")
        let push = PlainPush(try TestPath("tool", seeds: [1], byteCount: 3000), .xz)
        let other = PlainPush(try TestPath("other", seeds: [2], byteCount: 3000), .xz)
        _ = try fixture.putNar(push, to: cache)
        _ = try fixture.putNar(other, to: cache)
        let said = value?.replacing("TOOL", with: push.path.storePath.baseName).replacing("OTHER", with: other.url)
        let answer = try fixture.putNarInfo(push, to: cache, [(field, said)])
        #expect(answer.status == .badRequest)
        #expect(answer.text.contains(reason), "\(answer.text)")
        #expect(try fixture.status("GET", "/hello/\(push.narInfoURL)") == 404)
        #expect(try fixture.putNarInfo(push, to: cache).status == .created, "and the right one is taken")
    }

    @Test("a narinfo above its bound, or with more of something than a path may have, is refused")
    func boundless() throws {
        let fixture = try Fixture("max-nar-info-size = 8192")
        let cache = try fixture.makeCache("hello")
        let push = PlainPush(try TestPath("tool", seeds: [1], byteCount: 3000), .xz)
        _ = try fixture.putNar(push, to: cache)
        let names = try (0..<300).map { try TestPath("r\($0)", seeds: [UInt64($0)], byteCount: 8).storePath.baseName }
        let long = try fixture.putNarInfo(push, to: cache, [("References", names.joined(separator: " "))])
        #expect(long.status == .contentTooLarge)
        let signature = "a:\(String(repeating: "A", count: 86))=="
        var signed = push.narInfo()
        for _ in 0...Bounds.signaturesMax { signed += Array("Sig: \(signature)\n".utf8) }
        let room = try Fixture()
        let roomy = try room.makeCache("hello")
        _ = try room.putNar(push, to: roomy)
        #expect(try room.put("/hello/\(push.narInfoURL)", signed).status == .badRequest)
        // The same name twice is one reference.
        _ = try room.putNarInfo(push, to: roomy, [("References", [names[0], names[1], names[0]].joined(separator: " "))])
        #expect(try room.narInfo(push.path, in: roomy).references == [names[0], names[1]].sorted())
    }

    @Test("knowing hashes gives nobody bytes: the NAR is sent to this cache, or could be pulled")
    func possession() throws {
        let fixture = try Fixture()
        let (secret, mine) = (try fixture.makeCache("secret"), try fixture.makeCache("mine"))
        let push = PlainPush(try TestPath("tool", seeds: [1], byteCount: 50_000), .xz)
        _ = try fixture.putNar(push, to: secret)
        _ = try fixture.putNarInfo(push, to: secret)
        let stored = try fixture.narInfo(push.path, in: secret).url
        let stranger = try fixture.token([("mine", [.pull, .push])])
        #expect(try fixture.status("HEAD", "/mine/\(push.url)", token: stranger) == 404)
        for changes in [[], [("URL", stored)], [("NarSize", "1")]] as [[(String, String?)]] {
            let answer = try fixture.putNarInfo(push, to: mine, token: stranger, changes)
            // The same words as of a NAR that is nowhere.
            #expect(answer.status == .badRequest && answer.text.contains("is not here: put its file under nar/ first"))
        }
        let nowhere = PlainPush(try TestPath("nowhere", seeds: [9], byteCount: 8), .xz)
        #expect(try fixture.putNarInfo(nowhere, to: mine, token: stranger).text.contains("is not here: put its file under nar/ first"))
        #expect(try fixture.status("GET", "/mine/\(push.narInfoURL)", token: stranger) == 404)
        // One who may pull it from the other cache need not send it; one who sends it needs no more.
        let both = try fixture.token([("mine", [.pull, .push]), ("secret", .pull)])
        #expect(try fixture.putNarInfo(push, to: mine, token: both).status == .created)
        let third = try fixture.makeCache("third")
        let sender = try fixture.token([("third", .push)])
        #expect(try fixture.putNar(push, to: third, token: sender).status == .created)
        #expect(try fixture.putNarInfo(push, to: third, token: sender).status == .created)
    }

    @Test("a full disk is told to plain Nix by a status that it does not try again", .databaseIsAFile)
    func full() throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello")
        _ = try fixture.context.catalog.write { session throws(DatabaseError) in
            try session.trying("limit the size") { connection throws(SQLError) in
                try connection.first("PRAGMA max_page_count = 1") { row throws(SQLError) in try row.integer(0) }
            }
        }
        var last: Response?
        for seed in 0..<40 {
            // Many chunks make many rows.
            let path = try TestPath("p\(seed)", seeds: [UInt64(seed) + 1], byteCount: 1_000_000)
            last = try fixture.putNar(PlainPush(path, .none), to: cache)
            if last?.status != .created { break }
        }
        #expect(last?.status == .contentTooLarge)
        #expect(last?.text.contains("disk is full") == true)
        #expect(Problem.busy(retryAfterSeconds: 1).toPlainNix.status == .conflict)
        #expect(Problem.incompleteNar.toPlainNix.status == .conflict)
    }
}
