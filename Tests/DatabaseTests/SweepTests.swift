import Crypto
import Database
import Platform
import Testing

@Suite struct SweepTests {
    @Test(arguments: Kind.allCases)
    func `an expired object in the closure of a living one stays`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let cache = try fixture.cache(retentionSeconds: 50)
        // 1 (living) -> 2 -> 3 -> 4, with a cycle 3 <-> 5 and self references; 6 -> 3 and 7 <-> 8 have expired.
        try fixture.push(cache, 1, references: [1, 2], at: 190)
        try fixture.push(cache, 2, references: [2, 3, 99], at: 100)
        try fixture.push(cache, 3, references: [4, 5], at: 100)
        try fixture.push(cache, 4, references: [4], at: 100)
        try fixture.push(cache, 5, references: [3], at: 100)
        try fixture.push(cache, 6, references: [3], at: 100)
        try fixture.push(cache, 7, references: [8], at: 100)
        try fixture.push(cache, 8, references: [7, 8], at: 100)
        // Living by a pull, not by its creation, and in another's closure through living objects only.
        let pulled = try #require(try fixture.push(cache, 9, references: [10], at: 100).objectID)
        try fixture.push(cache, 10, at: 100)
        try fixture.catalog.write { session throws(DatabaseError) in
            try session.touchObjects([(objectID: pulled, at: Fixture.time(180))])
        }
        #expect(try fixture.sweep(at: 200).objectCount == 3)
        #expect(try fixture.present(cache, 1...10) == [1, 2, 3, 4, 5, 9, 10])
        #expect(try fixture.sweep(at: 235).objectCount == 2)
        #expect(try fixture.present(cache, 1...10) == [1, 2, 3, 4, 5])
        let report = try fixture.sweep(at: 500)
        #expect(report.objectCount == 5 && report.chunkCount == 5)
        #expect(try fixture.count("object_reference") == 0)
    }

    @Test(arguments: Kind.allCases)
    func `another cache's living objects keep nothing`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let (cache, other) = (try fixture.cache(retentionSeconds: 50), try fixture.cache("other", retentionSeconds: 0))
        try fixture.push(cache, 1, at: 100)
        try fixture.push(other, 2, references: [1], at: 190)
        #expect(try fixture.sweep(at: 200).objectCount == 1)
        #expect(try fixture.present(cache, [1]).isEmpty)
    }

    @Test("retention of a cache goes before the default, and 0 is never", arguments: [
        (nil, 0, 1), (nil, 50, 0), (0, 50, 1), (1000, 50, 1), (50, 0, 0), (.max, 0, 1),
    ] as [(Int64?, Int64, Int)])
    func periods(own: Int64?, byDefault: Int64, left: Int) throws {
        let fixture = try Fixture(.sqlite)
        let cache = try fixture.cache(retentionSeconds: own)
        try fixture.push(cache, 1, at: 100)
        _ = try fixture.sweep(at: 200, retention: byDefault)
        #expect(try fixture.present(cache, [1]).count == left)
    }

    @Test(arguments: Kind.allCases)
    func `an object that was pulled, or referred to, after the search stays`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let cache = try fixture.cache(retentionSeconds: 50)
        for path in 1...3 { try fixture.push(cache, path, at: 100) }
        let ids = try fixture.catalog.read { session throws(DatabaseError) in
            try session.expiredObjects(of: cache, defaultRetentionSeconds: 0, at: Fixture.time(200))
        }
        #expect(ids.count == 3)
        try fixture.catalog.write { session throws(DatabaseError) in
            try session.noteAccesses(cache.id, [Fixture.path(1)], at: Fixture.time(200))
        }
        try fixture.push(cache, 4, references: [2], at: 200)
        let count = try fixture.catalog.write { session throws(DatabaseError) in
            try session.deleteObjects(ids, of: cache, defaultRetentionSeconds: 0, at: Fixture.time(200))
        }
        #expect(count?.deletedCount == 1)
        #expect(try fixture.present(cache, 1...4) == [1, 2, 4])
    }

    @Test(arguments: Kind.allCases, [1, 2, 7, 500])
    func `three levels go in batches of any size`(kind: Kind, batch: Int) throws {
        let fixture = try Fixture(kind)
        let cache = try fixture.cache(retentionSeconds: 50)
        // Thirty NARs of five chunks; neighbours share two of them.
        for path in 1...30 {
            let chunks = (0..<5).map { Fixture.stored(path * 3 + $0, "pack-\(path)", $0) }
            try fixture.push(cache, path, chunks: chunks, at: path <= 20 ? 100 : 190)
        }
        let shared = try fixture.deadExtents().count
        #expect(shared == 58)
        let report = try fixture.sweep(at: 200, batch: batch)
        #expect(report.objectCount == 20 && report.narCount == 20)
        // Chunks 3...64; those from 63 belong to path 21 as well.
        #expect(report.chunkCount == 60)
        #expect(try fixture.deadExtents().count == shared + 60)
        #expect(try fixture.present(cache, 1...30) == Array(21...30))
        for path in 21...30 {
            let narID = try #require(try fixture.object(cache, path)).nar.id
            #expect(try fixture.catalog.read { session throws(DatabaseError) in try session.extents(ofNar: narID) }.count == 5)
        }
        for table in ["nar_candidate", "chunk_candidate"] { #expect(try fixture.count(table) == 0) }
        #expect(try fixture.sweep(at: 200, batch: batch) == SweepReport())
        // Pack 20 still holds the first two chunks of path 21.
        #expect(try fixture.emptyPacks().count == 19)
    }

    @Test(arguments: Kind.allCases)
    func `after everything is collected nothing is left but empty packs`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let cache = try fixture.cache(retentionSeconds: 1)
        for path in 1...5 { try fixture.push(cache, path, references: [1, path]) }
        _ = try fixture.sweep()
        for table in ["object", "object_reference", "nar", "chunk", "chunk_reference"] {
            #expect(try fixture.count(table) == 0, "\(table)")
        }
        var names: [String] = []
        while true {
            let last = names.last ?? ""
            let some = try fixture.catalog.write { session throws(DatabaseError) in
                try session.emptyPacks(limit: 2, after: last)
            }
            if some.isEmpty { break }
            names += some
        }
        #expect(names == (1...5).map { "pack-\($0)" })
        for name in names {
            #expect(try fixture.catalog.write { session throws(DatabaseError) in try session.forgetPack(name) })
        }
        for table in ["pack", "pack_candidate", "dead_extent"] { #expect(try fixture.count(table) == 0, "\(table)") }
    }

    @Test(arguments: Kind.allCases)
    func `dead extents survive a crash, and are given until they are forgotten`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let cache = try fixture.cache(retentionSeconds: 1)
        for path in 1...3 { try fixture.push(cache, path) }
        _ = try fixture.sweep(at: 200)
        let after = try fixture.crashed()
        func list(limit: Int, before seconds: Int) throws -> [DeadExtent] {
            try after.catalog.read { session throws(DatabaseError) in
                try session.deadExtents(limit: limit, before: Fixture.time(seconds))
            }
        }
        #expect(try list(limit: 10, before: 200).isEmpty, "who reads one may still be reading")
        let first = try list(limit: 2, before: 201)
        #expect(first.map(\.extent.pack) == ["pack-1", "pack-2"])
        try after.catalog.write { session throws(DatabaseError) in try session.forgetDeadExtents(first.map(\.id)) }
        #expect(try list(limit: 10, before: 201).map(\.extent.pack) == ["pack-3"])
        #expect(try after.emptyPacks().count == 3, "a pack stays a candidate without its extents")
    }

    @Test(arguments: Kind.allCases)
    func `a sweep that was killed goes on where it was`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let cache = try fixture.cache(retentionSeconds: 1)
        try fixture.push(cache, 1, chunks: (0..<10).map { Fixture.stored($0, "p", $0) })
        let step = try fixture.catalog.write { session throws(DatabaseError) in
            let ids = try session.expiredObjects(of: cache, defaultRetentionSeconds: 0, at: Fixture.time(200))
            _ = try session.deleteObjects(ids, of: cache, defaultRetentionSeconds: 0, at: Fixture.time(200))
            return try session.deleteOrphanNars(limit: 3)
        }
        #expect(step.deletedCount == 1 && !step.isFinished)
        let after = try fixture.crashed()
        #expect(try after.count("nar") == 0 && after.count("chunk_reference") == 7)
        let report = try after.sweep(at: 200)
        #expect(report.narCount == 0 && report.chunkCount == 10)
        #expect(try after.count("chunk_reference") == 0)
    }
}
