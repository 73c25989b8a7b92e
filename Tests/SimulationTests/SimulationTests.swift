import Glibc
import Platform
import Testing

/// What `scripts/simulate` runs, in a process of its own: faults are the whole process's.
@Suite("Simulation", .serialized)
struct SimulationTests {
    private static func number(_ variable: String) -> UInt64? {
        unsafe getenv(variable).flatMap { unsafe UInt64(String(cString: $0)) }
    }

    private static var seeds: [UInt64] {
        let first = number("TETRYX_SIMULATION_SEED") ?? 1
        return (0..<(number("TETRYX_SIMULATION_SEEDS") ?? 1)).map { first + $0 }
    }

    @Test("What is there is what was pushed, whatever happens", arguments: seeds)
    func seed(_ seed: UInt64) throws {
        let steps = Int(Self.number("TETRYX_SIMULATION_STEPS") ?? 300)
        let began = MonotonicTime.now
        do {
            let simulation = try Simulation(seed: seed, isVerbose: Self.number("TETRYX_SIMULATION_VERBOSE") == 1) { try LocalWorld(secret: $0) }
            try simulation.run(steps: steps)
            let counts = simulation.counts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
            print("seed \(seed): \(steps) steps in \((MonotonicTime.now - began).components.seconds) s, digest \(simulation.digest): \(counts)")
        } catch let failure as SimulationFailure {
            Issue.record("\(failure)")
        }
    }
}
