import Crypto
import Database
import Platform
import Testing

/// What a sweep finds may come to be needed before it is deleted.
@Suite struct SweepOrderTests {
    private func found(_ fixture: Fixture, _ cache: CacheRecord, limit: Int = .max) throws -> [Int64] {
        try fixture.catalog.read { session throws(DatabaseError) in
            try session.expiredObjects(of: cache, defaultRetentionSeconds: 0, at: Fixture.time(200), limit: limit)
        }
    }

    private func delete(_ fixture: Fixture, _ cache: CacheRecord, _ ids: [Int64]) throws -> ObjectDeletion? {
        try fixture.catalog.write { session throws(DatabaseError) in
            try session.deleteObjects(ids, of: cache, defaultRetentionSeconds: 0, at: Fixture.time(200))
        }
    }

    @Test(arguments: Kind.allCases)
    func `an object that is asked for after the search keeps all of its closure`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let cache = try fixture.cache(retentionSeconds: 50)
        try fixture.push(cache, 1, references: [1], at: 100)
        for path in 2...5 { try fixture.push(cache, path, references: [path - 1, path], at: 100) }
        let ids = try found(fixture, cache)
        #expect(ids.count == 5 && ids == ids.sorted(by: >))
        try fixture.catalog.write { session throws(DatabaseError) in
            try session.noteAccesses(cache.id, [Fixture.path(4)], at: Fixture.time(200))
        }
        let deletion = try #require(try delete(fixture, cache, ids))
        #expect(deletion.deletedCount == 1 && deletion.triedCount == 5)
        #expect(deletion.blockedIDs == Array(ids.dropFirst()))
        #expect(try fixture.present(cache, 1...5) == [1, 2, 3, 4])
        #expect(try fixture.sweep(at: 200).objectCount == 0)
        #expect(try fixture.present(cache, 1...5) == [1, 2, 3, 4])
        #expect(try fixture.sweep(at: 251).objectCount == 4)
    }

    @Test(arguments: Kind.allCases)
    func `a push that refers to what was found keeps that and all of its closure`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let cache = try fixture.cache(retentionSeconds: 50)
        for path in 1...4 { try fixture.push(cache, path, references: [path - 1], at: 100) }
        let ids = try found(fixture, cache)
        try fixture.push(cache, 9, references: [3], at: 200)
        #expect(try delete(fixture, cache, ids)?.deletedCount == 1)
        #expect(try fixture.present(cache, 1...9) == [1, 2, 3, 9])
    }

    @Test("objects go in one sweep in whatever order they were pushed", arguments: [1, 3, 500])
    func orders(batch: Int) throws {
        let fixture = try Fixture(.sqlite)
        let cache = try fixture.cache(retentionSeconds: 50)
        // A chain whose end came first, one that came back to front, and one out of order.
        for path in 1...9 { try fixture.push(cache, path, references: [path - 1], at: 100) }
        for path in (11...19).reversed() { try fixture.push(cache, path, references: [path - 1], at: 100) }
        for path in [25, 22, 28, 21, 26, 29, 24, 27, 23] { try fixture.push(cache, path, references: [path - 1], at: 100) }
        #expect(try fixture.sweep(at: 200, batch: batch).objectCount == 27)
        #expect(try fixture.count("object") == 0)
    }

    @Test("a ring goes with what is below it, and stays where something that lives is above it", arguments: [1, 500])
    func rings(batch: Int) throws {
        let fixture = try Fixture(.sqlite)
        let cache = try fixture.cache(retentionSeconds: 50)
        try fixture.push(cache, 1, at: 100)
        try fixture.push(cache, 2, references: [1, 4], at: 100)
        try fixture.push(cache, 3, references: [2], at: 100)
        try fixture.push(cache, 4, references: [3], at: 100)
        try fixture.push(cache, 5, references: [4], at: 190)
        #expect(try fixture.sweep(at: 200, batch: batch).objectCount == 0)
        #expect(try fixture.sweep(at: 300, batch: batch).objectCount == 5)
    }

    @Test(arguments: Kind.allCases)
    func `a search gives no more than it may, those first that were pushed last`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let cache = try fixture.cache(retentionSeconds: 50)
        for path in 1...5 { try fixture.push(cache, path, at: 100) }
        let all = try found(fixture, cache)
        #expect(try found(fixture, cache, limit: 2) == Array(all.prefix(2)))
    }

    @Test func `a place is dead from when its chunk went, however long before that the sweep began`() throws {
        let fixture = try Fixture(.sqlite)
        let cache = try fixture.cache(retentionSeconds: 50)
        try fixture.push(cache, 1, at: 100)
        let clock = Monitor(Fixture.time(200))
        let report = try fixture.catalog.sweepRows(
            time: TimeSource { clock.withLock { $0 } }, defaultRetentionSeconds: 0, between: { _ in clock.update { $0 = $0 + .seconds(100) } })
        #expect(report.chunkCount == 1)
        func deadCount(before seconds: Int) throws -> Int {
            try fixture.catalog.read { session throws(DatabaseError) in
                try session.deadExtents(limit: 10, before: Fixture.time(seconds), after: nil).count
            }
        }
        #expect(try deadCount(before: 300) == 0)
        #expect(try deadCount(before: 5000) == 1)
    }

    @Test("a sweep that is told to stop does so between two steps, and the next one goes on", arguments: 0...12)
    func stops(after steps: Int) throws {
        let fixture = try Fixture(.sqlite)
        let cache = try fixture.cache(retentionSeconds: 50)
        for path in 1...5 { try fixture.push(cache, path, references: [path - 1], at: 100) }
        var count = 0
        let first = try fixture.catalog.sweepRows(
            time: Fixture.clock(200), defaultRetentionSeconds: 0, rowsMax: 1, between: { _ in count += 1 }, while: { count < steps })
        #expect(count == steps)
        let second = try fixture.sweep(at: 200)
        #expect(first.objectCount + second.objectCount == 5 && first.narCount + second.narCount == 5)
        #expect(first.chunkCount + second.chunkCount == 5)
        #expect(try fixture.count("object") + fixture.count("nar") + fixture.count("chunk") == 0)
    }
}

