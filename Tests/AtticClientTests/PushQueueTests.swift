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
        #expect(queue.takeReady() == 0)
        #expect(queue.takeReady() == 3)
        #expect(queue.takeReady() == nil)
        queue.finish(3)
        #expect(queue.takeReady() == nil)
        #expect(!queue.isExhausted)
        queue.finish(0)
        #expect(queue.takeReady() == 1)
        #expect(queue.takeReady() == nil)
        queue.finish(1)
        #expect(queue.takeReady() == 2)
        queue.finish(2)
        #expect(queue.isExhausted && queue.stranded.isEmpty)
    }

    @Test("A failure takes all with it that depends on it, each once, and nothing else")
    func failure() throws {
        var queue = PushQueue([
            try TestPaths.info(0), try TestPaths.info(1, references: [0]), try TestPaths.info(2, references: [0, 1]),
            try TestPaths.info(3, references: [2, 4]), try TestPaths.info(4),
        ])
        #expect(queue.takeReady() == 0)
        #expect(queue.fail(0) == [1, 2, 3])
        #expect(queue.takeReady() == 4)
        queue.finish(4)
        #expect(queue.takeReady() == nil)
        #expect(queue.isExhausted && queue.stranded.isEmpty)
    }

    @Test("A circle, which Nix never makes, does not hang")
    func circle() throws {
        var queue = PushQueue([try TestPaths.info(0, references: [1]), try TestPaths.info(1, references: [0])])
        #expect(queue.takeReady() == nil)
        #expect(queue.isExhausted)
        #expect(queue.stranded == [0, 1])
    }

    @Test("In any graph, with any failures, each path ends once and after what it needs", arguments: 0..<40 as Range<UInt64>)
    func anyGraph(seed: UInt64) throws {
        var random = SeededNumbers(seed)
        let count = Int.random(in: 1...60, using: &random)
        let infos = try (0..<count).map { index in
            try TestPaths.info(index, references: (0..<index).filter { _ in Int.random(in: 0..<6, using: &random) == 0 })
        }
        var queue = PushQueue(infos)
        var running: [Int] = []
        var done: Set<Int> = []
        var given: Set<Int> = []
        while !queue.isExhausted {
            while running.count < 3, let next = queue.takeReady() {
                for reference in infos[next].references {
                    #expect(done.contains(try #require(infos.firstIndex { $0.path == reference })), "seed \(seed)")
                }
                running.append(next)
            }
            let ended = running.remove(at: Int.random(in: running.indices, using: &random))
            if Int.random(in: 0..<10, using: &random) == 0 {
                for index in [ended] + queue.fail(ended) { #expect(given.insert(index).inserted, "seed \(seed)") }
            } else {
                queue.finish(ended)
                done.insert(ended)
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
