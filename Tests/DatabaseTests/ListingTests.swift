import Database
import Testing

@Suite struct ListingTests {
    private static let listing = ListingRecord.text(frame: [1, 2, 3], byteCount: 50)

    private func pushed(_ fixture: Fixture, _ cache: CacheRecord, _ number: Int, _ listing: ListingRecord?) throws -> Int64 {
        var nar = Fixture.newNar(number)
        nar.listing = listing
        let outcome = try fixture.commit(Commit(
            uploadID: nil, chunks: [Fixture.stored(number, "p", number)], nar: nar, object: Fixture.object(cache, number)))
        guard case .committed(let committed) = outcome else { throw DatabaseError(.other, "push", "", "\(outcome)") }
        return committed[0].narID
    }

    private func find(_ fixture: Fixture, _ narID: Int64) throws -> ListingRecord? {
        try fixture.catalog.read { session throws(DatabaseError) in try session.findListing(ofNar: narID) }
    }

    @Test(arguments: Kind.allCases)
    func `a listing comes with its NAR, the first stays, and one that was missing is added`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let cache = try fixture.cache()
        let one = try pushed(fixture, cache, 1, Self.listing)
        #expect(try find(fixture, one) == Self.listing)
        #expect(try pushed(fixture, cache, 1, .none(reason: "another")) == one)
        #expect(try find(fixture, one) == Self.listing)

        let two = try pushed(fixture, cache, 2, nil)
        #expect(try find(fixture, two) == nil)
        #expect(try pushed(fixture, cache, 2, .none(reason: "it is large")) == two)
        #expect(try find(fixture, two) == ListingRecord.none(reason: "it is large"))
    }

    @Test(arguments: Kind.allCases)
    func `a listing goes with its NAR, and none is kept for a NAR that is gone`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let cache = try fixture.cache(retentionSeconds: 1)
        let ids = try (1...3).map { try pushed(fixture, cache, $0, Self.listing) }
        #expect(try fixture.count("nar_listing") == 3)
        #expect(try fixture.sweep().narCount == 3)
        #expect(try fixture.count("nar_listing") == 0)
        try fixture.catalog.write { session throws(DatabaseError) in try session.keepListing(Self.listing, ofNar: ids[0]) }
        #expect(try fixture.count("nar_listing") == 0)
    }
}
