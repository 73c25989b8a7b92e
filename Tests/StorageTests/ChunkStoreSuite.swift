import Platform
import Storage
import Support
import Testing

/// What every backend promises. A new one passes this before anything uses it.
@Suite struct ChunkStoreSuite {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    @Test("What was appended is read back, chunk by chunk and across chunks", arguments: StoreKind.allCases)
    func readsBack(kind: StoreKind) throws {
        let store = try kind.open(in: directory)
        let chunks = [1, 4096, 70_000, 17].enumerated().map { patterned($1, seed: $0) }
        let writer = try store.borrowPack()
        let extents = try chunks.map { try writer.append($0) }
        try writer.makeDurable()
        #expect(writer.packs == [kind.written(extents[0].pack, 74_114)])
        writer.giveBack()

        for (chunk, extent) in zip(chunks, extents) { #expect(try store.read(extent) == chunk) }
        #expect(extents.map(\.offset) == [0, 1, 4097, 74_097])
        let whole = Extent(pack: extents[0].pack, offset: 0, byteCount: 74_114)
        #expect(try store.read(whole) == Array(chunks.joined()))
        #expect(try kind.openBeside(in: directory).read(whole) == Array(chunks.joined()))
        #expect(try store.openPack(whole.pack).byteCount == 74_114)
        #expect(try store.packNames() == [whole.pack])
    }

    @Test("Several packs are opened like each of them", arguments: StoreKind.allCases)
    func opensSeveral(kind: StoreKind) throws {
        let store = try kind.open(in: directory, sealByteCount: 1)
        let writer = try store.borrowPack()
        let packs = try (1...5).map { try writer.append(patterned($0, seed: $0)).pack }
        try writer.makeDurable()
        writer.giveBack()
        let opened = try kind.openBeside(in: directory).openPacks(packs.reversed())
        #expect(opened.map(\.name) == packs.reversed())
        #expect(opened.map(\.byteCount) == [5, 4, 3, 2, 1])
        let stranger = PackName.random()
        #expect(#expect(throws: StorageError.self) { try store.openPacks(packs + [stranger]) }?.cause == .missing(stranger))
    }

    @Test("The next writer goes on where the last one ended", arguments: StoreKind.files)
    func goesOn(kind: StoreKind) throws {
        let store = try kind.open(in: directory)
        let first = try store.borrowPack()
        let a = try first.append(patterned(100, seed: 1))
        first.giveBack()
        let second = try store.borrowPack()
        let b = try second.append(patterned(50, seed: 2))
        #expect(second.packs == [WrittenPack(name: a.pack, byteCount: 150, beginByteCount: 100, isSealed: false)])
        second.giveBack()
        #expect(b == Extent(pack: a.pack, offset: 100, byteCount: 50))
        #expect(try store.read(a) == patterned(100, seed: 1))
        #expect(try store.read(b) == patterned(50, seed: 2))
    }

    @Test("A pack that has reached its size is sealed, and the next append opens another", arguments: StoreKind.allCases)
    func rollsOver(kind: StoreKind) throws {
        let store = try kind.open(in: directory, sealByteCount: 1000)
        let writer = try store.borrowPack()
        let extents = try (0..<7).map { try writer.append(patterned(400, seed: $0)) }
        try writer.makeDurable()
        #expect(writer.packs.map(\.byteCount) == [1200, 1200, 400])
        #expect(writer.packs.map(\.isSealed) == [true, true, store.packKind == .object])
        writer.giveBack()
        for (seed, extent) in extents.enumerated() { #expect(try store.read(extent) == patterned(400, seed: seed)) }
        if store.packKind == .object { return }
        let next = try store.borrowPack()
        #expect(try next.append([1]) == Extent(pack: extents[6].pack, offset: 400, byteCount: 1))
    }

    @Test("Abandoning cuts every pack back to where the writer began", arguments: StoreKind.files)
    func abandons(kind: StoreKind) throws {
        let store = try kind.open(in: directory, sealByteCount: 1000)
        let first = try store.borrowPack()
        let kept = try first.append(patterned(600, seed: 1))
        first.giveBack()
        let second = try store.borrowPack()
        for seed in 2..<6 { _ = try second.append(patterned(500, seed: seed)) }
        #expect(second.packs.count == 3)
        second.abandon()
        #expect(try store.packNames() == [kept.pack])
        #expect(try store.packByteCount(kept.pack) == 600)
        // Also a pack that was full meanwhile is open to writers again.
        let third = try store.borrowPack()
        let next = try third.append(patterned(10, seed: 9))
        third.giveBack()
        #expect(next == Extent(pack: kept.pack, offset: 600, byteCount: 10))
        #expect(try store.read(kept) == patterned(600, seed: 1))
        #expect(try store.read(next) == patterned(10, seed: 9))
    }

    @Test("A writer that is dropped abandons", arguments: StoreKind.files)
    func dropping(kind: StoreKind) throws {
        let store = try kind.open(in: directory)
        do {
            let writer = try store.borrowPack()
            _ = try writer.append(patterned(10, seed: 1))
            #expect(try store.packNames().count == 1)
        }
        #expect(try store.packNames().isEmpty)
    }

    @Test("A writer that appends nothing touches nothing", arguments: StoreKind.allCases)
    func nothing(kind: StoreKind) throws {
        let store = try kind.open(in: directory)
        let writer = try store.borrowPack()
        try writer.makeDurable()
        #expect(writer.packs.isEmpty)
        writer.giveBack()
        #expect(try store.packNames().isEmpty)
    }

    @Test("Writers at one time have different packs, and none disturbs another", arguments: StoreKind.allCases)
    func concurrent(kind: StoreKind) throws {
        let store = try kind.open(in: directory, sealByteCount: 20_000)
        let written = Monitor<[(Extent, Int)]>([])
        let failures = Monitor<[String]>([])
        onThreads(8) { thread in
            do {
                for round in 0..<6 {
                    let writer = try store.borrowPack()
                    for part in 0..<5 {
                        let seed = thread * 100 + round * 10 + part
                        let extent = try writer.append(patterned(1000 + seed, seed: seed))
                        written.update { $0.append((extent, seed)) }
                    }
                    try writer.makeDurable()
                    writer.giveBack()
                }
            } catch { failures.update { $0.append("\(error)") } }
        }
        #expect(failures.withLock { $0 }.isEmpty)
        let all = written.withLock { $0 }
        #expect(all.count == 240)
        for (extent, seed) in all { #expect(try store.read(extent) == patterned(1000 + seed, seed: seed)) }

        let a = try store.borrowPack()
        let b = try store.borrowPack()
        #expect(try a.append([1]).pack != b.append([1]).pack)
    }

    @Test("A pack is removed only when no writer has it and the caller still says so", arguments: StoreKind.files)
    func removes(kind: StoreKind) throws {
        let store = try kind.open(in: directory)
        let collector = try kind.openBeside(in: directory)
        let writer = try store.borrowPack()
        let pack = try writer.append(patterned(10, seed: 1)).pack
        for remover in [store, collector] {
            #expect(try remover.removePack(pack, ifStill: { Issue.record("asked while a writer has it"); return true }) == false)
        }
        writer.giveBack()
        #expect(try collector.removePack(pack, ifStill: { false }) == false)
        struct Unsure: Error {}
        let error = #expect(throws: StorageError.self) { try collector.removePack(pack, ifStill: { throw Unsure() }) }
        #expect(error?.cause == .checkFailed("Unsure()"))
        #expect(try store.packNames() == [pack])

        #expect(try collector.removePack(pack, ifStill: { true }))
        #expect(try store.packNames().isEmpty)
        // The server still thinks that it is idle; it finds out and takes another.
        let next = try store.borrowPack()
        let extent = try next.append(patterned(20, seed: 2))
        next.giveBack()
        #expect(extent.pack != pack && extent.offset == 0)
        #expect(try store.read(extent) == patterned(20, seed: 2))
        #expect(throws: StorageError.self) { try store.openPack(pack) }
    }

    @Test("A missing pack counts as removed and as punched, and reading it says that it is missing", arguments: StoreKind.allCases)
    func missing(kind: StoreKind) throws {
        let store = try kind.open(in: directory)
        let name = PackName.random()
        let extent = Extent(pack: name, offset: 5, byteCount: 10)
        #expect(try store.removePack(name, ifStill: { true }))
        #expect(try store.removePack(name, ifStill: { false }) == false)
        try store.punch([extent])
        #expect(try store.packByteCount(name) == nil)
        for attempt in [{ _ = try store.openPack(name) }, { _ = try store.read(extent) }, { _ = try store.truncatePack(name, to: 1) }] {
            #expect(#expect(throws: StorageError.self, performing: attempt)?.cause == .missing(name))
        }
    }

    @Test("Reading beyond the end says how much is there, whatever length a row names", arguments: StoreKind.allCases)
    func short(kind: StoreKind) throws {
        let store = try kind.open(in: directory)
        let writer = try store.borrowPack()
        let pack = try writer.append(patterned(100, seed: 1)).pack
        try writer.makeDurable()
        writer.giveBack()
        for (offset, byteCount, found) in [(90, 11, 10), (100, 1, 0), (4000, 5, 0), (0, Int64.max, 100)] as [(Int64, Int64, Int64)] {
            let extent = Extent(pack: pack, offset: offset, byteCount: byteCount)
            let error = #expect(throws: StorageError.self) { try store.read(extent) }
            #expect(error?.cause == .short(extent, found: found))
        }
        if store.packKind == .object { return }
        #expect(try store.truncatePack(pack, to: 40))
        #expect(try store.truncatePack(pack, to: 60))
        #expect(try store.packByteCount(pack) == 40)
    }

    @Test("Punching leaves the neighbours as they are", arguments: StoreKind.allCases)
    func punches(kind: StoreKind) throws {
        let store = try kind.open(in: directory)
        let writer = try store.borrowPack()
        // Sizes off the file system's blocks, so that every border lies inside one.
        let extents = try (0..<12).map { try writer.append(patterned(13_001, seed: $0)) }
        try writer.makeDurable()
        writer.giveBack()
        let dead: Set<Int> = [0, 3, 4, 5, 8, 11]
        guard try store.punchesHoles(dead.map { extents[$0] }, in: directory.path) else { return }
        for (seed, extent) in extents.enumerated() {
            let expected = dead.contains(seed) ? [UInt8](repeating: 0, count: 13_001) : patterned(13_001, seed: seed)
            #expect(try store.read(extent) == expected)
        }
        // Once more changes nothing, and what is appended later is not in its way.
        try store.punch(dead.map { extents[$0] })
        let next = try store.borrowPack()
        let last = try next.append(patterned(5, seed: 99))
        next.giveBack()
        #expect(try store.read(last) == patterned(5, seed: 99))
        #expect(try store.read(extents[1]) == patterned(13_001, seed: 1))
    }

    @Test("Writers and collectors at one time never lose a committed chunk", arguments: StoreKind.files)
    func removalAgainstBorrowing(kind: StoreKind) throws {
        let store = try kind.open(in: directory, sealByteCount: 4000)
        let collector = try kind.openBeside(in: directory)
        // The rows: pack to living chunks. A pack without any is dead to the collector.
        let rows = Monitor<[PackName: [Extent: Int]]>([:])
        let failures = Monitor<[String]>([])
        let writersLeft = Monitor(3)
        onThreads(5) { thread in
            do {
                if thread < 3 {
                    for round in 0..<40 {
                        let seed = thread * 1000 + round
                        let writer = try store.borrowPack()
                        let extent = try writer.append(patterned(700, seed: seed))
                        if round % 7 == 6 {
                            writer.abandon()
                            continue
                        }
                        rows.update { $0[extent.pack, default: [:]][extent] = seed }
                        writer.giveBack()
                        // It dies at once in two of three rounds, so packs become empty all the time.
                        if round % 3 != 0 { rows.update { $0[extent.pack]?[extent] = nil } }
                    }
                    writersLeft.update { $0 -= 1 }
                } else {
                    while writersLeft.withLock({ $0 }) > 0 {
                        for pack in try collector.packNames() {
                            _ = try collector.removePack(pack, ifStill: { rows.withLock { $0[pack]?.isEmpty ?? true } })
                        }
                    }
                }
            } catch {
                failures.update { $0.append("\(error)") }
                writersLeft.update { $0 = 0 }
            }
        }
        #expect(failures.withLock { $0 } == [])
        for (_, extents) in rows.withLock({ $0 }) {
            for (extent, seed) in extents { #expect(try store.read(extent) == patterned(700, seed: seed)) }
        }
    }

    @Test("What a writer leaves in doubt stays, and nothing is appended behind it", arguments: StoreKind.allCases)
    func leaving(kind: StoreKind) throws {
        let store = try kind.open(in: directory)
        let writer = try store.borrowPack()
        let doubtful = try writer.append(patterned(100, seed: 1))
        try writer.makeDurable()
        writer.leave()
        let next = try store.borrowPack()
        let certain = try next.append(patterned(100, seed: 2))
        try next.makeDurable()
        next.giveBack()
        #expect(certain.pack != doubtful.pack)
        #expect(try store.read(doubtful) == patterned(100, seed: 1))
        // Nobody has it any more: once no row turns out to name it, it can be removed.
        #expect(try store.removePack(doubtful.pack) { true })
    }

    @Test("Extents are handed out in their order, whatever is read ahead", arguments: StoreKind.allCases)
    func readsInOrder(kind: StoreKind) throws {
        let store = try kind.open(in: directory, sealByteCount: 50_000)
        let writer = try store.borrowPack()
        let extents = try (0..<40).map { try writer.append(patterned(3000 + $0 * 17, seed: $0)) }
        // Also from a pack that is not complete.
        #expect(try writer.read(extents[39]) == patterned(3000 + 39 * 17, seed: 39))
        try writer.makeDurable()
        writer.giveBack()
        let order = [7, 39, 0, 0, 12, 38, 1] + Array(2..<30)
        var found: [UInt8] = []
        try unsafe store.read(order.map { extents[$0] }) { bytes in unsafe found.append(contentsOf: bytes) }
        #expect(found == order.flatMap { patterned(3000 + $0 * 17, seed: $0) })
    }

    @Test("What was abandoned or discarded is not there, and one that was dropped is abandoned", arguments: StoreKind.objects)
    func abandonsObjects(kind: StoreKind) throws {
        let store = try kind.open(in: directory, sealByteCount: 1000)
        let kept = try store.borrowPack()
        let extent = try kept.append(patterned(10, seed: 1))
        try kept.makeDurable()
        kept.giveBack()
        for isDurable in [false, true] {
            let writer = try store.borrowPack()
            for seed in 2..<6 { _ = try writer.append(patterned(500, seed: seed)) }
            if isDurable { try writer.makeDurable() }
            if isDurable { writer.abandon() }
        }
        #expect(try store.packNames() == [extent.pack])
        try store.discard(extent.pack)
        try store.discard(extent.pack)
        #expect(try store.packNames().isEmpty)
        #expect(throws: StorageError.self) { try store.read(extent) }
    }
}
