import ArgumentParser
import AtticClient
import Glibc
import Platform

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
            let message = Tetryx.fullMessage(for: error)
            // --help and --version are thrown too.
            if Tetryx.exitCode(for: error) == .success {
                Terminal.put(message + "\n", on: Terminal.standardOutput)
                return .done
            }
            Terminal.say(unknownCommand(CommandLine.arguments.dropFirst().first) ?? message)
            return .usage
        }
    }

    /// What to say of a first word that is no command: the parser takes it for an argument too many.
    private static func unknownCommand(_ word: String?) -> String? {
        guard let word, !word.hasPrefix("-") else { return nil }
        let names = Tetryx.configuration.subcommands.map { $0.configuration.commandName ?? "\($0)".lowercased() }
        if (names + ["help"]).contains(word) { return nil }
        return "Error: there is no command \"\(word)\"; the commands are \(names.joined(separator: ", ")). \"tetryx --help\" says what each does."
    }
}
