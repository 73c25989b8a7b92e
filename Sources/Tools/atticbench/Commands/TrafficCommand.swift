import ArgumentParser
import Platform

/// `atticbench traffic`: clients that push, pull and ask at a steady pace, and how long each of their requests took.
struct TrafficCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "traffic",
        abstract: "Pushes new paths, pulls random ones that were pushed by `fill`, and asks, until a file is there.",
        discussion: """
            Prints a line for each request when it ends: what it was (push, pull, ask, or failed), when it began (milliseconds since \
            1970) and how many microseconds it took from its first byte to the last of its answer. A pull is a narinfo and its \
            NAR. Each client sends a request in each of its intervals, and none while it waits. The token is read from the environment variable BENCH_TOKEN.
            """)

    @OptionGroup var server: ServerOptions
    @Option(help: "The file that ends it.") var until: String
    @Option(help: "Clients that push.") var pushers = 8
    @Option(help: "Clients that pull.") var pullers = 8
    @Option(help: "Milliseconds of a pusher's interval.") var pushInterval = 100
    @Option(help: "Milliseconds of a puller's interval.") var pullInterval = 50
    @Option(help: "Milliseconds of the interval of the one client that asks whether a path is there.") var askInterval = 10
    @Option(help: "The first seed of the paths that are there.") var first: UInt64
    @Option(help: "How many paths are there.") var count: UInt64
    @Option(help: "Bytes of each path that is there.") var size: Int
    @Option(help: "The first seed of the paths that are pushed.") var fresh: UInt64

    /// Bytes of the paths that are pushed, in turn.
    private static let pushedSizes = [20_000, 5_000, 60_000, 1_000_000]

    func run() throws {
        let client = try server.client(connectionsMax: pushers + pullers + 1)
        let log = TrafficLog()
        let until = until
        let (first, count, size, fresh) = (first, count, size, fresh)
        func start(_ name: String, every milliseconds: Int, _ turn: @escaping @Sendable (inout NoiseSource, UInt64) throws -> Void) -> ThreadHandle {
            let interval = Duration.milliseconds(milliseconds)
            return ThreadHandle(named: name) {
                var dice = NoiseSource(seed: UInt64(name.utf8.reduce(0) { $0 &* 31 &+ Int($1) }))
                var turns: UInt64 = 0
                while !File.exists(until) {
                    let next = MonotonicTime.now + interval
                    do { try turn(&dice, turns) } catch { log.fail(BenchFailure(wrapping: error)) }
                    turns += 1
                    MonotonicTime.sleep(next - .now)
                }
            }
        }
        @Sendable func living(_ dice: inout NoiseSource) -> SyntheticNar {
            SyntheticNar(seeds: [first + dice.next() % count], byteCount: size, isNoise: true)
        }
        var threads = (0..<pushers).map { number in
            start("push-\(number)", every: pushInterval) { _, turn in
                let seed = fresh + UInt64(number) * 1_000_000 + turn
                let sizes = TrafficCommand.pushedSizes
                let request = try client.push(SyntheticNar(seeds: [seed], byteCount: sizes[Int(seed) % sizes.count], isNoise: true))
                try log.time("push") { _ = try client.send(request) }
            }
        }
        threads += (0..<pullers).map { number in
            start("pull-\(number)", every: pullInterval) { dice, _ in
                let question = client.narInfo(of: living(&dice))
                try log.time("pull") { _ = try client.send(client.nar(client.send(question))) }
            }
        }
        threads.append(start("ask", every: askInterval) { dice, _ in
            let question = try client.missing(living(&dice))
            try log.time("ask") { _ = try client.send(question) }
        })
        for thread in threads { thread.join() }
        try log.print()
    }
}
