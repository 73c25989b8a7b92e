import AtticClient
import NixStore
import Testing

@Suite("The order of a push")
struct PushQueueTests {
    @Test("A path is ready when all that it needs is done")
    func ready() throws {
        var queue = PushQueue([
            try TestPaths.info(0), try TestPaths.info(1, references: [0, 1]), try TestPaths.info(2, references: [0, 1, 1, 99]),
            try TestPaths.info(3),
        ])
        #expect(queue.takeReady() == [0])
        #expect(queue.takeReady() == [3])
        #expect(queue.takeReady() == [])
        queue.finish([3])
        #expect(queue.takeReady() == [])
        #expect(!queue.isExhausted)
        queue.finish([0])
        #expect(queue.takeReady() == [1])
        #expect(queue.takeReady() == [])
        queue.finish([1])
        #expect(queue.takeReady() == [2])
        queue.finish([2])
        #expect(queue.isExhausted && queue.stranded.isEmpty)
    }

    @Test("A failure takes all with it that depends on it, each once, and nothing else")
    func failure() throws {
        var queue = PushQueue([
            try TestPaths.info(0), try TestPaths.info(1, references: [0]), try TestPaths.info(2, references: [0, 1]),
            try TestPaths.info(3, references: [2, 4]), try TestPaths.info(4),
        ])
        #expect(queue.takeReady() == [0])
        let failures = queue.fail([0])
        #expect(failures.map(\.failed) == [0] && failures.map(\.dropped) == [[1, 2, 3]])
        #expect(queue.takeReady() == [4])
        queue.finish([4])
        #expect(queue.takeReady() == [])
        #expect(queue.isExhausted && queue.stranded.isEmpty)
    }

    @Test("A circle, which Nix never makes, does not hang")
    func circle() throws {
        var queue = PushQueue([try TestPaths.info(0, references: [1]), try TestPaths.info(1, references: [0])])
        #expect(queue.takeReady() == [])
        #expect(queue.isExhausted)
        #expect(queue.stranded == [0, 1])
    }

    @Test("Small paths share a request with what they need before them; what is large goes alone")
    func sharing() throws {
        var queue = PushQueue(
            [
                try TestPaths.info(0), try TestPaths.info(1, references: [0]), try TestPaths.info(2, references: [1], narSize: 101_000),
                try TestPaths.info(3, references: [0, 1]), try TestPaths.info(4, references: [2, 3]), try TestPaths.info(5),
                try TestPaths.info(6, narSize: 101_000), try TestPaths.info(7, references: [90, 91, 92]),
            ], sharing: .init(pathsMax: 10, narBytesMax: 200_000, smallBytesMax: 100_000, referencesMax: 2))
        #expect(queue.takeReady() == [0, 5, 1, 3])
        #expect(queue.takeReady() == [6])
        #expect(queue.takeReady() == [7])
        #expect(queue.takeReady() == [])
        queue.finish([0, 5, 1, 3])
        #expect(queue.takeReady() == [2])
        queue.finish([2])
        #expect(queue.takeReady() == [4])
        for request in [[4], [6], [7]] { queue.finish(request) }
        #expect(queue.isExhausted && queue.stranded.isEmpty)
    }

    @Test("A request has no more paths and bytes than it may, and what has no room comes later")
    func bounds() throws {
        let infos = try (0..<10).map { try TestPaths.info($0, references: $0 == 0 ? [] : [$0 - 1], narSize: 10) }
        var few = PushQueue(infos, sharing: .init(pathsMax: 4, narBytesMax: 1000))
        #expect(few.takeReady() == [0, 1, 2, 3])
        few.finish([0, 1, 2, 3])
        #expect(few.takeReady() == [4, 5, 6, 7])
        var light = PushQueue(infos, sharing: .init(pathsMax: 100, narBytesMax: 39))
        #expect(light.takeReady() == [0, 1, 2])
        #expect(light.takeReady() == [])
        let sizes: [Int64] = [30, 20, 5, 40]
        var mixed = PushQueue(
            try sizes.enumerated().map { try TestPaths.info($0.offset, narSize: $0.element) },
            sharing: .init(pathsMax: 100, narBytesMax: 40))
        #expect(mixed.takeReady() == [0, 2])
        #expect(mixed.takeReady() == [1])
        #expect(mixed.takeReady() == [3])
    }

