import AtticAPI
import Database
import Nix
import Platform
import Testing

/// Build logs and realisations, what becomes of them, and of nothing else.
@Suite struct DocumentTests {
    func derivation(_ number: Int) throws -> StorePath { try StorePath(baseName: "\(Fixture.path(number))-d.drv") }

    func id(_ number: Int) throws -> RealisationID { .derivation(try derivation(number), output: "out") }

    /// The realisation of that number: its output is the path of that number.
    func realisation(_ number: Int, output: Int? = nil, signatures: [String] = []) throws -> Realisation {
        let output = output ?? number
        return Realisation(
            id: try id(number), outputPath: try StorePath(baseName: "\(Fixture.path(output))-p\(output)"), signatures: signatures)
    }

    @discardableResult
    func putLog(_ fixture: Fixture, _ cache: CacheRecord, _ number: Int, _ body: [UInt8] = [1], at seconds: Int = 100) throws -> Bool {
        let derivation = try derivation(number)
        return try fixture.catalog.write { session throws(DatabaseError) in
            try session.putBuildLog(cache.id, of: derivation, body: body, byteCount: 9, at: Fixture.time(seconds))
        }
    }

    func log(_ fixture: Fixture, _ cache: CacheRecord, _ number: Int) throws -> BuildLogRecord? {
        let derivation = try derivation(number)
        return try fixture.catalog.read { session throws(DatabaseError) in try session.findBuildLog(cache.id, of: derivation) }
    }

    @discardableResult
    func put(_ fixture: Fixture, _ cache: CacheRecord, _ new: Realisation, at seconds: Int = 100) throws -> RealisationOutcome {
        try fixture.catalog.write { session throws(DatabaseError) in
            try session.putRealisation(new, cache.id, signaturesMax: 3, at: Fixture.time(seconds))
        }
    }

    func find(_ fixture: Fixture, _ cache: CacheRecord, _ number: Int) throws -> Realisation? {
        let id = try id(number)
        return try fixture.catalog.read { session throws(DatabaseError) in try session.findRealisation(cache.id, id) }
    }

