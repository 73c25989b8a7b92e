import Crypto
import Platform
import SQL
import Testing

@testable import Database

@Suite struct UploadTests {
    @Test(arguments: Kind.allCases)
    func `held chunks and NARs outlive the sweep until the upload ends`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let cache = try fixture.cache(retentionSeconds: 10)
        try fixture.push(cache, 1)
        try fixture.push(cache, 2)
        let upload = try fixture.catalog.write { session throws(DatabaseError) in
            let upload = try session.beginUpload(expiresAt: Fixture.time(1000))
            let found = try session.holdChunks(upload, [Fixture.chunk(1), Fixture.chunk(1), Fixture.chunk(9)], "zstd")
            guard found.count == 1, found[Fixture.chunk(1)]?.place.pack == "pack-1" else { return -1 as Int64 }
            guard try session.holdNar(upload, Fixture.nar(2)) != nil, try session.holdNar(upload, Fixture.nar(9)) == nil
            else { return -2 }
            return upload
        }
        #expect(upload > 0)
        #expect(try fixture.chunks([1, 9]).count == 1)
        var report = try fixture.sweep(at: 200)
        #expect(report.objectCount == 2 && report.narCount == 1 && report.chunkCount == 0)
        #expect(try fixture.chunks([1, 2]).count == 2)
        report = try fixture.sweep(at: 201)
        #expect(report == SweepReport())

