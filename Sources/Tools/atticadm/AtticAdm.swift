import ArgumentParser
import Glibc
import Platform
import Subcommands

/// `atticadm`: what an operator does beside the server.
@main
struct AtticAdm: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "atticadm",
        abstract: "Administers a Tetryx server.",
        discussion: """
            Ends with 0 (done), 1 (failed, with one line that says what to do), 2 (the arguments are wrong); fsck \
            also with 6 (something was wrong, and is put right) and 7 (something is wrong, and is left).
            """,
        subcommands: [MakeTokenCommand.self, TokenCommand.self, FsckCommand.self, BackupCommand.self])

    @OptionGroup var options: ConfigurationOptions

    /// Runs the command. Ends with 0 (done), 1 (failed), 2 (the arguments are wrong), 6 (repaired) or 7 (damaged); an error is
    /// one line.
    static func main() {
        // All commands read the secret that tokens are made with.
        File.keepToOwner()
        ProcessMemory.keepToItself()
        do {
            var command = try parseAsRoot()
            try command.run()
            if let lost = Terminal.lostOutput { throw Failure(sentence: "\(lost)") }
        } catch let failure as Failure {
            Terminal.say("atticadm: \(failure.sentence.escapingControls())")
            Glibc.exit(1)
        } catch let code as ExitCode {
            if let lost = Terminal.lostOutput { Terminal.say("atticadm: \(lost)") }
            // What else there is to say was said.
            Glibc.exit(code.rawValue)
        } catch {
            if let unknown = UnknownSubcommand(among: CommandLine.arguments.dropFirst(), of: AtticAdm.self) {
                Terminal.say("atticadm: \(unknown)")
                Glibc.exit(2)
            }
            // Help and completions are errors to the parser too, with status 0 and text for standard output.
            guard exitCode(for: error) != .success else { exit(withError: error) }
            let sentence = message(for: error).split(whereSeparator: \.isNewline).joined(separator: " ")
            Terminal.say("atticadm: \(sentence) (see atticadm --help)")
            Glibc.exit(2)
        }
    }
}

/// What all commands share.
struct ConfigurationOptions: ParsableArguments {
    @Option(
        name: [.customShort("f"), .customLong("config")],
        help: ArgumentHelp("The server's configuration; else found as atticd finds it.", valueName: "file"))
    var file: String?
}

/// A command that could not be done, as one line.
struct Failure: Error {
    let sentence: String
}
