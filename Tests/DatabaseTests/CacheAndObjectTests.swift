import Crypto
import Database
import Nix
import Platform
import Testing

@Suite struct CacheTests {
    @Test(arguments: Kind.allCases)
    func `a cache comes back as it was made`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let new = NewCache(
            name: Fixture.name("main"), keypair: "main:abc", isPublic: true, storeDirectory: "/nix/store", priority: 41,
            upstreamCacheKeyNames: ["cache.nixos.org-1", "other"], retentionSeconds: 77, createdAt: Fixture.time(5))
        #expect(try fixture.catalog.write { session throws(DatabaseError) in try session.createCache(new) })
        #expect(try !fixture.catalog.write { session throws(DatabaseError) in try session.createCache(new) })
        let found = try #require(try fixture.catalog.read { session throws(DatabaseError) in
            try session.findCache(new.name)
        })
        #expect(found.name == new.name && found.keypair == "main:abc" && found.isPublic)
        #expect(found.storeDirectory == "/nix/store" && found.priority == 41)
        #expect(found.upstreamCacheKeyNames == ["cache.nixos.org-1", "other"])
        #expect(found.retentionSeconds == 77 && found.createdAt == Fixture.time(5))
        #expect(try fixture.catalog.read { session throws(DatabaseError) in
            try session.findCache(Fixture.name("other")) } == nil)
    }

    @Test(arguments: Kind.allCases)
    func `only what is named of a cache changes`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let before = try fixture.cache(retentionSeconds: 9)
        func change(_ changes: CacheChanges) throws -> CacheRecord? {
            #expect(try fixture.catalog.write { session throws(DatabaseError) in
                try session.changeCache(before.name, changes)
            })
            return try fixture.catalog.read { session throws(DatabaseError) in try session.findCache(before.name) }
        }
        #expect(try change(CacheChanges()) == before)
        let changed = try #require(try change(CacheChanges(
            keypair: "k", isPublic: true, storeDirectory: "/s", priority: 1, upstreamCacheKeyNames: ["a"])))
        #expect(changed.keypair == "k" && changed.isPublic && changed.storeDirectory == "/s" && changed.priority == 1)
        #expect(changed.upstreamCacheKeyNames == ["a"] && changed.retentionSeconds == 9)
        #expect(try change(CacheChanges(isPublic: false, upstreamCacheKeyNames: []))?.upstreamCacheKeyNames == [])
        #expect(try change(CacheChanges(retention: .seconds(0)))?.retentionSeconds == 0)
        #expect(try change(CacheChanges(retention: .global))?.retentionSeconds == nil)
        #expect(try !fixture.catalog.write { session throws(DatabaseError) in
            try session.changeCache(Fixture.name("none"), CacheChanges(priority: 3))
        })
    }

    @Test(arguments: Kind.allCases)
    func `caches are listed by name`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        for name in ["b", "a", "c"] { try fixture.cache(name) }
        let names = try fixture.catalog.read { session throws(DatabaseError) in try session.listCaches() }.map(\.name.rawValue)
        #expect(names == ["a", "b", "c"])
    }

    @Test(arguments: Kind.allCases, [true, false])
    func `a destroyed cache frees its name, and its objects go, unless it was soft`(kind: Kind, soft: Bool) throws {
        let fixture = try Fixture(kind)
        let first = try fixture.cache()
        for path in 1...7 { try fixture.push(first, path) }
        func destroy() throws -> Bool {
            try fixture.catalog.write { session throws(DatabaseError) in
                try session.destroyCache(first.name, soft: soft, at: Fixture.time(150))
            }
        }
        #expect(try destroy())
        #expect(try !destroy())
        // Of a soft one the name stays taken.
        let again = NewCache(
            name: first.name, keypair: "again:key", isPublic: false, storeDirectory: "/nix/store", priority: 41, retentionSeconds: nil,
            createdAt: Fixture.time(151))
        let isFree = try fixture.catalog.write { session throws(DatabaseError) in try session.createCache(again) }
        #expect(isFree != soft)
        let second = soft
            ? try fixture.cache("second")
            : try #require(try fixture.catalog.read { session throws(DatabaseError) in try session.findCache(first.name) })
        #expect(second.id != first.id)
        try fixture.push(second, 1)
        #expect(try fixture.commit(Commit(existingNarID: 1, hash: Fixture.nar(1), object: Fixture.object(first, 1))) == .noSuchCache)

        let report = try fixture.sweep(batch: 3)
        #expect(report.objectCount == (soft ? 0 : 7))
        #expect(report.narCount == (soft ? 0 : 6), "the second cache keeps one NAR")
        #expect(try fixture.count("cache") == (soft ? 2 : 1))
        #expect(try fixture.count("object_reference") == 0)
        #expect(try fixture.present(second, 1...7) == [1])
        #expect(try fixture.emptyPacks().count == (soft ? 0 : 6))
    }
}

