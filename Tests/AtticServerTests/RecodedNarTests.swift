import Compression
import Crypto
import Database
import HTTPServer
import Platform
import Storage
import Testing

@testable import AtticServer

@Suite("A NAR in another coding") struct RecodedNarTests {
    /// The stored NAR of a path, in a coding; what is found wrong with it is kept in `damage`.
    private func recoded(
        _ path: TestPath, _ coding: StreamCoding, in fixture: Fixture, damage: Monitor<[String]> = Monitor([])
    ) throws -> RecodedNar {
        let name = try #require(try? fixture.makeCache("hello"))
        #expect(try fixture.push(path, to: name).status == .ok)
        let (nar, places) = try fixture.context.catalog.read { session throws(DatabaseError) in
            let cache = try session.findCache(name)
            let object = try session.findObject(cache?.id ?? 0, path.storePath.hash)
            return (object?.nar, try session.extents(ofNar: object?.nar.id ?? 0))
        }
        let record = try #require(nar)
        return RecodedNar(
            nar: record, assembly: try NarAssembly(places, byteCount: record.fileSize, in: fixture.store), coding: coding,
            onDamage: { error in damage.update { $0.append("\(error)") } })
    }

    private func bytes(_ body: ResponseBody) throws -> [UInt8] {
        guard case .stream(let byteCount, let produce) = body else { throw Problem.internalServer }
        return try BodyWriter.bytes(of: produce, byteCount: byteCount)
    }

    @Test("stands for the same bytes, however it is stored", arguments: StreamCoding.allCases, ["zstd", "none"])
    func codings(coding: StreamCoding, stored: String) throws {
        for byteCount in [8, 900_000] {
            let fixture = try Fixture("[compression]\ntype = \"\(stored)\"\n")
            let path = try TestPath("one", seeds: [1], byteCount: byteCount)
            let recoded = try recoded(path, coding, in: fixture)
            #expect(recoded.nar.compression == stored)
            #expect(recoded.body.byteCount == (coding == .none ? Int64(path.nar.count) : nil))
            let file = try bytes(recoded.body)
            #expect(try StreamDecoder.decode(file, coding, outputByteCountMax: path.nar.count) == path.nar)
            #expect(try bytes(recoded.body) == file, "it can be made again")
        }
    }

    @Test("has no end where stored bytes are damaged, and says so", arguments: [StreamCoding.none, .xz], ["zstd", "none"])
    func damage(coding: StreamCoding, stored: String) throws {
        let fixture = try Fixture("[compression]\ntype = \"\(stored)\"\n")
        let damage = Monitor<[String]>([])
        let recoded = try recoded(TestPath("one", seeds: [1], byteCount: 300_000), coding, in: fixture, damage: damage)
        let extent = try #require(recoded.assembly.extents.last)
        let pack = try #require(fixture.store.packNames().first)
        // The last bytes of the NAR: everything before them is fine.
        let end = extent.offset + extent.byteCount - 10
        let file = try File.open("\(fixture.directory.path)/storage/packs/\(pack.text.prefix(2))/\(pack.text).pack", .readWrite)
        try unsafe [UInt8](repeating: 7, count: 10).withUnsafeBytes { try unsafe file.writeAll(at: end, $0) }
        #expect(throws: Problem.self) { try bytes(recoded.body) }
        #expect(try fixture.store.truncatePack(pack, to: end))
        #expect(throws: Problem.self) { try bytes(recoded.body) }
        #expect(damage.peek { $0 }.count == 2)
    }
}
