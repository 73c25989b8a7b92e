import ArgumentParser
import AtticServer
import Glibc
import HTTPServer
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

    func validate() throws {
        guard let listen else { return }
        do throws(ListenAddressError) { _ = try ListenAddress(parsing: listen) } catch {
            throw ValidationError("-l: \(error).")
        }
    }

    func run() throws {
        throw Runner(configurationPath: configurationPath, listen: listen, mode: mode).run().exitCode
    }

    /// Runs the server. Ends with 0 (done), 1 (failed) or 2 (the arguments are wrong).
    static func main() {
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch let code as ExitCode {
            Glibc.exit(code.rawValue)
        } catch {
            // Help and the version are errors to the parser too, with status 0 and text for standard output.
            guard exitCode(for: error) != .success else { exit(withError: error) }
            Terminal.say(fullMessage(for: error))
            Glibc.exit(ExitStatus.usage.rawValue)
        }
    }
}

extension Mode: ExpressibleByArgument {}

extension ExitStatus {
    var exitCode: ExitCode { ExitCode(rawValue) }
}
