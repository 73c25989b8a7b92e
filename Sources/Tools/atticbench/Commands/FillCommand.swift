import ArgumentParser
import Platform

/// `atticbench fill`: pushes made-up NARs of noise, one for each of a run of seeds.
struct FillCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fill",
        abstract: "Pushes made-up paths, one for each of some seeds.",
        discussion: "The token is read from the environment variable BENCH_TOKEN.")

    @OptionGroup var server: ServerOptions
    @Option(help: "The first seed.") var first: UInt64
    @Option(help: "How many paths.") var count: UInt64
    @Option(help: "Bytes of each.") var size: Int
    @Option(help: "Pushes at once.") var jobs = 2

    func run() throws {
        let client = try server.client(connectionsMax: jobs)
        let next = Monitor(first)
        let failure = Monitor<BenchFailure?>(nil)
        let (end, size) = (first + count, size)
        let threads = (0..<max(jobs, 1)).map { number in
            ThreadHandle(named: "fill-\(number)") {
                while failure.withLock({ $0 }) == nil {
                    let seed = next.withLock { next in
                        defer { next += 1 }
                        return next
                    }
                    guard seed < end else { return }
                    do {
                        _ = try client.send(client.push(SyntheticNar(seeds: [seed], byteCount: size, isNoise: true)))
                    } catch { failure.update { $0 = $0 ?? BenchFailure(wrapping: error) } }
                }
            }
        }
        for thread in threads { thread.join() }
        if let failure = failure.withLock({ $0 }) { throw failure }
    }
}

/// Which cache of which server.
struct ServerOptions: ParsableArguments {
    @Option(help: "The server's URL.") var url: String
    @Option(help: "The cache's name.") var cache: String

    func client(connectionsMax: Int) throws -> BenchClient {
        guard let token = Environment.all["BENCH_TOKEN"] else { throw BenchFailure("BENCH_TOKEN is not set") }
        return try BenchClient(url: url, cache: cache, token: token, connectionsMax: connectionsMax)
    }
}
