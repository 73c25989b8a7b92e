import Platform
import Support
import Testing

@Suite("What tetryx says about itself")
struct TetryxHelpTests {
    private let tool: ClientTool
    private let folder = File.parent(of: #filePath) + "/Snapshots"

    init() throws { tool = try ClientTool() }

    @Test("Help is as it was; UPDATE_SNAPSHOTS=1 writes it anew", arguments: [
        "tetryx", "tetryx login", "tetryx use", "tetryx push", "tetryx watch-store", "tetryx cache", "tetryx cache create", "tetryx cache configure",
        "tetryx cache info", "tetryx cache destroy",
    ])
    func help(command: String) throws {
        let words = command.split(separator: " ").map(String.init)
        let outcome = try tool.run(words.dropFirst() + ["--help"])
        #expect(outcome.status == .exited(0))
        #expect(outcome.errorText.isEmpty)
        let path = "\(folder)/\(words.joined(separator: "-")).txt"
        if Subprocess.ownEnvironment["UPDATE_SNAPSHOTS"] == "1" {
            try Directory.make(folder)
            try File.replace(path, with: outcome.standardOutput, permissions: 0o644)
        }
        #expect(outcome.outputText == (try File.readText(path)))
    }

    @Test("The version goes to standard output")
    func version() throws {
        let outcome = try tool.run("--version")
        #expect(outcome.status == .exited(0) && outcome.outputText == "tetryx 0.1.0\n" && outcome.errorText.isEmpty)
    }

    @Test("A word that is no command is named, with those that are, also where help is asked for", arguments: [
        ["psh", "hello"], ["help", "psh"], ["psh", "--help"],
    ])
    func unknownCommand(arguments: [String]) throws {
        let outcome = try tool.run(arguments)
        #expect(outcome.status == .exited(2))
        #expect(outcome.errorText == "Error: there is no command \"psh\"; the commands are login, use, push, watch-store, cache. "
            + "\"tetryx --help\" says what each does.\n")
    }

    @Test("So is one below a command that has commands", arguments: ["list", "crate"])
    func unknownCommandBelow(word: String) throws {
        let outcome = try tool.run("cache", word, "hello")
        #expect(outcome.status == .exited(2))
        #expect(outcome.errorText == "Error: there is no command \"cache \(word)\"; the commands of \"tetryx cache\" are create, configure, info, destroy. "
            + "\"tetryx cache --help\" says what each does.\n")
    }

    @Test("A word too many behind a whole command is told as that")
    func wordTooMany() throws {
        #expect(try tool.run("cache", "info", "hello", "create").errorText.hasPrefix("Error: Unexpected argument 'create'\n"))
    }

    @Test("What cannot be meant ends with 2 and says why, before anything is asked or written", arguments: [
        ["frobnicate"], ["push"], ["push", "hello"], ["push", "hello", "-j", "0", "/x"], ["push", "hello", "-j", "x", "/x"],
        ["push", "a b", "/x"], ["push", "hello", "/x", "--nope"], ["cache"], ["cache", "create"], ["cache", "create", "a/b"],
        ["cache", "create", "hello", "--priority", "99999999999"], ["cache", "create", "hello", "--store-dir", "store"],
        ["cache", "configure", "hello"], ["cache", "configure", "hello", "--public", "--private"],
        ["cache", "configure", "hello", "--retention-period", "soon"], ["cache", "configure", "hello", "--retention-period", "200 years"],
        ["cache", "configure", "hello", "--retention-period", "1s", "--reset-retention-period"],
        ["login", "local"], ["login", "a b", "http://h"], ["login", "local", "ftp://h"], ["login", "local", "http://h", "t", "--token-file", "f"],
        ["login", "local", "http://h", "two words"], ["use", "hello"], ["cache", "info", "nowhere:hello"], ["push", "hello", "/x"], ["watch-store"],
    ])
    func usage(arguments: [String]) throws {
        let outcome = try tool.run(arguments)
        // A command that only has subcommands shows its help, and that is all.
        if arguments == ["cache"] { return #expect(outcome.status == .exited(0)) }
        #expect(outcome.status == .exited(2))
        #expect(outcome.outputText.isEmpty)
        #expect(!outcome.errorText.isEmpty)
        #expect(!File.exists(tool.home.file("config")))
    }
}
