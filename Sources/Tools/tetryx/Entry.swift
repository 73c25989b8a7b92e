import ArgumentParser
import AtticClient
import Glibc
import Platform
import Subcommands

/// Parses the command line, runs the command, and turns what it threw into words and an exit code.
@main
enum Entry {
    static func main() {
        // A server or a daemon that hangs up is an error number, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        ProcessMemory.keepToItself()
        var status = status()
        if let lost = Terminal.lostOutput {
            Terminal.say("❌ \(lost)")
            if status == .done { status = .failed }
        }
        exit(status.rawValue)
    }

    private static func status() -> ExitStatus {
        do {
            var command = try Tetryx.parseAsRoot()
            try command.run()
            return .done
        } catch let failure as ClientFailure {
            Terminal.say("❌ \(failure)")
            return ExitStatus(failure.kind)
        } catch {
            if let unknown = UnknownSubcommand(among: CommandLine.arguments.dropFirst(), of: Tetryx.self) {
                Terminal.say("Error: \(unknown)")
                return .usage
            }
            let message = Tetryx.fullMessage(for: error)
            // --help and --version are thrown too.
            if Tetryx.exitCode(for: error) == .success {
                Terminal.put(message + "\n", on: Terminal.standardOutput)
                return .done
            }
            Terminal.say(message)
            return .usage
        }
    }
}