@Suite struct ObjectTests {
    @Test(arguments: Kind.allCases)
    func `an object comes back as it was pushed`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let cache = try fixture.cache()
        var new = Fixture.object(cache, 1, references: [1, 2, 3], signatures: ["a:1", "b:2"])
        new.system = "x86_64-linux"
        new.deriver = "x.drv"
        new.ca = "fixed:r:sha256:abc"
        let outcome = try fixture.commit(Commit(
            uploadID: nil, packs: [PackState(name: "p", byteCount: 300, isSealed: false)],
            chunks: [Fixture.stored(1, "p", 0), Fixture.stored(2, "p", 1), Fixture.stored(1, "p", 0)],
            nar: Fixture.newNar(1), object: new))
        guard case .committed(let paths) = outcome, let committed = paths.first else {
            Issue.record("not committed: \(outcome)")
            return
        }
        #expect(committed.isNewNar && committed.newChunkCount == 2)
        let found = try #require(try fixture.object(cache, 1))
        #expect(found.id == committed.objectID && found.cacheID == cache.id)
        #expect(found.storePathHash == new.storePathHash && found.storePath == new.storePath)
        #expect(found.references == new.references && found.signatures == ["a:1", "b:2"])
        #expect(found.system == new.system && found.deriver == new.deriver && found.ca == new.ca)
        #expect(found.createdAt == new.at && found.lastAccessedAt == new.at)
        #expect(found.nar.narHash == Fixture.nar(1) && found.nar.narSize == 1000)
        #expect(found.nar.fileHash == Fixture.file(1) && found.nar.fileSize == 500)
        #expect(found.nar.compression == "zstd" && found.nar.chunkCount == 3 && !found.nar.isDamaged)
        let extents = try fixture.catalog.read { session throws(DatabaseError) in try session.extents(ofNar: found.nar.id) }
        #expect(extents.map(\.offset) == [0, 100, 0])
        #expect(try fixture.deadExtents().isEmpty, "a chunk that comes twice and was stored once is no dead bytes")
        let chunks = try fixture.catalog.read { session throws(DatabaseError) in try session.chunks(ofNar: found.nar.id) }
        #expect(chunks.map(\.hash) == [1, 2, 1].map { Fixture.chunk($0) })
        #expect(chunks[1].byteCount == 200 && chunks[1].storedByteCount == 100 && chunks[1].compression == "zstd")
    }

    @Test(arguments: Kind.allCases)
    func `pushing again replaces all but merges signatures`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let cache = try fixture.cache()
        let first = try fixture.push(cache, 1)
        for (signatures, at) in [(["a:1", "b:2"], 110), (["b:2", "c:3"], 120)] {
            let object = Fixture.object(cache, 1, references: [5], signatures: signatures, at: at)
            #expect(try fixture.catalog.write { session throws(DatabaseError) in
                try session.putObject(object, first.narID) } == first.objectID)
        }
        let found = try #require(try fixture.object(cache, 1))
        #expect(found.signatures == ["a:1", "b:2", "c:3"])
        #expect(found.createdAt == Fixture.time(120) && found.lastAccessedAt == Fixture.time(120))
        #expect(found.references == ["\(Fixture.path(5))-p5"])
        #expect(try fixture.count("object_reference") == 1)
        #expect(try fixture.catalog.read { session throws(DatabaseError) in try session.objectCount(cache.id) } == 1)
    }

    @Test(arguments: Kind.allCases)
    func `an object keeps a bounded number of signatures, and none that were over another NAR`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let cache = try fixture.cache()
        let first = try fixture.push(cache, 1, nar: 1)
        let second = try fixture.push(cache, 2, nar: 2)
        func put(_ signatures: [String], _ narID: Int64) throws -> [String]? {
            let object = Fixture.object(cache, 1, references: [], signatures: signatures, at: 130)
            _ = try fixture.catalog.write { session throws(DatabaseError) in try session.putObject(object, narID) }
            return try fixture.object(cache, 1)?.signatures
        }
        for round in 0..<5 { _ = try put((0..<40).map { "key-\(round):\($0)" }, first.narID) }
        let kept = try put([], first.narID)
        #expect(kept?.count == NewObject.signaturesMax && kept?.contains("key-0:0") == true)
        #expect(try put(["new:1"], second.narID) == ["new:1"])
    }

    @Test(arguments: Kind.allCases)
    func `a path that names another NAR now lets the old one go`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let cache = try fixture.cache()
        try fixture.push(cache, 1, nar: 1)
        try fixture.push(cache, 1, nar: 2)
        #expect(try fixture.sweep() .narCount == 1)
        #expect(try fixture.object(cache, 1)?.nar.narHash == Fixture.nar(2))
        #expect(try fixture.emptyPacks() == ["pack-1"])
    }

    @Test(arguments: Kind.allCases)
    func `a NAR is found by its file hash only through an object of the cache`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let (mine, other) = (try fixture.cache("mine", isPublic: true), try fixture.cache("other"))
        let pushed = try fixture.push(mine, 1)
        func find(_ cache: CacheRecord) throws -> (nar: NarRecord, objectID: Int64)? {
            try fixture.catalog.read { session throws(DatabaseError) in
                guard let found = try session.findNar(fileHash: Fixture.file(1), cacheID: cache.id) else { return nil }
                return found
            }
        }
        #expect(try find(mine)?.nar.id == pushed.narID)
        #expect(try find(mine)?.objectID == pushed.objectID)
        #expect(try find(other) == nil)
        func holders() throws -> [String] {
            try fixture.catalog.read { session throws(DatabaseError) in try session.cachesHolding(pushed.narID) }
                .map { "\($0.name.rawValue) \($0.isPublic)" }
        }
        #expect(try holders() == ["mine true"])
        try fixture.push(other, 5, nar: 1)
        #expect(try holders() == ["mine true", "other false"])
        _ = try fixture.catalog.write { session throws(DatabaseError) in
            try session.destroyCache(mine.name, soft: true, at: Fixture.time(1))
        }
        #expect(try holders() == ["other false"])
    }

    @Test(arguments: Kind.allCases)
    func `missing paths come in the order asked, 100,000 of them in one call`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let (cache, other) = (try fixture.cache(), try fixture.cache("other"))
        for path in [3, 500, 99_999] { try fixture.push(cache, path) }
        try fixture.push(other, 7)
        let asked = (0..<100_000).reversed().map { Fixture.path($0) }
        let present = Set([3, 500, 99_999].map { Fixture.path($0) })
        let missing = try fixture.catalog.read { session throws(DatabaseError) in try session.missing(cache.id, asked) }
        #expect(missing.count == 99_997)
        #expect(missing == asked.filter { !present.contains($0) })
        let none = try fixture.catalog.read { session throws(DatabaseError) in try session.missing(cache.id, []) }
        #expect(none.isEmpty)
        let twice = try fixture.catalog.read { session throws(DatabaseError) in
            try session.missing(cache.id, [Fixture.path(3), Fixture.path(4), Fixture.path(4)])
        }
        #expect(twice == [Fixture.path(4), Fixture.path(4)])
    }

    @Test(arguments: Kind.allCases)
    func `accesses move times forward only, and only of paths that are there`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let cache = try fixture.cache()
        let first = try #require(try fixture.push(cache, 1, at: 100).objectID)
        try fixture.push(cache, 2, at: 100)
        try fixture.catalog.write { session throws(DatabaseError) in
            try session.touchObjects([(objectID: first, at: Fixture.time(300)), (objectID: 999, at: Fixture.time(300))])
            try session.touchObjects([(objectID: first, at: Fixture.time(200))])
        }
        #expect(try fixture.object(cache, 1)?.lastAccessedAt == Fixture.time(300))
        #expect(try fixture.object(cache, 2)?.lastAccessedAt == Fixture.time(100))
        let hashes = [1, 2, 3].map { Fixture.path($0) }
        func note(_ seconds: Int) throws {
            try fixture.catalog.write { session throws(DatabaseError) in
                try session.noteAccesses(cache.id, hashes, at: Fixture.time(seconds))
            }
        }
        try note(310)
        try note(290)
        #expect(try fixture.object(cache, 2)?.lastAccessedAt == Fixture.time(100), "a note is not settled at once")
        try fixture.catalog.settleAccesses()
        #expect(try fixture.object(cache, 1)?.lastAccessedAt == Fixture.time(310))
        #expect(try fixture.object(cache, 2)?.lastAccessedAt == Fixture.time(310))
        #expect(try fixture.count("access_note") == 0)
        #expect(try fixture.object(cache, 1)?.createdAt == Fixture.time(100))
    }

    @Test(arguments: Kind.allCases)
    func `a note of 1,201 paths is settled in three steps, and one of a cache that is gone in one`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let cache = try fixture.cache()
        for path in [1, 700, 1201] { try fixture.push(cache, path, at: 100) }
        try fixture.catalog.write { session throws(DatabaseError) in
            try session.noteAccesses(cache.id, (1...1201).map { Fixture.path($0) }, at: Fixture.time(200))
            try session.noteAccesses(999, [Fixture.path(1)], at: Fixture.time(300))
        }
        var steps = 0
        while try !fixture.catalog.write({ session throws(DatabaseError) in try session.settleAccesses().isFinished }) { steps += 1 }
        #expect(steps == 4)
        for path in [1, 700, 1201] { #expect(try fixture.object(cache, path)?.lastAccessedAt == Fixture.time(200)) }
    }

    @Test(arguments: Kind.allCases)
    func `a path whose NAR is damaged is missing, and no other`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let cache = try fixture.cache()
        for path in 1...3 { try fixture.push(cache, path) }
        let damaged = try #require(try fixture.chunks([2]).values.first)
        try fixture.catalog.write { session throws(DatabaseError) in try session.markDamaged(chunkIDs: [damaged.id]) }
        let asked = [4, 3, 2, 1].map { Fixture.path($0) }
        let missing = try fixture.catalog.read { session throws(DatabaseError) in try session.missing(cache.id, asked) }
        #expect(missing == [4, 2].map { Fixture.path($0) })
    }
}
