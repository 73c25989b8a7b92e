import Database
import Platform
import Testing

/// Accesses that were noted: how many may wait, who settles them, and what a sweep does while there are some.
@Suite struct AccessNoteTests {
    func note(_ fixture: Fixture, _ cache: CacheRecord, _ paths: some Sequence<Int>, at seconds: Int, waitingMax: Int) throws {
        try fixture.catalog.noteAccesses(
            cache.id, paths.map { Fixture.path($0) }, at: Fixture.time(seconds), waitingMax: waitingMax)
    }

    @Test(arguments: Kind.allCases)
    func `who notes more than may wait settles as many as it added, and the newest first`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let cache = try fixture.cache()
        for path in [1, 2, 600] { try fixture.push(cache, path, at: 100) }
        try note(fixture, cache, [1, 2], at: 110, waitingMax: 3)
        try note(fixture, cache, 1...600, at: 120, waitingMax: 3)
        #expect(try fixture.count("access_note") == 3, "so many may wait")
        #expect(try fixture.object(cache, 1)?.lastAccessedAt == Fixture.time(100))
        try note(fixture, cache, [2], at: 130, waitingMax: 3)
        #expect(try fixture.count("access_note") == 3)
        #expect(try fixture.object(cache, 2)?.lastAccessedAt == Fixture.time(130))
        #expect(try fixture.object(cache, 1)?.lastAccessedAt == Fixture.time(100))
        try note(fixture, cache, 1...600, at: 140, waitingMax: 3)
        #expect(try fixture.count("access_note") == 3)
        for path in [1, 2, 600] { #expect(try fixture.object(cache, path)?.lastAccessedAt == Fixture.time(140)) }
        #expect(try fixture.catalog.settleAccesses())
        for path in [1, 2, 600] { #expect(try fixture.object(cache, path)?.lastAccessedAt == Fixture.time(140)) }
    }

    @Test(arguments: Kind.allCases)
    func `settling ends where it is told to, and says whether more waits`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let cache = try fixture.cache()
        try note(fixture, cache, 1...1201, at: 110, waitingMax: 100)
        var left = 2
        let isSettled = try fixture.catalog.settleAccesses {
            left -= 1
            return left >= 0
        }
        #expect(!isSettled)
        #expect(try fixture.count("access_note") == 1)
        #expect(try !fixture.catalog.settleAccesses { false })
        #expect(try fixture.catalog.settleAccesses())
        #expect(try fixture.catalog.settleAccesses { false }, "nothing waits")
    }

    @Test(arguments: Kind.allCases)
    func `no batch is deleted while more than one note waits, and a sweep settles them before`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let cache = try fixture.cache(retentionSeconds: 50)
        for path in 1...4 { try fixture.push(cache, path, at: 100) }
        let ids = try fixture.catalog.read { session throws(DatabaseError) in
            try session.expiredObjects(of: cache, defaultRetentionSeconds: 0, at: Fixture.time(200))
        }
        for path in 1...3 { try note(fixture, cache, [path], at: 190, waitingMax: 100) }
        let count = try fixture.catalog.write { session throws(DatabaseError) in
            try session.deleteObjects(ids, of: cache, defaultRetentionSeconds: 0, at: Fixture.time(200))
        }
        #expect(count == nil)
        #expect(try fixture.present(cache, 1...4) == [1, 2, 3, 4])
        #expect(try fixture.count("access_note") == 2)
        let report = try fixture.sweep(at: 200)
        #expect(report.objectCount == 1 && report.postponedCacheCount == 0)
        #expect(try fixture.present(cache, 1...4) == [1, 2, 3])
    }

    @Test(arguments: Kind.allCases)
    func `what is asked for between two batches of a sweep stays`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let cache = try fixture.cache(retentionSeconds: 50)
        for path in 1...6 { try fixture.push(cache, path, at: 100) }
        var isAsked = false
        let report = try fixture.catalog.sweepRows(time: Fixture.clock(200), defaultRetentionSeconds: 0, rowsMax: 2) { report in
            guard report.objectCount == 2, !isAsked else { return }
            isAsked = true
            for path in [1, 3, 4] {
                do { try note(fixture, cache, [path], at: 200, waitingMax: 100) } catch { Issue.record(error) }
            }
        }
        #expect(isAsked && report.objectCount == 3)
        #expect(try fixture.present(cache, 1...6) == [1, 3, 4])
    }

    @Test(arguments: Kind.allCases)
    func `a cache that is asked for without end keeps its objects, and the sweep goes on with the rest`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let cache = try fixture.cache(retentionSeconds: 50)
        let destroyed = try fixture.cache("destroyed", retentionSeconds: 0)
        try fixture.push(cache, 1, at: 100)
        try fixture.push(destroyed, 2, at: 100)
        try fixture.catalog.write { session throws(DatabaseError) in 
            _ = try session.destroyCache(destroyed.name, soft: false, at: Fixture.time(150))
        }
        try note(fixture, cache, [99], at: 200, waitingMax: .max)
        let report = try fixture.catalog.sweepRows(time: Fixture.clock(200), defaultRetentionSeconds: 0) { _ in
            do { try note(fixture, cache, [99], at: 200, waitingMax: .max) } catch { Issue.record(error) }
        }
        #expect(report.postponedCacheCount == 1)
        #expect(report.objectCount == 1 && report.narCount == 1 && report.chunkCount == 1, "the destroyed cache's")
        #expect(try fixture.present(cache, [1]) == [1])
        #expect(try fixture.sweep(at: 200).objectCount == 1)
    }

    @Test(arguments: Kind.allCases)
    func `a sweep that is told to stop while accesses wait has postponed no cache`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let cache = try fixture.cache(retentionSeconds: 50)
        try fixture.push(cache, 1, at: 100)
        try note(fixture, cache, [99], at: 200, waitingMax: .max)
        var hasSettled = false
        let report = try fixture.catalog.sweepRows(time: Fixture.clock(200), defaultRetentionSeconds: 0, between: { _ in
            do {
                hasSettled = try hasSettled || fixture.count("access_note") == 0
                if hasSettled { try note(fixture, cache, [99], at: 200, waitingMax: .max) }
            } catch { Issue.record(error) }
        }, while: { !hasSettled })
        #expect(hasSettled && report.postponedCacheCount == 0)
    }

    @Test(arguments: Kind.allCases)
    func `between the steps of a sweep it is known what is gone`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let cache = try fixture.cache(retentionSeconds: 50)
        for path in 1...3 { try fixture.push(cache, path, at: 100) }
        var counts: [Int] = []
        _ = try fixture.catalog.sweepRows(time: Fixture.clock(200), defaultRetentionSeconds: 0, rowsMax: 1) { report in
            if report.narCount == 0, report.objectCount > counts.last ?? 0 { counts.append(report.objectCount) }
        }
        #expect(counts == [1, 2, 3])
    }
}
