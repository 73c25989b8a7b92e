import ArgumentParser
import AtticServer
import Platform

/// The server: `atticd [-f FILE] [-l ADDR] [--mode MODE]`.
@main
struct Atticd: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "atticd",
        abstract: "A Nix binary cache server.",
        discussion: """
            Without a configuration file, and in the monolithic mode, the first start sets up a simple server with \
            SQLite and local storage, and prints the token to log in with.
            """,
        version: "Tetryx Server \(Release.version)")

    @Option(name: [.customShort("f"), .customLong("config")], help: ArgumentHelp("The configuration file.", valueName: "file"))
    var configurationPath: String?

    @Option(name: [.customShort("l"), .customLong("listen")], help: ArgumentHelp("Listen here, whatever the configuration says.", valueName: "address"))
    var listen: String?

    @Option(help: "What to run.")
    var mode: Mode = .monolithic

    func run() throws {
        throw Runner(configurationPath: configurationPath, listen: listen, mode: mode).run().exitCode
    }
}

extension Mode: ExpressibleByArgument {}

extension ExitStatus {
    var exitCode: ExitCode { ExitCode(rawValue) }
}
