import BucketSupport
import Platform
import S3
import Support
import Testing

@testable import Storage

/// What a bucket does that a directory does not: trouble on the way, parts, and names that are written down first.
@Suite struct S3ChunkStoreTests {
    /// A server of its own, ended with the test.
    final class Bed {
        let server: FakeBucket
        let directory: TemporaryDirectory
        let journal = TestJournal()
        /// How long it was waited after trouble.
        let waits = Monitor<[Duration]>([])

        init() throws {
            directory = try TemporaryDirectory()
            let journal = journal
            server = try FakeBucket.start { key in
                guard let name = key.firstRange(of: "packs/").flatMap({ PackName(key[$0.upperBound...]) }) else { return }
                if !journal.begun.contains(name) { Issue.record("\(key) is written, and its name is not in the journal") }
            }
        }

        deinit { server.stop() }

        func open(
            seal: Int64 = 64 << 20, keys place: S3CredentialsFile.Place? = nil, _ change: (inout S3Limits) -> Void = { _ in }
        ) throws -> S3ChunkStore {
            var limits = S3Limits()
            limits.triesMax = 4
            change(&limits)
            let waits = waits
            return try S3ChunkStore(
                S3Bucket("bucket", region: "r", endpoint: "http://\(server.address)"),
                S3Credentials(accessKeyID: "key", secretAccessKey: "hidden"), readFrom: place, limits: limits, journal: journal,
                sealByteCount: seal,
                sleep: { duration in waits.update { $0.append(duration) } })
        }

        /// A pack of some bytes, and where they lie.
        func stored(_ byteCount: Int, in store: S3ChunkStore) throws -> Extent {
            let writer = try store.borrowPack()
            let extent = try writer.append(patterned(byteCount, seed: 1))
            try writer.makeDurable()
            writer.giveBack()
            return extent
        }
    }

    let bed: Bed

    init() throws { bed = try Bed() }

    @Test func `what keeps a pack's name from being noted is told as it is`() throws {
        let store = try bed.open()
        for cause in [StorageError.Cause.full, .unreachable("the database is away")] {
            bed.journal.refusal.update { $0 = StorageError("note", "a pack", cause) }
            let error = #expect(throws: StorageError.self) { try bed.stored(10, in: store) }
            #expect(error?.cause == cause)
        }
        bed.journal.refusal.update { $0 = nil }
        _ = try bed.stored(10, in: store)
    }

    @Test func `a pack above the size of a part goes in parts, and none is left under way`() throws {
        let store = try bed.open { $0.partBytes = 1000 }
        let writer = try store.borrowPack()
        let extents = try (0..<9).map { try writer.append(patterned(700, seed: $0)) }
        try writer.makeDurable()
        writer.giveBack()
        let key = "bucket/packs/\(extents[0].pack)"
        #expect(bed.server.object(key) == (0..<9).flatMap { patterned(700, seed: $0) })
        #expect(bed.server.log.count { $0.contains("partNumber=") } == 5)
        #expect(bed.server.state.withLock { $0.uploads.count } == 0)
    }

    @Test func `a chunk whose part has been sent is read back, and the next goes into another pack`() throws {
        let store = try bed.open { $0.partBytes = 1000 }
        let writer = try store.borrowPack()
        let extents = try (0..<5).map { try writer.append(patterned(600, seed: $0)) }
        #expect(try writer.read(extents[4]) == patterned(600, seed: 4))
        #expect(try writer.append([1]).pack == extents[0].pack, "it was in memory")
        #expect(try writer.read(extents[0]) == patterned(600, seed: 0))
        let next = try writer.append([2])
        #expect(next.pack != extents[0].pack && next.offset == 0)
        try writer.makeDurable()
        #expect(writer.packs.map(\.byteCount) == [3001, 1])
        writer.giveBack()
    }

    @Test func `what is abandoned goes with its parts, and its name stays known where it cannot`() throws {
        let store = try bed.open { $0.partBytes = 1000 }
        let first = try store.borrowPack()
        for seed in 0..<5 { _ = try first.append(patterned(600, seed: seed)) }
        #expect(bed.journal.begun.count == 1)
        first.abandon()
        #expect(bed.journal.begun.isEmpty && bed.server.state.withLock { $0.uploads.isEmpty && $0.objects.count == 1 })

        bed.server.trouble("DELETE", .status(503, "SlowDown"), times: 4)
        let second = try store.borrowPack()
        let extent = try second.append(patterned(100, seed: 1))
        try second.makeDurable()
        second.abandon()
        #expect(bed.journal.begun == [extent.pack])
        try store.discard(extent.pack)
        #expect(bed.server.object("bucket/packs/\(extent.pack)") == nil)
    }