    @Test(arguments: Kind.allCases)
    func `a build log is the last that was put, of its cache alone`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let (cache, other) = (try fixture.cache(), try fixture.cache("other"))
        #expect(try putLog(fixture, cache, 1, [1, 2]) && putLog(fixture, cache, 1, [3]) && putLog(fixture, other, 2))
        #expect(try log(fixture, cache, 1)?.body == [3])
        #expect(try log(fixture, cache, 1)?.byteCount == 9)
        #expect(try log(fixture, cache, 2) == nil && log(fixture, other, 1) == nil)
        #expect(try fixture.count("build_log_body") == 2)
    }

    @Test("build logs go one retention period after they were last read", arguments: Kind.allCases, [1, 500])
    func expiry(kind: Kind, batch: Int) throws {
        let fixture = try Fixture(kind)
        let (cache, other) = (try fixture.cache(retentionSeconds: 50), try fixture.cache("other"))
        for number in 1...25 { try putLog(fixture, cache, number) }
        try putLog(fixture, other, 1)
        let read = try #require(try log(fixture, cache, 1))
        try fixture.catalog.write { session throws(DatabaseError) in
            try session.touchBuildLogs([(id: read.id, at: Fixture.time(140)), (id: read.id, at: Fixture.time(90))])
        }
        #expect(try fixture.sweep(at: 150, batch: batch).buildLogCount == 0)
        #expect(try fixture.sweep(at: 151, batch: batch).buildLogCount == 24)
        #expect(try log(fixture, cache, 1) != nil && log(fixture, cache, 2) == nil)
        #expect(try fixture.sweep(at: 191, batch: batch).buildLogCount == 1)
        #expect(try log(fixture, other, 1) != nil)
        #expect(try fixture.count("build_log_body") == 1)
    }

    @Test(arguments: Kind.allCases)
    func `a step of a sweep frees a bounded number of bytes of large build logs`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let cache = try fixture.cache(retentionSeconds: 50)
        for number in 1...5 { try putLog(fixture, cache, number, [UInt8](repeating: 7, count: 6 << 20)) }
        let step = try fixture.catalog.write { session throws(DatabaseError) in
            try session.deleteExpiredBuildLogs(of: cache.name, defaultRetentionSeconds: 0, at: Fixture.time(151), limit: 50)
        }
        // Three have more than 16 MiB.
        #expect(step.deletedCount == 3 && !step.isFinished)
        #expect(try fixture.sweep(at: 151).buildLogCount == 2)
    }

    @Test(arguments: Kind.allCases)
    func `realisations that agree are merged, and one that contradicts is taken where its rival's path is gone`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let cache = try fixture.cache()
        let (a, b) = ("a:\(String(repeating: "A", count: 86))==", "b:\(String(repeating: "A", count: 86))==")
        #expect(try put(fixture, cache, realisation(1, signatures: [a])) == .stored)
        #expect(try put(fixture, cache, realisation(1, signatures: [b, a])) == .stored)
        #expect(try find(fixture, cache, 1)?.signatures == [a, b])
        try fixture.push(cache, 1)
        let contradiction = try realisation(1, output: 2)
        #expect(try put(fixture, cache, contradiction) == .contradicts(realisation(1).outputPath))
        #expect(try find(fixture, cache, 1)?.outputPath == realisation(1).outputPath)
        // Another cache has its own.
        let other = try fixture.cache("other")
        #expect(try put(fixture, other, contradiction) == .stored)
        // Nothing came of the first one there.
        #expect(try put(fixture, other, realisation(1)) == .stored)
        #expect(try find(fixture, other, 1) == realisation(1))
    }

    @Test(arguments: Kind.allCases)
    func `a realisation goes with the object of its output, not within a day`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let cache = try fixture.cache(retentionSeconds: 50)
        let day = 24 * 3600
        try fixture.push(cache, 1, at: 100)
        try fixture.push(cache, 2, at: 2 * day)
        for number in 1...3 { try put(fixture, cache, realisation(number), at: 100) }
        // 1 has lost its object, 2 has it, 3 never had one.
        #expect(try fixture.sweep(at: day).objectCount == 1)
        #expect(try (1...3).map { try find(fixture, cache, $0) != nil } == [true, true, true])
        #expect(try fixture.sweep(at: day + 99).realisationCount == 0)
        // 3's comes at last; of another cache it would not count.
        let other = try fixture.cache("other")
        try fixture.push(other, 1, at: 2 * day)
        try fixture.push(cache, 3, at: 2 * day)
        #expect(try fixture.sweep(at: day + 100).realisationCount == 1)
        #expect(try (1...3).map { try find(fixture, cache, $0) != nil } == [false, true, true])
        #expect(try fixture.count("realisation_candidate") == 0)
        #expect(try fixture.sweep(at: 3 * day).realisationCount == 2)
        #expect(try fixture.count("realisation") == 0 && fixture.count("realisation_candidate") == 0)
    }

    @Test("a destroyed cache loses what it had, and one that was destroyed softly keeps it", arguments: Kind.allCases, [true, false])
    func destroyed(kind: Kind, soft: Bool) throws {
        let fixture = try Fixture(kind)
        let cache = try fixture.cache()
        for number in 1...7 {
            try putLog(fixture, cache, number)
            try put(fixture, cache, realisation(number))
        }
        try fixture.push(cache, 1)
        let name = cache.name
        #expect(try fixture.catalog.write { session throws(DatabaseError) in
            try session.destroyCache(name, soft: soft, at: Fixture.time(100))
        })
        #expect(try !putLog(fixture, cache, 8))
        #expect(try put(fixture, cache, realisation(8)) == .noSuchCache)
        _ = try fixture.sweep(at: 200, batch: 3)
        for table in ["build_log", "build_log_body", "realisation"] { #expect(try fixture.count(table) == (soft ? 7 : 0), "\(table)") }
        #expect(try fixture.count("cache") == (soft ? 1 : 0))
    }
}
