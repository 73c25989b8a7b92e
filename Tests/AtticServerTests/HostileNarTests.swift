import AtticAPI
import Compression
import Crypto
import Database
import Nix
import SQL
import Testing

@testable import AtticServer

/// NARs that Nix would not unpack, or not as they were meant, by their name, with the byte at which that shows.
private struct HostileNar: CustomTestStringConvertible {
    let testDescription: String
    let bytes: [UInt8]
    let offset: Int
    let sentence: String

    init(_ name: String, _ bytes: [UInt8], at offset: Int, _ sentence: String) {
        (testDescription, self.bytes, self.offset, self.sentence) = (name, bytes, offset, sentence)
    }

    private static let start = NarTokens.magic + NarTokens.directory
    private static let link = NarTokens.symbolicLink + encoded("x") + NarTokens.close

    private static func encoded(_ text: String) -> [UInt8] {
        var bytes: [UInt8] = []
        NarTokens.append(Array(text.utf8), to: &bytes)
        return bytes
    }

    private static func directory(_ names: String...) -> [UInt8] {
        start + names.flatMap { NarTokens.entry + encoded($0) + NarTokens.node + link + NarTokens.close } + NarTokens.close
    }

    private static func nested(_ depth: Int) -> [UInt8] {
        let level = NarTokens.directory + NarTokens.entry + encoded("d") + NarTokens.node
        return NarTokens.magic + (0..<depth).flatMap { _ in level } + link
            + (0..<depth).flatMap { _ in NarTokens.close + NarTokens.close }
    }

    private static var file: [UInt8] {
        var writer = NarWriter()
        writer.file([1, 2, 3])
        return writer.bytes
    }

    private static func changed(_ bytes: [UInt8], at index: Int, to byte: UInt8) -> [UInt8] {
        var bytes = bytes
        bytes[index] = byte
        return bytes
    }

    /// The first name lies behind the magic, "(" "type" "directory", "entry" "(" "name" and its length; the second behind a whole
    /// entry, an entry's beginning and its length.
    private static let nameOffset = start.count + NarTokens.entry.count + 8
    private static let nextNameOffset = directory("a").count - NarTokens.close.count + NarTokens.entry.count + 8

    static let all: [HostileNar] = [
        HostileNar("text", Array("this is no NAR, but some text".utf8), at: 0, "not a Nix archive"),
        HostileNar("another magic", NarTokens.run("nix-archive-2") + NarTokens.directory + NarTokens.close, at: 0, "not a Nix archive"),
        HostileNar("an empty name", directory(""), at: nameOffset, "cannot be a file's name"),
        HostileNar("the name .", directory("."), at: nameOffset, "cannot be a file's name"),
        HostileNar("the name ..", directory(".."), at: nameOffset, "cannot be a file's name"),
        HostileNar("a slash in a name", directory("a/b"), at: nameOffset, "cannot be a file's name"),
        HostileNar("a NUL in a name", directory("a\0b"), at: nameOffset, "cannot be a file's name"),
        HostileNar("a name twice", directory("a", "a"), at: nextNameOffset, "does not sort after"),
        HostileNar("names that are not sorted", directory("b", "a"), at: nextNameOffset, "does not sort after"),
        HostileNar("a name of 256 bytes", directory(String(repeating: "a", count: 256)), at: nameOffset - 8, "at most 255"),
        HostileNar("a depth of 1,025", nested(1024), at: 24 + 1024 * 136, "more than 1024 directories"),
        HostileNar("bytes behind its end", file + [0], at: file.count, "bytes after its end"),
        HostileNar("an end that is missing", Array(file.dropLast(16)), at: file.count - 16, "ends too early"),
        HostileNar("padding that is not zero", changed(file, at: file.count - 17, to: 1), at: file.count - 17, "padding that is not zero"),
        HostileNar("a file of 2^63 bytes", NarTokens.magic + NarTokens.regular + [0, 0, 0, 0, 0, 0, 0, 0x80], at: 88, "63 bits"),
        HostileNar("a socket", NarTokens.magic + NarTokens.run("(", "type", "socket", ")"), at: 56, "found \"socket\""),
        HostileNar("a file of 2^64-1 bytes", NarTokens.magic + NarTokens.regular + [UInt8](repeating: 0xFF, count: 8), at: 88, "63 bits"),
        HostileNar("a name of 2^63 bytes", start + NarTokens.entry + [0, 0, 0, 0, 0, 0, 0, 0x80], at: nameOffset - 8, "at most 255"),
        HostileNar("a keyword of 2^64-1 bytes", NarTokens.magic + [UInt8](repeating: 0xFF, count: 8), at: 24, "at most 16"),
        HostileNar("a target of 2^40 bytes", NarTokens.magic + NarTokens.symbolicLink + [0, 0, 0, 0, 0, 1, 0, 0], at: 88, "at most"),
        HostileNar("a NUL in a target", NarTokens.magic + NarTokens.symbolicLink + encoded("/etc\0x") + NarTokens.close, at: 96, "symbolic link's target"),
        HostileNar(
            "executable twice", NarTokens.magic + NarTokens.run("(", "type", "regular", "executable", "", "executable", "", "contents", "", ")"), at: 104,
            "found \"executable\""),
        HostileNar("executable and more", NarTokens.magic + NarTokens.run("(", "type", "regular", "executable", "yes", "contents", "", ")"), at: 96, "found \"yes\""),
        HostileNar("a type twice", NarTokens.magic + NarTokens.run("(", "type", "regular", "type", "regular", "contents", "", ")"), at: 72, "found \"type\""),
        HostileNar("no contents", NarTokens.magic + NarTokens.run("(", "type", "regular", ")"), at: 72, "found \")\""),
        HostileNar("contents twice", NarTokens.magic + NarTokens.run("(", "type", "regular", "contents", "", "contents", "", ")"), at: 96, "found \"contents\""),
        HostileNar("a link with contents", NarTokens.magic + NarTokens.run("(", "type", "symlink", "contents", "x", ")"), at: 72, "found \"contents\""),
        HostileNar("an entry without a node", start + NarTokens.entry + encoded("a") + NarTokens.close, at: nameOffset + 8, "found \")\""),
        HostileNar("an entry in a file", NarTokens.magic + NarTokens.run("(", "type", "regular", "contents", "", "entry"), at: 96, "found \"entry\""),
        HostileNar("a name in other padding", changed(directory("a"), at: nameOffset + 3, to: 1), at: nameOffset + 3, "padding that is not zero"),
        HostileNar("two NARs", file + file, at: file.count, "bytes after its end"),
        HostileNar("nothing but its magic", NarTokens.magic, at: NarTokens.magic.count, "ends too early"),
        HostileNar("an empty target", NarTokens.magic + NarTokens.symbolicLink + encoded("") + NarTokens.close, at: 96, "symbolic link's target"),
    ]
}

