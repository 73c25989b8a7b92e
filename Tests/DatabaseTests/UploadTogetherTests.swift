import Crypto
import Platform
import Testing

@testable import Database

@Suite struct UploadTogetherTests {
    /// A path with a NAR of that number.
    private func path(
        _ cache: CacheRecord, _ number: Int, nar: Int? = nil, references: [Int] = [], _ chunks: [Commit.Chunk]
    ) -> Commit.Path {
        Commit.Path(
            Fixture.object(cache, number, references: references),
            naming: .uploaded(Fixture.newNar(nar ?? number), chunks: chunks))
    }

    private func committed(_ outcome: CommitOutcome) throws -> [Committed] {
        guard case .committed(let committed) = outcome else {
            Issue.record("not committed: \(outcome)")
            return []
        }
        return committed
    }

    @Test(arguments: Kind.allCases)
    func `several paths come to be in one transaction, and share NARs and chunks`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let cache = try fixture.cache()
        let first = try fixture.push(cache, 1)
        let generation = fixture.catalog.writeGeneration
        let done = try committed(fixture.commit(Commit(
            uploadID: nil, packs: [PackState(name: "p", byteCount: 300, isSealed: false)],
            paths: [
                path(cache, 2, [Fixture.stored(2, "p", 0), Fixture.stored(3, "p", 1)]),
                path(cache, 3, references: [2], [Fixture.stored(3, "p", 1), Fixture.stored(4, "p", 2)]),
                path(cache, 4, nar: 2, [Fixture.stored(2, "p", 0), Fixture.stored(3, "p", 1)]),
                Commit.Path(Fixture.object(cache, 5), naming: .existing(id: first.narID, hash: Fixture.nar(1))),
            ])))
        #expect(fixture.catalog.writeGeneration == generation + 1)
        #expect(done.map(\.isNewNar) == [true, true, false, false])
        #expect(done.map(\.newChunkCount) == [2, 1, 0, 0])
        #expect(done[2].narID == done[0].narID && done[3].narID == first.narID)
        #expect(try fixture.present(cache, 1...6) == [1, 2, 3, 4, 5])
        #expect(try fixture.object(cache, 3)?.references.count == 1)
        #expect(try fixture.deadExtents().isEmpty)
        let extents = try fixture.catalog.read { session throws(DatabaseError) in try session.extents(ofNar: done[1].narID) }
        #expect(extents.map(\.offset) == [100, 200])
    }

    @Test(arguments: Kind.allCases)
    func `where one of several relies on what is gone, none of them is written`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let cache = try fixture.cache()
        try fixture.push(cache, 1)
        func commit(_ last: Commit.Path) throws -> CommitOutcome {
            try fixture.commit(Commit(
                uploadID: nil, packs: [PackState(name: "p", byteCount: 100, isSealed: false)],
                paths: [path(cache, 2, [Fixture.stored(2, "p", 0)]), last]))
        }
        #expect(try commit(path(cache, 3, [.known(id: 77, hash: Fixture.chunk(7))])) == .vanished([Fixture.chunk(7)]))
        #expect(try commit(Commit.Path(Fixture.object(cache, 3), naming: .existing(id: 9, hash: Fixture.nar(9)))) == .narVanished)
        #expect(try fixture.present(cache, 1...3) == [1])
        #expect(try fixture.count("nar") == 1 && fixture.count("chunk") == 1 && fixture.count("pack") == 1)
    }

    @Test(arguments: Kind.allCases)
    func `bytes that one path does not need live where another path of the upload does`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let cache = try fixture.cache()
        let first = try fixture.push(cache, 1, chunks: [Fixture.stored(1, "a", 0)])
        // NAR 1 is there, cut differently: of what is brought for it, chunk 8 is wanted by the next path, and 9 by none.
        let done = try committed(fixture.commit(Commit(
            uploadID: nil,
            paths: [
                path(cache, 5, nar: 1, [Fixture.stored(8, "b", 0), Fixture.stored(9, "b", 1)]),
                path(cache, 6, [Fixture.stored(8, "b", 0)]),
                path(cache, 7, nar: 1, [Fixture.stored(8, "b", 0), Fixture.stored(9, "b", 1)]),
            ])))
        #expect(done.map(\.isNewNar) == [false, true, false] && done[0].narID == first.narID)
        #expect(try fixture.deadExtents() == [StoredExtent(pack: "b", offset: 100, byteCount: 100)])
        #expect(try fixture.chunks([1, 8, 9]).count == 2)
    }
}
