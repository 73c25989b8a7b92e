import AtticAPI
import Compression
import Crypto
import HTTP
import HTTPServer
import Nix
import Platform
import SQL
import Storage
import Testing

@testable import AtticServer
@testable import Database

@Suite("What counts as a lost NAR")
struct LossTests {
    let fixture: Fixture
    let cache: CacheName
    /// Three stretches, of which `other` has the second as well.
    let path: TestPath
    let other: TestPath

    init() throws {
        fixture = try Fixture()
        cache = try fixture.makeCache("hello")
        path = try TestPath("tool", seeds: [1, 2, 3], byteCount: 300_000)
        other = try TestPath("other", seeds: [4, 2, 5], byteCount: 300_000)
        #expect(try fixture.push(path, to: cache).status == .ok)
    }

    private func nar(_ path: TestPath) throws -> NarRecord {
        let hash = SHA256.digest(of: path.nar)
        return try #require(try fixture.context.catalog.read { session throws(DatabaseError) in try session.findNar(hash) })
    }

    private func status(_ method: String, _ url: String) throws -> Int { try fixture.status(method, url) }

    private func isMissing(_ path: TestPath) throws -> Bool {
        let question = MissingPathsRequest(cache: cache, storePathHashes: [path.storePath.hash]).json()
        let response = try fixture.send("POST", Endpoint.getMissingPaths, token: fixture.root(), body: question)
        return try MissingPathsResponse(json: response.bytes).missingPaths == [path.storePath.hash]
    }

    private enum Place { case middle, end }