@Suite("NARs that are none")
struct HostileNarTests {
    private func path(_ nar: HostileNar, _ name: String = "hostile") throws -> TestPath {
        TestPath(storePath: try TestPath(name, seeds: [1], byteCount: 8).storePath, nar: nar.bytes)
    }

    private func expectRefused(_ fixture: Fixture, _ status: Int, _ text: String, _ nar: HostileNar) throws {
        #expect(status == 400)
        #expect(text.contains(nar.sentence.replacing("\"", with: "\\\"")), "\(text)")
        #expect(text.contains("the NAR is malformed at byte \(nar.offset):"), "\(text)")
        #expect(try fixture.packBytes() == 0)
        let connection = try fixture.context.configuration.database.connect()
        for table in ["object", "nar", "nar_listing", "chunk"] {
            let count = try connection.first("SELECT count(*) FROM \(table)") { row throws(SQLError) in try row.integer(0) }
            #expect(count == 0, "\(table)")
        }
    }

    @Test("are refused where they are pushed one by one, and nothing is stored", arguments: HostileNar.all)
    fileprivate func alone(_ nar: HostileNar) throws {
        let fixture = try Fixture()
        let response = try fixture.push(path(nar), to: fixture.makeCache("hello"))
        try expectRefused(fixture, response.status.code, response.text, nar)
    }

    @Test("are refused where they are pushed together, with those beside them", arguments: HostileNar.all)
    fileprivate func together(_ nar: HostileNar) throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello")
        var body: [UInt8] = []
        for path in [try TestPath("good", seeds: [7], byteCount: 100), try path(nar)] {
            body += UploadPathNarInfo(
                cache: cache, storePathHash: path.storePath.hash, storePath: path.storePath.absolute(), references: [],
                narHash: SHA256.digest(of: path.nar), narSize: Int64(path.nar.count)
            ).announcement() + path.nar
        }
        let response = try fixture.send("PUT", Endpoint.uploadPaths, token: fixture.root(), body: body)
        #expect(response.text.contains("-hostile: "))
        try expectRefused(fixture, response.status.code, response.text, nar)
    }

    @Test("are refused where plain Nix sends them, in any compression, and nothing is stored", arguments: HostileNar.all)
    fileprivate func plain(_ nar: HostileNar) throws {
        let path = try path(nar)
        for coding in [StreamCoding.none, .gzip, .xz, .zstd, .brotli] {
            let fixture = try Fixture()
            let cache = try fixture.makeCache("hello")
            let push = PlainPush(path, coding)
            let response = try fixture.putNar(push, to: cache)
            try expectRefused(fixture, response.status.code, response.text, nar)
            // Nothing to say whose it is.
            #expect(try fixture.putNarInfo(push, to: cache).status == .badRequest)
        }
    }

    @Test("stand beside some that are odd and allowed, as Nix has them", arguments: [
        "~nix~case~hack~1", ".hidden", "...", " ", "a\nb", "\u{1B}[2J", String(repeating: "a", count: 255), "\\", "con", "é",
    ])
    func odd(name: String) throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("hello")
        var text: [UInt8] = []
        NarTokens.append(Array(name.utf8), to: &text)
        let link = NarTokens.symbolicLink + NarTokens.run("../../../etc/passwd") + NarTokens.close
        let nar = NarTokens.magic + NarTokens.directory + NarTokens.entry + text + NarTokens.node + link + NarTokens.close + NarTokens.close
        let path = TestPath(storePath: try TestPath("odd", seeds: [1], byteCount: 8).storePath, nar: nar)
        #expect(try fixture.push(path, to: cache).status == .ok)
        let listing = try fixture.send("GET", "/hello/\(path.storePath.hash).ls", token: fixture.root())
        #expect(listing.status == .ok && !listing.text.unicodeScalars.contains { $0.value < 0x20 })
    }
}
