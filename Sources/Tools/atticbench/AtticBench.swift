import ArgumentParser
import Glibc
import Platform

/// `atticbench`: what `scripts/bench` cannot do in shell: made-up NARs, clients that push and pull them, hot loops for an
/// instruction counter, idle connections, the ideal size of a store, tables of ratios.
@main
struct AtticBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "atticbench",
        abstract: "Parts of scripts/bench, which says what they are for.",
        subcommands: [
            TableCommand.self, SpliceCommand.self, NarCommand.self, IdealCommand.self, StagesCommand.self, ConnectionsCommand.self,
            FillCommand.self, TrafficCommand.self, MicroCommand.self,
        ])

    /// Runs the command. Ends with 0 (done), 1 (failed) or 2 (the arguments are wrong); an error is one line.
    static func main() {
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch let failure as BenchFailure {
            Terminal.say("atticbench: \(failure.sentence)")
            Glibc.exit(1)
        } catch {
            guard exitCode(for: error) != .success else { exit(withError: error) }
            Terminal.say("atticbench: \(message(for: error))")
            Glibc.exit(2)
        }
    }
}

/// What could not be done, as one line.
struct BenchFailure: Error {
    let sentence: String
    init(_ sentence: String) { self.sentence = sentence }
    init(wrapping error: any Error) { self = error as? BenchFailure ?? BenchFailure("\(error)") }
}

/// The program's standard streams, for bytes.
enum StandardStream {
    /// Writes all of `bytes` to standard output.
    ///
    /// - Throws: `BenchFailure` where nobody reads any more.
    static func write(_ bytes: UnsafeRawBufferPointer) throws(BenchFailure) {
        var rest = unsafe bytes
        while rest.count > 0 {
            let count = unsafe Glibc.write(STDOUT_FILENO, rest.baseAddress, rest.count)
            if count <= 0 { throw BenchFailure("standard output takes no more bytes: \(Errno.current)") }
            unsafe rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    /// All of standard input as text.
    static func readText() throws -> String {
        String(decoding: try File.readAll("/dev/stdin"), as: UTF8.self)
    }
}