    /// Overwrites the stored bytes of a chunk of a path; its size stays.
    private func overwrite(_ path: TestPath, at wanted: Place = .middle) throws {
        let id = try nar(path).id
        let chunks = try fixture.context.catalog.read { session throws(DatabaseError) in try session.chunks(ofNar: id) }
        let place = chunks[wanted == .middle ? chunks.count / 2 : chunks.count - 1].place
        try fixture.overwrite(try #require(PackName(place.pack)), at: place.offset + 30, with: [UInt8](repeating: 0x55, count: 20))
    }

    /// The pack in which the path begins that was pushed first; that is its only one.
    private func pack() throws -> PackName {
        let id = try nar(path).id
        let chunks = try fixture.context.catalog.read { session throws(DatabaseError) in try session.chunks(ofNar: id) }
        return try #require(PackName(chunks[0].place.pack))
    }

    /// Whether what is answered for a path is that path.
    private func comesBack(_ path: TestPath) throws -> Bool {
        let nar = try fixture.send("GET", "/hello/\(try fixture.narInfo(path, in: cache).url)", token: fixture.root())
        return try nar.status == .ok && UploadTests().plain(nar.bytes) == path.nar
    }

    /// What is answered to everybody who asks for a path, while it is known to be damaged and when it is not.
    private func expectKnown(_ isDamaged: Bool, _ path: TestPath, url: String) throws {
        let hash = path.storePath.hash
        #expect(try nar(path).isDamaged == isDamaged)
        #expect(try isMissing(path) == isDamaged)
        #expect(try status("GET", "/hello/\(hash).narinfo") == (isDamaged ? 404 : 200))
        #expect(try status("GET", "/hello/\(hash).narinfo") == (isDamaged ? 404 : 200), "and out of memory")
        #expect(try status("HEAD", "/hello/\(hash).narinfo") == (isDamaged ? 404 : 200))
        #expect(try status("GET", "/hello/\(hash).closure.narinfo") == (isDamaged ? 404 : 200))
        let many = try fixture.send("POST", "/hello/get-narinfos-v1", token: fixture.root(), body: Array("\(hash)\n".utf8))
        #expect(many.text.contains("\(hash)") != isDamaged)
        #expect(try status("GET", "/hello/\(url)") == (isDamaged ? 503 : 200))
        #expect(try status("GET", "/hello/nar/\(hash).nar") == (isDamaged ? 503 : 200))
        // Plain Nix asks so before it pushes, and is to push.
        #expect(try status("HEAD", "/hello/\(url)") == (isDamaged ? 404 : 200))
    }

    @Test("an error that says nothing of the stored bytes marks nothing, nor does one that has passed when they are read again")
    func unrelated() throws {
        let nar = try nar(path)
        let errors: [any Error] = [
            DatabaseError(.busy, "", "", ""), DatabaseError(.closed, "", "", ""), DatabaseError(.diskTrouble, "", "", ""), Errno.inputOutput,
            StorageError(SystemError("read", "a pack", .inputOutput)), Problem.busy(retryAfterSeconds: 1), Problem.storageTrouble,
        ]
        for error in errors {
            #expect(!LostBytes.areShown(by: error))
            LostBytes.note(error, on: nar, fixture.context)
            #expect(try !self.nar(path).isDamaged, "\(error)")
        }
        LostBytes.note(Problem.incompleteNar, on: nar, fixture.context)
        #expect(try !self.nar(path).isDamaged && LostBytes.areShown(by: Problem.incompleteNar))
    }

    @Test("what was seen of bytes that have been replaced since does not mark those that took their place")
    func repaired() throws {
        let old = try nar(path)
        let other = SHA256.digest(of: [1])
        try overwrite(path)
        try fixture.context.catalog.write { session throws(DatabaseError) in
            try session.trying("store it anew") { connection throws(SQLError) in
                _ = try connection.execute("UPDATE nar SET file_hash = $1", [.digest(other)])
            }
        }
        LostBytes.note(Problem.incompleteNar, on: old, fixture.context)
        #expect(try !nar(path).isDamaged)
    }

    @Test("a chunk is known to a push by its bytes as they are stored: those that have changed are stored anew", arguments: [
        "frame_checksum", "NULL", "frame_checksum + 1",
    ])
    func asStored(_ checksum: String) throws {
        // What rows say: the checksum as it is, as rows of before there were any have it, and one that is damaged itself.
        try fixture.context.catalog.write { session throws(DatabaseError) in
            try session.trying("set checksums") { connection throws(SQLError) in
                _ = try connection.execute("UPDATE chunk SET frame_checksum = \(checksum)")
            }
        }
        let before = try fixture.packBytes()
        #expect(try fixture.push(other, to: cache).status == .ok)
        #expect(try fixture.packBytes() - before < 800_000, "the stretch that both have lies there once")
        let id = try nar(other).id
        for chunk in try fixture.context.catalog.read({ session throws(DatabaseError) in try session.chunks(ofNar: id) }) {
            let extent = try #require(Extent(chunk.place))
            #expect(try chunk.frameChecksum == FrameChecksum.of(fixture.store.read(extent)), "what was opened has a checksum from now on")
        }
        try overwrite(path)
        let third = try TestPath("third", seeds: [6, 2, 7], byteCount: 300_000)
        #expect(try fixture.push(third, to: cache).status == .ok)
        for path in [path, other, third] { #expect(try comesBack(path)) }
        #expect(try fixture.check(contents: true).outcome == .clean)
    }

    @Test("a push of a NAR that is here builds upon it only while no bit has changed: otherwise its own bytes are taken in", .packsAreFiles, arguments: [
        false, true,
    ])
    func reuse(withOthers: Bool) throws {
        func push(to name: String) throws -> Response {
            let cache = try fixture.makeCache(name)
            guard withOthers else { return try fixture.push(path, to: cache) }
            let info = UploadPathNarInfo(
                cache: cache, storePathHash: path.storePath.hash, storePath: path.storePath.absolute(), references: [],
                narHash: SHA256.digest(of: path.nar), narSize: Int64(path.nar.count))
            return try fixture.send("PUT", Endpoint.uploadPaths, token: fixture.root(), body: info.announcement() + path.nar)
        }
        let before = try fixture.packBytes()
        #expect(try push(to: "second").status == .ok)
        #expect(try fixture.packBytes() == before, "nothing is stored while it is whole")
        try overwrite(path)
        #expect(try push(to: "third").status == .ok)
        #expect(try comesBack(path))
        #expect(try fixture.check(contents: true).outcome == .clean)
    }

    @Test("a wrong chunk that was met is known at once, of all that need it: nothing tells them as here, and one push brings all back", arguments: [
        Problem.incompleteNar as any Error, StorageError(SystemError("read", "a pack", .inputOutput)),
    ])
    func known(_ error: any Error) throws {
        #expect(try fixture.push(other, to: cache).status == .ok)
        let urls = try [path, other].map { try fixture.narInfo($0, in: cache).url }
        for (path, url) in zip([path, other], urls) { try expectKnown(false, path, url: url) }
        try overwrite(path)
        LostBytes.note(error, on: try nar(path), fixture.context)
        for (path, url) in zip([path, other], urls) { try expectKnown(true, path, url: url) }
        #expect(try fixture.push(other, to: cache).status == .ok)
        for path in [path, other] {
            try expectKnown(false, path, url: fixture.narInfo(path, in: cache).url)
            #expect(try comesBack(path))
        }
        #expect(try fixture.check(contents: true).outcome == .clean)
    }

    @Test("a part of a pack that could not be sent is looked at again, and marked where it is lost", .packsAreFiles)
    func unsent() throws {
        let url = try fixture.narInfo(path, in: cache).url
        let answer = try fixture.send("GET", "/hello/\(url)", token: fixture.root())
        guard case .files(let extents, _) = answer.body else { throw Problem.internalServer }
        let head = try RequestHead(parsing: "GET /hello/\(url) HTTP/1.1\r\nHost: h\r\n\r\n")
        let part = FileExtent(file: extents[0].file, offset: 0, byteCount: extents[0].byteCount)
        fixture.application.couldNotSend(part, for: head)
        try expectKnown(false, path, url: url)
        try overwrite(path)
        // Bytes that are another chunk's say nothing of this one.
        fixture.application.couldNotSend(FileExtent(file: part.file, offset: 0, byteCount: 10), for: head)
        try expectKnown(false, path, url: url)
        fixture.application.couldNotSend(part, for: head)
        try expectKnown(true, path, url: url)
    }

    @Test("a listing or another coding that is made of a wrong chunk is refused, and makes it known", arguments: ["listing", "coding"])
    func noticed(_ what: String) throws {
        let push = PlainPush(path, .xz, level: 0)
        #expect(try fixture.putNar(push, to: cache).status == .created)
        #expect(try fixture.putNarInfo(push, to: cache).status == .noContent)
        let url = try fixture.narInfo(path, in: cache).url
        try overwrite(path)
        if what == "listing" {
            // Kept ones are made no more.
            try fixture.plant(["DELETE FROM nar_listing"])
            #expect(try status("GET", "/hello/\(path.storePath.hash).ls") == 503)
        } else {
            #expect(try fixture.send("GET", "/hello/\(push.url)", token: fixture.root()).bytes != push.file)
        }
        try expectKnown(true, path, url: url)
        #expect(try status("HEAD", "/hello/\(push.url)") == 404)
        #expect(try status("GET", "/hello/\(push.url)") == 503)
        #expect(try fixture.putNarInfo(push, to: cache).status == .conflict, "the narinfo alone brings nothing back")
        #expect(try fixture.putNar(push, to: cache).status == .created)
        #expect(try fixture.putNarInfo(push, to: cache).status == .noContent)
        #expect(try comesBack(path))
        #expect(try status("HEAD", "/hello/\(push.url)") == 200)
    }

    @Test("a push never builds upon a wrong chunk, known or not, and brings it back for all that need it")
    func verified() throws {
        try overwrite(path)
        #expect(try fixture.push(other, to: cache).status == .ok)
        #expect(try comesBack(other) && comesBack(path))
        #expect(try fixture.check(contents: true).outcome == .clean)
    }

    @Test("what is marked and can be read again is whole by itself; what cannot stays marked")
    func rechecked() throws {
        #expect(try fixture.push(other, to: cache).status == .ok)
        let url = try fixture.narInfo(path, in: cache).url
        let pack = try pack()
        // As a disk that is not mounted for a while.
        let bytes = try fixture.bytes(of: pack)
        try fixture.lose(pack)
        #expect(try status("GET", "/hello/\(url)") == 503)
        try expectKnown(true, path, url: url)
        var recheck = Recheck()
        #expect(try recheck.run(fixture.context) == 0)
        #expect(try nar(path).isDamaged && nar(other).isDamaged)
        try fixture.replace(pack, with: bytes)
        try overwrite(other, at: .end)
        #expect(try recheck.run(fixture.context) + recheck.run(fixture.context) == 1)
        try expectKnown(false, path, url: url)
        #expect(try comesBack(path) && nar(other).isDamaged)
        #expect(try fixture.push(other, to: cache).status == .ok)
        #expect(try comesBack(other))
    }

    @Test("two that share one chunk are whole again together")
    func recheckedTogether() throws {
        #expect(try fixture.push(other, to: cache).status == .ok)
        let pack = try pack()
        let bytes = try fixture.bytes(of: pack)
        try overwrite(path)
        LostBytes.note(Problem.incompleteNar, on: try nar(path), fixture.context)
        #expect(try nar(path).isDamaged && nar(other).isDamaged)
        try fixture.replace(pack, with: bytes)
        var recheck = Recheck()
        #expect(try recheck.run(fixture.context) == 2)
        #expect(try comesBack(path) && comesBack(other))
    }

    @Test("A body that cannot be begun is answered as what is found out before")
    func unbegun() throws {
        let away = StorageError("read", "s3://chunks/packs/a", .unreachable("connection refused"))
        let told = try #require(fixture.application.response(insteadOf: away))
        #expect(told.status == .serviceUnavailable && told.header("Retry-After") == "2" && told.text.contains("StorageTrouble"))
        let damaged = try #require(fixture.application.response(insteadOf: Problem.incompleteNar))
        #expect(damaged.status == .serviceUnavailable && damaged.text.contains("IncompleteNar"))
        #expect(fixture.application.response(insteadOf: Errno.inputOutput) == nil)
    }
}