    private func failure(_ body: () throws -> Void) -> String? {
        do { try body() } catch { return "\(error)" }
        return nil
    }

    @Test func `a bucket that is not the database's is refused, and nothing is written there`() throws {
        try bed.journal.begin(.random())
        for _ in 0..<2 {
            let error = #expect(throws: StorageError.self) { _ = try bed.open() }
            #expect("\(try #require(error))".contains("is [storage] bucket the right one?"))
        }
        // Who only looks has no journal.
        for namesPacks in [false, true] {
            let error = failure {
                _ = try S3ChunkStore(
                    S3Bucket("bucket", region: "r", endpoint: "http://\(bed.server.address)"),
                    S3Credentials(accessKeyID: "key", secretAccessKey: "hidden"), journal: nil, namesPacks: namesPacks, forServing: false)
            }
            #expect(error?.contains("is [storage] bucket the right one?") == (namesPacks ? true : nil))
        }
        #expect(bed.server.state.withLock { $0.objects.isEmpty })
    }

    @Test func `a 404 that is not the server's own says nothing of the object`() throws {
        let store = try bed.open()
        let extent = try bed.stored(100, in: store)
        for method in ["GET", "HEAD", "DELETE"] { bed.server.trouble("\(method) /bucket/packs", .status(404, ""), times: 2) }
        #expect(try store.read(extent) == patterned(100, seed: 1))
        #expect(try store.packByteCount(extent.pack) == 100)
        bed.server.trouble("GET /bucket/packs", .status(404, ""), times: 4)
        let error = #expect(throws: StorageError.self) { _ = try store.read(extent) }
        guard case .unreachable? = error?.cause else { return #expect(Bool(false), "\(String(describing: error))") }
        try store.discard(extent.pack)
        #expect(try store.packByteCount(extent.pack) == nil)
        #expect(bed.server.object("bucket/packs/\(extent.pack)") == nil)
    }

    @Test func `a pack whose writing nobody answered keeps its name, as it may come yet`() throws {
        let store = try bed.open()
        bed.server.trouble("PUT /bucket/packs", .cut(after: 0), times: 4)
        let writer = try store.borrowPack()
        let extent = try writer.append(patterned(100, seed: 1))
        #expect(throws: StorageError.self) { try writer.makeDurable() }
        writer.abandon()
        #expect(bed.journal.begun == [extent.pack])
    }

    @Test func `a pack whose first writing nobody answered keeps its name, too, when it goes`() throws {
        let store = try bed.open()
        bed.server.trouble("PUT /bucket/packs", .cut(after: 0))
        let writer = try store.borrowPack()
        let extent = try writer.append(patterned(100, seed: 1))
        try writer.makeDurable()
        writer.abandon()
        #expect(bed.server.object("bucket/packs/\(extent.pack)") == nil)
        #expect(bed.journal.begun == [extent.pack])
    }

    @Test func `trouble that passes is waited for, longer each time, and trouble that stays is told`() throws {
        let store = try bed.open()
        let extent = try bed.stored(5000, in: store)
        bed.server.trouble("GET /bucket/packs", .status(503, "SlowDown"))
        bed.server.trouble("GET /bucket/packs", .status(500, "InternalError"))
        bed.server.trouble("GET /bucket/packs", .status(429, "TooManyRequests"))
        #expect(try store.read(extent) == patterned(5000, seed: 1))
        let waits = bed.waits.withLock { $0 }
        #expect(waits.count == 3)
        for (wait, most) in zip(waits, [50, 100, 200]) { #expect(wait >= .milliseconds(most / 2) && wait <= .milliseconds(most)) }

        bed.server.trouble("GET /bucket/packs", .status(503, "SlowDown"), times: 4)
        let error = #expect(throws: StorageError.self) { try store.read(extent) }
        guard case .unreachable(let words)? = error?.cause else { return #expect(Bool(false), "\(String(describing: error))") }
        #expect(words.contains("SlowDown"))
    }

    @Test func `a range that breaks goes on where it broke`() throws {
        let store = try bed.open()
        let extent = try bed.stored(300_000, in: store)
        bed.server.trouble("GET /bucket/packs", .cut(after: 100_000))
        bed.server.trouble("GET /bucket/packs", .status(503, "SlowDown"))
        bed.server.trouble("GET /bucket/packs", .cut(after: 0))
        #expect(try store.read(extent) == patterned(300_000, seed: 1))
        let ranges = bed.server.log.filter { $0.hasPrefix("GET /bucket/packs") }.compactMap { $0.split(separator: "bytes=").last }
        #expect(ranges.first == "0-299999" && ranges.count == 4)
        // What was on its way when the connection was cut may be lost; what came is not asked for again.
        let starts = ranges.compactMap { Int($0.split(separator: "-")[0]) }
        #expect(starts == starts.sorted() && starts[1] <= 100_000)
    }

    @Test func `lost answers to what was done are no trouble`() throws {
        let store = try bed.open { $0.partBytes = 1000 }
        bed.server.trouble("uploadId=", .cut(after: 0))
        let writer = try store.borrowPack()
        let extents = try (0..<4).map { try writer.append(patterned(600, seed: $0)) }
        // An error may come behind a status that says that all is well; then the answer is lost when it is done, and the next try
        // finds no upload, and the object.
        bed.server.trouble("POST /bucket/packs/\(extents[0].pack)?uploadId", .status(200, "InternalError"))
        bed.server.trouble("POST /bucket/packs/\(extents[0].pack)?uploadId", .cut(after: 0))
        try writer.makeDurable()
        #expect(try store.read(extents[3]) == patterned(600, seed: 3))
    }

    @Test func `an object that is gone, or shorter, is told as such, and before an answer begins the next time`() throws {
        let store = try bed.open()
        let extent = try bed.stored(5000, in: store)
        let key = "bucket/packs/\(extent.pack)"
        #expect(try store.openPack(extent.pack).byteCount == 5000)
        bed.server.state.update { $0.objects[key] = patterned(1000, seed: 1) }
        #expect(#expect(throws: StorageError.self) { try store.read(extent) }?.cause == .short(extent, found: 1000))
        #expect(try store.openPack(extent.pack).byteCount == 1000)
        bed.server.state.update { $0.objects[key] = nil }
        let rest = Extent(pack: extent.pack, offset: 0, byteCount: 900)
        #expect(#expect(throws: StorageError.self) { try store.read(rest) }?.cause == .missing(extent.pack))
        #expect(#expect(throws: StorageError.self) { try store.openPack(extent.pack) }?.cause == .missing(extent.pack))
    }

    @Test func `bytes of another range are never taken for those that were asked for`() throws {
        let store = try bed.open()
        let extent = try bed.stored(5000, in: store)
        bed.server.trouble("GET /bucket/packs", .rangeIgnored)
        let part = Extent(pack: extent.pack, offset: 100, byteCount: 1000)
        let error = #expect(throws: StorageError.self) { try store.read(part) }
        guard case .refused? = error?.cause else { return #expect(Bool(false), "\(String(describing: error))") }
    }

    @Test func `what is read ahead keeps to its budget, and all of it comes back`() throws {
        let store = try bed.open {
            $0.rangeBytes = 1000
            $0.readAheadBytes = 5000
            $0.readAheadBytesOfAll = 3500
        }
        let extent = try bed.stored(40_000, in: store)
        var found: [UInt8] = []
        try unsafe store.read([extent]) { bytes in
            #expect(store.ranges.budget.withLock { $0 } >= 0)
            unsafe found.append(contentsOf: bytes)
        }
        #expect(found == patterned(40_000, seed: 1))
        #expect(store.ranges.budget.withLock { $0 } == 3500)
        struct Enough: Error {}
        #expect(throws: Enough.self) { try unsafe store.read([extent]) { _ in throw Enough() } }
        bed.server.trouble("bytes=20000-", .status(403, "AccessDenied"))
        #expect(throws: StorageError.self) { try unsafe store.read([extent]) { _ in } }
        // Those that were on their way give theirs back when they are there.
        #expect(store.ranges.budget.wait(until: .now + .seconds(20)) { $0 == 3500 ? true : nil } == true)
    }

    @Test func `who is refused is told what to do, and no secret`() throws {
        bed.server.trouble("GET /bucket/VERSION", .status(403, "SignatureDoesNotMatch"))
        let error = #expect(throws: StorageError.self) { try bed.open() }
        let words = "\(String(describing: error))"
        #expect(words.contains("check the credentials") && words.contains("s3://bucket/VERSION") && !words.contains("hidden"))
    }

    @Test func `keys that have ended are read again where they were read, once for each request, and told where there are no others`() throws {
        let path = try bed.directory.write("keys", text: "[work]\naws_access_key_id = key\naws_secret_access_key = hidden\n")
        let store = try bed.open(keys: S3CredentialsFile.Place(path: path, profile: "work"))
        let extent = try bed.stored(1000, in: store)
        bed.server.state.update { $0.acceptedKey = "second" }
        let before = bed.server.log.count
        let error = #expect(throws: StorageError.self) { try store.read(extent) }
        guard case .refused(let words)? = error?.cause else { return #expect(Bool(false), "\(String(describing: error))") }
        #expect(words.contains("ExpiredToken") && words.contains("check the credentials"))
        #expect(bed.server.log.count == before + 1, "what nothing new is known for is not tried again")

        try bed.directory.write("keys", text: "[work]\naws_access_key_id = second\n")
        #expect(throws: StorageError.self, "half a file changes nothing") { try store.read(extent) }
        try bed.directory.write("keys", text: "[work]\naws_access_key_id = second\naws_secret_access_key = hidden\naws_session_token = t\n")
        #expect(try store.read(extent) == patterned(1000, seed: 1))
        #expect(try store.packByteCount(extent.pack) == 1000, "an answer to HEAD has no code")
        #expect(try store.openPack(extent.pack).byteCount == 1000)
        #expect(try store.presignedURL(of: extent, method: .get, seconds: 9)?.contains("X-Amz-Credential=second%2F") == true)
        bed.server.state.update { $0.acceptedKey = "third" }
        try bed.directory.write("keys", text: "[work]\naws_access_key_id = third\naws_secret_access_key = hidden\n")
        #expect(try store.packByteCount(extent.pack) == 1000, "an answer to HEAD has no code")
    }

    @Test func `sizes of packs are asked for beside one another, each once, and the first trouble ends it`() throws {
        let store = try bed.open(seal: 1)
        let writer = try store.borrowPack()
        let packs = try (1...40).map { try writer.append(patterned($0, seed: $0)).pack }
        try writer.makeDurable()
        writer.giveBack()
        let other = try bed.open()
        let before = bed.server.log.count
        #expect(try other.openPacks(packs).map(\.byteCount) == Array(1...40))
        let asked = bed.server.log.dropFirst(before)
        #expect(asked.count == 40 && asked.allSatisfy { $0.hasPrefix("HEAD ") })
        #expect(try other.openPacks([]).isEmpty && bed.server.log.count == before + 40)

        let third = try bed.open()
        bed.server.trouble("HEAD /bucket/packs/\(packs[7])", .status(403, "AccessDenied"))
        let error = #expect(throws: StorageError.self) { try third.openPacks(packs) }
        guard case .refused? = error?.cause else { return #expect(Bool(false), "\(String(describing: error))") }
        bed.server.state.update { $0.objects["bucket/packs/\(packs[9])"] = nil }
        let fourth = try bed.open()
        #expect(#expect(throws: StorageError.self) { try fourth.openPacks(packs) }?.cause == .missing(packs[9]))
    }

    @Test func `a list that goes on nobody knows where is not taken for the whole`() throws {
        let store = try bed.open()
        bed.server.trouble("list-type=2", .listCut)
        let error = #expect(throws: StorageError.self) { try store.packNames() }
        guard case .refused(let words)? = error?.cause else { return #expect(Bool(false), "\(String(describing: error))") }
        #expect(words.contains("its list goes on"))
        #expect(try store.packNames().isEmpty)
    }

    @Test func `a bucket of another layout is left alone`() throws {
        bed.server.state.update { $0.objects["bucket/VERSION"] = Array("tetryx storage 9\n".utf8) }
        let error = #expect(throws: StorageError.self) { try bed.open() }
        #expect(error?.cause == .unknownVersion("tetryx storage 9"))
    }

    @Test func `lists go on to their end, and name strangers`() throws {
        let store = try bed.open(seal: 1)
        let writer = try store.borrowPack()
        let packs = try (0..<8).map { try writer.append(patterned(10, seed: $0)).pack }
        try writer.makeDurable()
        writer.giveBack()
        bed.server.state.update { $0.objects["bucket/packs/other"] = [1] }
        #expect(try store.packNames() == packs.sorted())
        #expect(try store.otherFiles().strangers == ["s3://bucket/packs/other"])
    }

    @Test func `requests are spread over the second`() throws {
        var limits = S3Limits()
        limits.requestsPerSecondMax = 10
        let waits = Monitor<[Duration]>([])
        let pace = S3Pace(limits) { duration in waits.update { $0.append(duration) } }
        for _ in 0..<80 { pace.admit() }
        // The first ones make up for a quiet time; each after them waits a tenth of a second more than the one before.
        let found = waits.withLock { $0 }
        #expect((15...17).contains(found.count))
        #expect(found.last.map { $0 > .milliseconds(1400) && $0 <= .milliseconds(1700) } == true)
    }
}