/// No step of a sweep is larger than its limit, whatever one row brings with it.
@Suite struct SweepBoundTests {
    @Test(arguments: Kind.allCases)
    func `an upload of many holds ends in steps, and its row last`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let cache = try fixture.cache(retentionSeconds: 10)
        try fixture.push(cache, 1, chunks: (0..<7).map { Fixture.stored($0, "p", $0) })
        try fixture.push(cache, 20)
        try fixture.catalog.write { session throws(DatabaseError) in
            let upload = try session.beginUpload(expiresAt: Fixture.time(150))
            _ = try session.holdChunks(upload, (0..<7).map { Fixture.chunk($0) }, "zstd")
            _ = try session.holdNar(upload, Fixture.nar(20))
        }
        #expect(try fixture.sweep(at: 140).chunkCount == 0)
        var steps: [SweepStep] = []
        var holds: [Int64] = []
        repeat {
            steps.append(try fixture.catalog.write { session throws(DatabaseError) in
                try session.expireUploads(at: Fixture.time(150), limit: 3)
            })
            holds.append(try fixture.count("upload_hold"))
        } while steps.last?.isFinished == false
        #expect(steps.map(\.deletedCount).reduce(0, +) == 1)
        #expect(holds == [5, 2, 0] || holds == [5, 2, 0, 0])
        #expect(try fixture.count("upload") == 0)
        #expect(try fixture.sweep(at: 150).chunkCount == 8)
    }

    @Test(arguments: Kind.allCases)
    func `a pack of many dead extents is forgotten in steps, and not while a chunk lies in it`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let cache = try fixture.cache(retentionSeconds: 50)
        try fixture.push(cache, 1, chunks: (0..<9).map { Fixture.stored($0, "p", $0) }, at: 100)
        try fixture.push(cache, 2, chunks: [Fixture.stored(20, "p", 9)], at: 190)
        _ = try fixture.sweep(at: 200)
        func forget() throws -> ExtentsLeft {
            try fixture.catalog.write { session throws(DatabaseError) in try session.forgetDeadExtents(ofEmptyPack: "p", limit: 4) }
        }
        #expect(try forget() == .isUsed)
        #expect(try !fixture.catalog.forgetEmptyPack("p"))
        #expect(try fixture.deadExtents().count == 9)
        _ = try fixture.sweep(at: 300)
        #expect(try forget() == .some)
        #expect(try fixture.deadExtents().count == 6)
        #expect(try fixture.emptyPacks() == ["p"], "it is a candidate until it is forgotten")
        #expect(try fixture.catalog.forgetEmptyPack("p"))
        for table in ["pack", "pack_candidate", "dead_extent"] { #expect(try fixture.count(table) == 0, "\(table)") }
        #expect(try fixture.catalog.forgetEmptyPack("p"), "one that is not there")
    }

    @Test(arguments: Kind.allCases)
    func `packs in use are dropped from the candidates in steps`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let cache = try fixture.cache(retentionSeconds: 50)
        for path in 1...5 { try fixture.push(cache, path, chunks: [Fixture.stored(path, "p\(path)", 0)], at: 100) }
        for path in 2...3 { try fixture.push(cache, path + 10, chunks: [Fixture.stored(path + 10, "p\(path)", 1)], at: 190) }
        _ = try fixture.sweep(at: 200)
        #expect(try fixture.count("pack_candidate") == 5)
        var last: Int64? = 0
        var steps = 0
        while let after = last {
            last = try fixture.catalog.write { session throws(DatabaseError) in
                try session.dropUsedPackCandidates(after: after, limit: 2)
            }
            steps += 1
        }
        #expect(steps == 3)
        #expect(try fixture.count("pack_candidate") == 3)
        #expect(try fixture.emptyPacks() == ["p1", "p4", "p5"])
    }

    @Test("dead extents are listed by their places, from any one on", arguments: [1, 2, 3, 100])
    func places(limit: Int) throws {
        let fixture = try Fixture(.sqlite)
        let cache = try fixture.cache(retentionSeconds: 1)
        // Chunks get their numbers in another order than their places.
        for path in 1...3 {
            try fixture.push(cache, path, chunks: (0..<5).map { Fixture.stored(100 - 10 * path - $0 * 7 % 5, "p\(path % 2)", 5 * path + $0) })
        }
        _ = try fixture.sweep()
        var listed: [StoredExtent] = []
        var last: DeadExtent?
        while true {
            let after = last
            let some = try fixture.catalog.read { session throws(DatabaseError) in try session.deadExtents(limit: limit, after: after) }
            #expect(some.count <= limit)
            guard let end = some.last else { break }
            listed += some.map(\.extent)
            last = end
        }
        #expect(listed.count == 15 && Set(listed).count == 15)
        #expect(listed.map(\.pack) == Array(repeating: "p1", count: 10) + Array(repeating: "p0", count: 5))
        #expect(listed.prefix(10).map(\.offset) == listed.prefix(10).map(\.offset).sorted())
        #expect(listed.suffix(5).map(\.offset) == [1000, 1100, 1200, 1300, 1400])
    }
}
