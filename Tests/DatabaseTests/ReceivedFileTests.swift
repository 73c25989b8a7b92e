import Platform
import SQL
import Testing

@testable import Database

/// Files that plain Nix pushed, which hold a NAR until its narinfo comes.
@Suite struct ReceivedFileTests {
    static func commit(_ cache: CacheRecord, _ file: Int, nar: Int = 1, at seconds: Int = 100, until: Int = 1000) -> Commit {
        let new = NewReceivedFile(
            cacheID: cache.id, fileHash: Fixture.file(1000 + file), fileSize: 300, coding: "xz", receivedAt: Fixture.time(seconds),
            heldUntil: Fixture.time(until))
        return Commit(uploadID: nil, file: Commit.File(new, naming: .uploaded(Fixture.newNar(nar), chunks: [Fixture.stored(nar, "pack-\(nar)", 0)])))
    }

    func find(_ fixture: Fixture, _ cache: CacheRecord, _ file: Int) throws -> ReceivedFile? {
        try fixture.catalog.read { session throws(DatabaseError) in
            try session.findReceivedFile(Fixture.file(1000 + file), cacheID: cache.id)
        }
    }

    func hasReceived(_ fixture: Fixture, _ cache: CacheRecord, _ narID: Int64) throws -> Bool {
        try fixture.catalog.read { session throws(DatabaseError) in try session.hasReceived(narID: narID, cacheID: cache.id) }
    }

    @Test("a file is found in the cache that it was sent to, and keeps its NAR until its time", arguments: Kind.allCases)
    func held(_ kind: Kind) throws {
        let fixture = try Fixture(kind)
        let (mine, other) = (try fixture.cache("mine"), try fixture.cache("other"))
        guard case .committed(let committed) = try fixture.commit(Self.commit(mine, 1)) else { throw DatabaseError(.other, "", "", "") }
        #expect(committed.count == 1 && committed[0].objectID == nil && committed[0].isNewNar)
        let found = try #require(try find(fixture, mine, 1))
        #expect(found.coding == "xz" && found.nar.narHash == Fixture.nar(1) && found.objectID == nil)
        #expect(try find(fixture, other, 1) == nil)
        for (seconds, isFound) in [(999, true), (1000, false)] {
            let late = try fixture.catalog.read { session throws(DatabaseError) in
                try session.findReceivedFile(Fixture.file(1001), cacheID: mine.id, heldBeyond: Fixture.time(seconds))
            }
            #expect((late != nil) == isFound)
        }
        #expect(try hasReceived(fixture, mine, found.nar.id))
        #expect(try !hasReceived(fixture, other, found.nar.id))

        #expect(try fixture.sweep(at: 999) == SweepReport())
        let swept = try fixture.sweep(at: 1000)
        #expect(swept.fileCount == 1 && swept.narCount == 1 && swept.chunkCount == 1)
        #expect(try find(fixture, mine, 1) == nil)
        #expect(try fixture.count("received_file") == 0)
    }

    @Test("an object that comes to name the NAR keeps it, and the file goes when that does", arguments: Kind.allCases)
    func named(_ kind: Kind) throws {
        let fixture = try Fixture(kind)
        let (mine, other) = (try fixture.cache("mine", retentionSeconds: 500), try fixture.cache("other"))
        _ = try fixture.commit(Self.commit(mine, 1))
        let nar = try #require(try find(fixture, mine, 1)).nar
        let outcome = try fixture.commit(Commit(existingNarID: nar.id, hash: nar.narHash, object: Fixture.object(mine, 1)))
        guard case .committed(let committed) = outcome else { throw DatabaseError(.other, "", "", "\(outcome)") }
        #expect(try find(fixture, mine, 1)?.objectID == committed[0].objectID)
        _ = try fixture.commit(Commit(existingNarID: nar.id, hash: nar.narHash, object: Fixture.object(other, 1)))

        // Nothing holds it any more but the objects: one goes by age, and the NAR lives on by the other.
        let swept = try fixture.sweep(at: 601)
        #expect(swept.objectCount == 1 && swept.narCount == 0 && swept.fileCount == 0)
        #expect(try find(fixture, mine, 1) == nil)
        #expect(try !hasReceived(fixture, mine, nar.id))
        // Sent once more, it is there once more; when its time comes without a narinfo its row goes, and the NAR stays.
        _ = try fixture.commit(Self.commit(mine, 1, at: 700, until: 800))
        #expect(try find(fixture, mine, 1)?.nar.id == nar.id)
        #expect(try fixture.sweep(at: 800).narCount == 0)
        #expect(try fixture.count("received_file") == 0)
        #expect(try fixture.object(other, 1) != nil)
    }

    @Test("a file that comes again after its narinfo outlives its hold", arguments: Kind.allCases)
    func again(_ kind: Kind) throws {
        let fixture = try Fixture(kind)
        let cache = try fixture.cache()
        _ = try fixture.commit(Self.commit(cache, 1))
        let nar = try #require(try find(fixture, cache, 1)).nar
        _ = try fixture.commit(Commit(existingNarID: nar.id, hash: nar.narHash, object: Fixture.object(cache, 1)))
        let outcome = try fixture.commit(Self.commit(cache, 1, at: 200, until: 1200))
        guard case .committed(let again) = outcome else {
            Issue.record("the file that comes again is not taken: \(outcome)")
            return
        }
        #expect(!again[0].isNewNar && !again[0].isRewritten)
        #expect(try fixture.sweep(at: 1200).fileCount == 1)
        #expect(try find(fixture, cache, 1)?.objectID != nil)
    }

    @Test("a file that comes to stand for another NAR lets go of the first", arguments: Kind.allCases)
    func moved(_ kind: Kind) throws {
        let fixture = try Fixture(kind)
        let cache = try fixture.cache()
        _ = try fixture.commit(Self.commit(cache, 1, nar: 1))
        _ = try fixture.commit(Self.commit(cache, 1, nar: 2))
        #expect(try find(fixture, cache, 1)?.nar.narHash == Fixture.nar(2))
        #expect(try fixture.sweep(at: 500).narCount == 1)
        #expect(try fixture.count("nar") == 1)
    }

    @Test("of one NAR a cache remembers the newest files, and few of them", arguments: Kind.allCases)
    func bounded(_ kind: Kind) throws {
        let fixture = try Fixture(kind)
        let cache = try fixture.cache()
        for file in 1...20 { _ = try fixture.commit(Self.commit(cache, file, at: 100 + file)) }
        #expect(try fixture.count("received_file") == Int64(CatalogSession.receivedFilesPerNarMax))
        #expect(try find(fixture, cache, 4) == nil)
        #expect(try find(fixture, cache, 5) != nil && find(fixture, cache, 20) != nil)
    }

    @Test("a cache that was destroyed takes no files, and those that it had end with their time", arguments: Kind.allCases)
    func destroyed(_ kind: Kind) throws {
        let fixture = try Fixture(kind)
        let cache = try fixture.cache()
        _ = try fixture.commit(Self.commit(cache, 1))
        _ = try fixture.catalog.write { session throws(DatabaseError) in
            try session.destroyCache(cache.name, soft: false, at: Fixture.time(150))
        }
        #expect(try fixture.commit(Self.commit(cache, 2)) == .noSuchCache)
        #expect(try fixture.sweep(at: 999).narCount == 0)
        #expect(try fixture.sweep(at: 1000).narCount == 1)
        #expect(try fixture.count("received_file") == 0)
    }
}
