import Glibc
import Platform
import Testing

/// What the environment asks for.
private enum Wanted {
    static func number(_ variable: String) -> UInt64? {
        unsafe getenv(variable).flatMap { unsafe UInt64(String(cString: $0)) }
    }

    static var seeds: [UInt64] {
        let first = number("TETRYX_SIMULATION_SEED") ?? 1
        return (0..<(number("TETRYX_SIMULATION_SEEDS") ?? 1)).map { first + $0 }
    }

    /// Nil where there is no such database or storage.
    static var combination: Combination? {
        func word(_ variable: String) -> String? { unsafe getenv(variable).map { unsafe String(cString: $0) } }
        guard let database = Combination.Database(rawValue: word("TETRYX_SIMULATION_DATABASE") ?? "sqlite"),
            let storage = Combination.Storage(rawValue: word("TETRYX_SIMULATION_STORAGE") ?? "local")
        else { return nil }
        return Combination(database: database, storage: storage)
    }
}

/// What `scripts/simulate` runs, in a process of its own: faults are the whole process's, so beside other tests it is skipped.
@Suite("Simulation", .serialized, .enabled(if: Wanted.number("TETRYX_SIMULATION_STEPS") != nil, "scripts/simulate runs it"))
struct SimulationTests {
    @Test("What is there is what was pushed, whatever happens", arguments: Wanted.seeds)
    func seed(_ seed: UInt64) throws {
        let combination = try #require(Wanted.combination, "scripts/simulate --help says which databases and storages there are")
        let steps = Int(Wanted.number("TETRYX_SIMULATION_STEPS") ?? 300)
        let began = MonotonicTime.now
        do {
            let simulation = try Simulation(seed: seed, combination, isVerbose: Wanted.number("TETRYX_SIMULATION_VERBOSE") == 1)
            try simulation.run(steps: steps)
            let counts = simulation.counts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
            print("seed \(seed): \(steps) steps in \((MonotonicTime.now - began).components.seconds) s, digest \(simulation.digest): \(counts)")
        } catch let failure as SimulationFailure {
            Issue.record("\(failure)")
        }
    }
}