        try fixture.catalog.write { session throws(DatabaseError) in try session.endUpload(upload) }
        report = try fixture.sweep(at: 202)
        #expect(report.narCount == 1 && report.chunkCount == 2)
        #expect(try fixture.count("upload_hold") == 0)
        #expect(try fixture.emptyPacks() == ["pack-1", "pack-2"])
    }

    @Test(arguments: Kind.allCases)
    func `the holds of an upload that crashed end with its lease`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let cache = try fixture.cache(retentionSeconds: 10)
        try fixture.push(cache, 1)
        let upload = try fixture.catalog.write { session throws(DatabaseError) in
            let upload = try session.beginUpload(expiresAt: Fixture.time(300))
            _ = try session.holdChunks(upload, [Fixture.chunk(1)], "zstd")
            return upload
        }
        func renew(_ seconds: Int) throws -> Bool {
            try fixture.catalog.write { session throws(DatabaseError) in
                try session.renewUpload(upload, expiresAt: Fixture.time(seconds))
            }
        }
        #expect(try renew(400))
        #expect(try fixture.sweep(at: 399).chunkCount == 0)
        let report = try fixture.sweep(at: 400)
        #expect(report.uploadCount == 1 && report.chunkCount == 1)
        #expect(try !renew(500))
        try fixture.catalog.write { session throws(DatabaseError) in try session.endUpload(upload) }
    }

    @Test(arguments: Kind.allCases)
    func `a commit refers to what it holds, and ends the holds`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let cache = try fixture.cache(retentionSeconds: 50)
        try fixture.push(cache, 1, at: 100)
        let (upload, known) = try fixture.catalog.write { session throws(DatabaseError) in
            let upload = try session.beginUpload(expiresAt: Fixture.time(1000))
            return (upload, try session.holdChunks(upload, [Fixture.chunk(1)], "zstd"))
        }
        #expect(try fixture.sweep(at: 160).objectCount == 1)
        let chunk = try #require(known[Fixture.chunk(1)])
        let outcome = try fixture.commit(Commit(
            uploadID: upload, packs: [PackState(name: "p", byteCount: 100, isSealed: true)],
            chunks: [.known(id: chunk.id, hash: chunk.hash), Fixture.stored(2, "p", 0)], nar: Fixture.newNar(2),
            object: Fixture.object(cache, 2, at: 160)))
        guard case .committed(let paths) = outcome, let committed = paths.first else {
            Issue.record("not committed: \(outcome)")
            return
        }
        #expect(committed.isNewNar && committed.newChunkCount == 1)
        #expect(try fixture.count("upload") == 0 && fixture.count("upload_hold") == 0)
        #expect(try fixture.sweep(at: 170) == SweepReport())
        let extents = try fixture.catalog.read { session throws(DatabaseError) in try session.extents(ofNar: committed.narID) }
        #expect(extents.map(\.pack) == ["pack-1", "p"])
        #expect(try fixture.sweep(at: 300).chunkCount == 2)
    }

    @Test(arguments: Kind.allCases)
    func `known chunks that vanished are named, and nothing is written`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let cache = try fixture.cache()
        try fixture.push(cache, 1)
        let chunk = try #require(try fixture.chunks([1])[Fixture.chunk(1)])
        let outcome = try fixture.commit(Commit(
            uploadID: nil,
            chunks: [
                .known(id: chunk.id, hash: chunk.hash), .known(id: 77, hash: Fixture.chunk(7)),
                .known(id: chunk.id + 0, hash: chunk.hash), Fixture.stored(2, "p", 0),
                .known(id: 78, hash: Fixture.chunk(8)),
            ],
            nar: Fixture.newNar(2), object: Fixture.object(cache, 2)))
        #expect(outcome == .vanished([Fixture.chunk(7), Fixture.chunk(8)]))
        // The number of a chunk does not stand for another one.
        #expect(try fixture.commit(Commit(
            uploadID: nil, chunks: [.known(id: chunk.id, hash: Fixture.chunk(5))], nar: Fixture.newNar(2),
            object: Fixture.object(cache, 2))) == .vanished([Fixture.chunk(5)]))
        #expect(try fixture.commit(Commit(existingNarID: 99, hash: Fixture.nar(1), object: Fixture.object(cache, 2))) == .narVanished)
        // Nor the number of a NAR.
        #expect(try fixture.commit(Commit(existingNarID: 1, hash: Fixture.nar(2), object: Fixture.object(cache, 2))) == .narVanished)
        #expect(try fixture.object(cache, 2) == nil)
        #expect(try fixture.count("nar") == 1 && fixture.count("pack") == 1 && fixture.count("chunk") == 1)
    }

    @Test(arguments: Kind.allCases)
    func `of two uploads of one chunk the first stays and the other's bytes are dead`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let cache = try fixture.cache()
        try fixture.push(cache, 1, chunks: [Fixture.stored(1, "a", 0), Fixture.stored(2, "a", 1)])
        let second = try fixture.push(cache, 2, chunks: [Fixture.stored(2, "b", 0), Fixture.stored(3, "b", 1)])
        #expect(second.isNewNar && second.newChunkCount == 1)
        #expect(try fixture.deadExtents() == [StoredExtent(pack: "b", offset: 0, byteCount: 100)])
        #expect(try fixture.emptyPacks().isEmpty, "chunk 3 lies in b")
        let extents = try fixture.catalog.read { session throws(DatabaseError) in try session.extents(ofNar: second.narID) }
        #expect(extents.map { "\($0.pack) \($0.offset)" } == ["a 100", "b 100"])
    }

    @Test(arguments: Kind.allCases)
    func `of two uploads of one NAR the first stays and the other's bytes are dead`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let (cache, other) = (try fixture.cache(), try fixture.cache("other"))
        let first = try fixture.push(cache, 1, nar: 1, chunks: [Fixture.stored(1, "a", 0)])
        // Cut differently, so not even its chunks are known; one of them comes twice.
        let second = try fixture.push(other, 5, nar: 1, chunks: [
            Fixture.stored(1, "b", 0), Fixture.stored(8, "b", 1), Fixture.stored(8, "b", 1), Fixture.stored(9, "b", 2),
        ])
        #expect(second.narID == first.narID && !second.isNewNar && second.newChunkCount == 0)
        #expect(try fixture.deadExtents().map { "\($0.pack) \($0.offset)" } == ["b 0", "b 100", "b 200"])
        #expect(try fixture.count("chunk") == 1 && fixture.count("chunk_reference") == 1)
        #expect(try fixture.emptyPacks() == ["b"])
        #expect(try fixture.catalog.write { session throws(DatabaseError) in try session.forgetPack("b") })
        #expect(try !fixture.catalog.write { session throws(DatabaseError) in try session.forgetPack("a") })
        #expect(try fixture.deadExtents().isEmpty)
        #expect(try fixture.object(other, 5)?.nar.id == first.narID)
    }

    @Test(arguments: Kind.allCases)
    func `eight uploads race for one NAR and its chunks: one row each, and seven of eight places dead`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let cache = try fixture.cache()
        let catalog = fixture.catalog
        let outcomes = Monitor<[CommitOutcome]>([])
        onThreads(8) { thread in
            let commit = Commit(
                uploadID: nil, packs: [PackState(name: "pack-\(thread)", byteCount: 300, isSealed: false)],
                chunks: (0..<3).map { Fixture.stored($0, "pack-\(thread)", $0) }, nar: Fixture.newNar(1),
                object: Fixture.object(cache, 1, signatures: ["key-\(thread):s"]))
            let outcome = try? catalog.write { session throws(DatabaseError) in try session.commitUpload(commit) }
            if let outcome { outcomes.update { $0.append(outcome) } }
        }
        let committed = outcomes.withLock { $0 }.flatMap { outcome -> [Committed] in
            if case .committed(let done) = outcome { done } else { [] }
        }
        #expect(committed.count == 8 && Set(committed.map(\.narID)).count == 1)
        #expect(committed.filter(\.isNewNar).count == 1)
        #expect(try fixture.count("nar") == 1 && fixture.count("object") == 1 && fixture.count("chunk") == 3)
        #expect(try fixture.deadExtents().count == 21)
        #expect(try fixture.emptyPacks().count == 7)
        #expect(try fixture.object(cache, 1)?.signatures.count == 8)
    }

    @Test(arguments: Kind.allCases)
    func `an upload that has ended holds nothing`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        try fixture.push(try fixture.cache(), 1)
        let error = #expect(throws: DatabaseError.self) {
            try fixture.catalog.write { session throws(DatabaseError) in
                try session.holdChunks(99, [Fixture.chunk(1)], "zstd")
            }
        }
        #expect(error?.kind == .constraint)
    }

    @Test(arguments: Kind.allCases)
    func `a repair takes the place of the damaged chunk`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let cache = try fixture.cache()
        let first = try fixture.push(cache, 1, chunks: [Fixture.stored(1, "a", 0), Fixture.stored(2, "a", 1)])
        let again = try fixture.push(cache, 1, chunks: [
            Fixture.stored(1, "b", 0), Fixture.stored(2, "b", 1, repair: true), Fixture.stored(2, "b", 1, repair: true),
        ])
        #expect(again.narID == first.narID && !again.isNewNar)
        let extents = try fixture.catalog.read { session throws(DatabaseError) in try session.extents(ofNar: first.narID) }
        // The chunks as they were brought now: their frames may be of another size.
        #expect(extents.map { "\($0.pack) \($0.offset)" } == ["a 0", "b 100", "b 100"])
        #expect(try fixture.deadExtents().map { "\($0.pack) \($0.offset)" } == ["a 100", "b 0"])
    }

    @Test(arguments: Kind.allCases)
    func `a chunk has the checksum of the frame that it is stored as`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let cache = try fixture.cache()
        func checksums() throws -> [UInt64?] {
            let chunks = try fixture.chunks([1, 2])
            return [1, 2].map { chunks[Fixture.chunk($0)]?.frameChecksum }
        }
        try fixture.push(cache, 1, chunks: [Fixture.stored(1, "a", 0), Fixture.stored(2, "a", 1)])
        #expect(try checksums() == [Fixture.checksum("a", 0), Fixture.checksum("a", 1)])
        try fixture.push(cache, 2, chunks: [Fixture.stored(1, "b", 0), Fixture.stored(2, "b", 1, repair: true)])
        #expect(try checksums() == [Fixture.checksum("a", 0), Fixture.checksum("b", 1)], "the first keeps its frame, the repaired has the new one")
        try fixture.catalog.write { session throws(DatabaseError) in
            try session.trying("forget a checksum") { connection throws(SQLError) in
                try connection.execute("UPDATE chunk SET frame_checksum = NULL WHERE hash = $1", [.digest(Fixture.chunk(1))])
            }
        }
        #expect(try checksums() == [nil, Fixture.checksum("b", 1)], "a row of before there were checksums has none")
    }

    @Test(arguments: Kind.allCases)
    func `a damaged NAR counts as missing until it is pushed again`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let cache = try fixture.cache()
        try fixture.push(cache, 1, chunks: [Fixture.stored(1, "a", 0), Fixture.stored(2, "a", 1)])
        try fixture.push(cache, 2, chunks: [Fixture.stored(2, "x", 0), Fixture.stored(3, "a", 2)])
        let chunk = try #require(try fixture.chunks([2])[Fixture.chunk(2)])
        try fixture.catalog.write { session throws(DatabaseError) in try session.markDamaged(chunkIDs: [chunk.id]) }
        func missing() throws -> [Int] {
            let hashes = [1, 2].map { Fixture.path($0) }
            return try fixture.catalog.read { session throws(DatabaseError) in try session.missing(cache.id, hashes) }
                .map { $0 == Fixture.path(1) ? 1 : 2 }
        }
        #expect(try missing() == [1, 2])
        #expect(try fixture.chunks([1, 2, 3]).count == 2, "a damaged chunk is not offered as known")
        let held = try fixture.catalog.write { session throws(DatabaseError) in
            try session.holdNar(try session.beginUpload(expiresAt: Fixture.time(1)), Fixture.nar(1))
        }
        #expect(held == nil)
        #expect(try fixture.commit(Commit(
            uploadID: nil, chunks: [.known(id: chunk.id, hash: chunk.hash)], nar: Fixture.newNar(3),
            object: Fixture.object(cache, 3))) == .vanished([chunk.hash]))

        let again = try fixture.push(cache, 1, chunks: [Fixture.stored(1, "b", 0), Fixture.stored(2, "b", 1)])
        #expect(!again.isNewNar)
        #expect(try missing().isEmpty, "the other NAR with that chunk is whole again, too")
        let extents = try fixture.catalog.read { session throws(DatabaseError) in try session.extents(ofNar: again.narID) }
        #expect(extents.map { "\($0.pack) \($0.offset)" } == ["a 0", "b 100"])
        #expect(try fixture.sweep().chunkCount == 0)
    }

    @Test(arguments: Kind.allCases)
    func `a repair with a frame of another length leaves the other NARs damaged until they are pushed again`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let cache = try fixture.cache()
        try fixture.push(cache, 1, chunks: [Fixture.stored(1, "a", 0), Fixture.stored(2, "a", 1)])
        let moved = Commit.Chunk.stored(
            hash: Fixture.chunk(2), byteCount: 250,
            frame: StoredFrame(extent: StoredExtent(pack: "b", offset: 0, byteCount: 77), checksum: 7), repair: true)
        let second = try fixture.push(cache, 2, chunks: [moved])
        #expect(second.isNewNar && second.hasMovedChunks)
        #expect(try fixture.object(cache, 1)?.nar.isDamaged == true, "its file's length and hash are of the old frame")
        #expect(try fixture.object(cache, 2)?.nar.isDamaged == false)
        let again = try fixture.push(cache, 1, chunks: [Fixture.stored(1, "c", 0), moved])
        #expect(!again.isNewNar && !again.hasMovedChunks)
        #expect(try fixture.object(cache, 1)?.nar.isDamaged == false)
    }

    @Test(arguments: Kind.allCases)
    func `bytes are dead from the commit on, however long ago the upload began`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let cache = try fixture.cache()
        try fixture.push(cache, 1, chunks: [Fixture.stored(1, "a", 0)])
        _ = try fixture.commit(Commit(
            uploadID: nil, paths: [Commit.Path(
                Fixture.object(cache, 2), naming: .uploaded(Fixture.newNar(1), chunks: [Fixture.stored(1, "b", 0)]))],
            at: Fixture.time(5000)))
        let times = try fixture.catalog.read { session throws(DatabaseError) in
            try session.trying("look") { connection throws(SQLError) in
                try connection.query("SELECT recorded_at FROM dead_extent") { row throws(SQLError) in try row.integer(0) }
            }
        }
        #expect(times == [5_000_000])
    }

    @Test(arguments: Kind.allCases)
    func `a damaged NAR that is cut differently now takes the new chunks`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let cache = try fixture.cache()
        let first = try fixture.push(cache, 1, chunks: [Fixture.stored(1, "a", 0), Fixture.stored(2, "a", 1)])
        let chunk = try #require(try fixture.chunks([2])[Fixture.chunk(2)])
        try fixture.catalog.write { session throws(DatabaseError) in try session.markDamaged(chunkIDs: [chunk.id]) }
        let again = try fixture.push(cache, 1, chunks: [Fixture.stored(8, "b", 0)])
        #expect(again.narID == first.narID)
        let extents = try fixture.catalog.read { session throws(DatabaseError) in try session.extents(ofNar: again.narID) }
        #expect(extents.map(\.pack) == ["b"])
        #expect(try fixture.object(cache, 1)?.nar.isDamaged == false)
        #expect(try fixture.sweep().chunkCount == 2)
        #expect(try fixture.emptyPacks() == ["a"])
    }

    @Test(arguments: Kind.allCases)
    func `an open pack ends with the last byte that a row names, living or dead`(kind: Kind) throws {
        let fixture = try Fixture(kind)
        let cache = try fixture.cache(retentionSeconds: 10)
        _ = try fixture.commit(Commit(
            uploadID: nil,
            packs: [
                PackState(name: "open", byteCount: 900, isSealed: false), PackState(name: "sealed", byteCount: 100, isSealed: true),
                PackState(name: "unused", byteCount: 5, isSealed: false),
            ],
            chunks: [Fixture.stored(1, "open", 2), Fixture.stored(2, "sealed", 0), Fixture.stored(1, "open", 5)],
            nar: Fixture.newNar(1), object: Fixture.object(cache, 1)))
        func open() throws -> [String] {
            try fixture.catalog.read { session throws(DatabaseError) in try session.unsealedPacks() }
                .map { "\($0.name) \($0.byteCount)" }
        }
        #expect(try open() == ["open 600", "unused 0"])
        _ = try fixture.sweep()
        #expect(try open() == ["open 600", "unused 0"])
        try fixture.catalog.write { session throws(DatabaseError) in try session.sealPack("open") }
        #expect(try open() == ["unused 0"])
        #expect(try fixture.catalog.read { session throws(DatabaseError) in try session.packExists("open") })
        #expect(try !fixture.catalog.read { session throws(DatabaseError) in try session.packExists("closed") })
    }
}