    @Test("What is ready is shared out among the jobs, where there is enough of it")
    func jobs() throws {
        let infos = try (0..<400).map { try TestPaths.info($0) }
        var queue = PushQueue(infos, sharing: .init(pathsMax: 1000, narBytesMax: 1 << 30), jobs: 4)
        #expect(queue.takeReady() == Array(0..<100))
        #expect(queue.takeReady() == Array(100..<175))
        var short = PushQueue(Array(infos.prefix(70)), sharing: .init(pathsMax: 1000, narBytesMax: 1 << 30), jobs: 4)
        #expect(short.takeReady().count == 64 && short.takeReady().count == 6)
    }

    @Test("A request that is taken apart comes again path by path, in order")
    func separated() throws {
        let infos = [try TestPaths.info(0), try TestPaths.info(1, references: [0]), try TestPaths.info(2), try TestPaths.info(3, references: [1])]
        var queue = PushQueue(infos, sharing: .init(pathsMax: 3, narBytesMax: 1 << 30))
        #expect(queue.takeReady() == [0, 2, 1])
        queue.separate([0, 2, 1])
        #expect(queue.takeReady() == [0])
        #expect(queue.takeReady() == [2])
        #expect(queue.takeReady() == [])
        queue.finish([0])
        #expect(queue.takeReady() == [1])
        queue.finish([1])
        #expect(queue.takeReady() == [3])
    }

    @Test("Of a request that fails, those are told that needed none of the others")
    func failedTogether() throws {
        let infos = [
            try TestPaths.info(0), try TestPaths.info(1, references: [0]), try TestPaths.info(2), try TestPaths.info(3, references: [1, 2]),
            try TestPaths.info(4, references: [1], narSize: 1 << 30),
        ]
        var queue = PushQueue(infos, sharing: .init(pathsMax: 9, narBytesMax: 1 << 30))
        let request = queue.takeReady()
        #expect(request == [0, 2, 1, 3])
        let failures = queue.fail(request)
        #expect(failures.map(\.failed) == [0, 2] && failures.map(\.dropped) == [[1, 3, 4], []])
        #expect(queue.isExhausted && queue.stranded.isEmpty)
    }

    @Test("In any graph, with any failures, each path ends once and after what it needs", arguments: 0..<80 as Range<UInt64>)
    func anyGraph(seed: UInt64) throws {
        var random = SeededNumbers(seed)
        let count = Int.random(in: 1...60, using: &random)
        let infos = try (0..<count).map { index in
            try TestPaths.info(
                index, references: (0..<index).filter { _ in Int.random(in: 0..<6, using: &random) == 0 },
                narSize: Int64.random(in: 1...100, using: &random))
        }
        let sharing = PushQueue.Sharing(
            pathsMax: Int.random(in: 1...20, using: &random), narBytesMax: 300, smallBytesMax: 80, referencesMax: 8)
        var queue = PushQueue(infos, sharing: seed.isMultiple(of: 2) ? nil : sharing, jobs: 3)
        var running: [[Int]] = []
        var done: Set<Int> = []
        var given: Set<Int> = []
        while !queue.isExhausted {
            while running.count < 3 {
                let next = queue.takeReady()
                if next.isEmpty { break }
                for (place, index) in next.enumerated() {
                    for reference in infos[index].references {
                        let needed = try #require(infos.firstIndex { $0.path == reference })
                        #expect(done.contains(needed) || next[..<place].contains(needed), "seed \(seed)")
                    }
                }
                #expect(next.count == 1 || next.count <= sharing.pathsMax && next.reduce(0) { $0 + infos[$1].narSize } <= 300)
                running.append(next)
            }
            let ended = running.remove(at: Int.random(in: running.indices, using: &random))
            switch Int.random(in: 0..<10, using: &random) {
            case 0:
                for (failed, dropped) in queue.fail(ended) {
                    for index in [failed] + dropped { #expect(given.insert(index).inserted, "seed \(seed)") }
                }
            case 1 where ended.count > 1:
                queue.separate(ended)
            default:
                queue.finish(ended)
                done.formUnion(ended)
            }
        }
        #expect(queue.stranded.isEmpty, "seed \(seed)")
        #expect(done.count + given.count == count && done.isDisjoint(with: given), "seed \(seed)")
    }
}

/// Random numbers that a seed repeats (SplitMix64).
struct SeededNumbers: RandomNumberGenerator {
    private var state: UInt64
    init(_ seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
