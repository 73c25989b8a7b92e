import Database
import Nix
import Testing

/// Many objects at once.
@Suite struct ObjectListTests {
    static let wide = CatalogSession.ObjectListBounds(countMax: 100, byteCountMax: 1 << 20)

    func found(
        _ fixture: Fixture, _ cache: CacheRecord, _ paths: [Int], _ bounds: CatalogSession.ObjectListBounds = wide
    ) throws -> [String]? {
        try fixture.catalog.read { session throws(DatabaseError) in
            try session.findObjects(cache.id, paths.map(Fixture.path), bounds)
        }?.map(\.storePath)
    }

    func closure(
        _ fixture: Fixture, _ cache: CacheRecord, _ path: Int, _ bounds: CatalogSession.ObjectListBounds = wide
    ) throws -> [StorePathHash]? {
        try fixture.catalog.read { session throws(DatabaseError) in
            try session.closure(cache.id, [Fixture.path(path)], bounds)
        }?.map(\.storePathHash)
    }

    @Test(arguments: Kind.allCases)
    func `those of many paths that a cache has are found, and no other cache's`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let (main, other) = (try fixture.cache(), try fixture.cache("other"))
        for path in 1...20 { try fixture.push(main, path) }
        try fixture.push(other, 21)
        #expect(try found(fixture, main, [21, 5, 99, 3])?.sorted() == [3, 5].map { "/nix/store/\(Fixture.path($0))-p\($0)" })
        #expect(try found(fixture, main, []) == [])
        #expect(try found(fixture, main, Array(1...20))?.count == 20)
    }

    @Test(arguments: Kind.allCases)
    func `a closure is in the order of its references, nearest first, each path once, whatever the circles`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let (main, other) = (try fixture.cache(), try fixture.cache("other"))
        // 1 needs 4 and 3, 4 needs 2 and itself, 3 needs 2 and 9, which only the other cache has; 2 needs 1.
        try fixture.push(main, 1, references: [4, 3])
        try fixture.push(main, 4, references: [2, 4])
        try fixture.push(main, 3, references: [2, 9])
        try fixture.push(main, 2, references: [1])
        try fixture.push(main, 8, references: [2])
        try fixture.push(other, 9)
        #expect(try closure(fixture, main, 1) == [1, 4, 3, 2].map(Fixture.path))
        #expect(try closure(fixture, main, 2) == [2, 1, 4, 3].map(Fixture.path))
        #expect(try closure(fixture, main, 9) == [])
        #expect(try closure(fixture, other, 9) == [Fixture.path(9)])
        let both = try fixture.catalog.read { session throws(DatabaseError) in
            try session.closure(main.id, [2, 7, 8].map(Fixture.path), Self.wide)
        }
        #expect(both?.map(\.storePathHash) == [2, 8, 1, 4, 3].map(Fixture.path))
    }

    @Test(arguments: Kind.allCases)
    func `what is beyond the bounds is not made, but said to be too much`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let main = try fixture.cache()
        for path in 1...10 { try fixture.push(main, path, references: path > 1 ? [path - 1] : []) }
        let few = CatalogSession.ObjectListBounds(countMax: 9, byteCountMax: 1 << 20)
        let small = CatalogSession.ObjectListBounds(countMax: 100, byteCountMax: 4000)
        #expect(try closure(fixture, main, 9, few)?.count == 9)
        #expect(try closure(fixture, main, 10, few) == nil)
        #expect(try closure(fixture, main, 10, small) == nil)
        #expect(try closure(fixture, main, 5, small)?.count == 5)
        #expect(try found(fixture, main, Array(1...10), small) == nil)
        #expect(try found(fixture, main, Array(1...5), small)?.count == 5)
    }
}
