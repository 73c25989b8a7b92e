import Platform
import Support

/// The built `tetryx` with a home of its own.
struct ClientTool {
    let home: TemporaryDirectory
    /// More variables for the tool.
    var environment: [String: String] = [:]

    init() throws { home = try TemporaryDirectory() }

    /// Runs it to its end.
    func run(_ arguments: String..., input: String = "") throws -> Subprocess.Outcome {
        try run(arguments, input: input)
    }

    func run(_ arguments: [String], input: String = "") throws -> Subprocess.Outcome {
        // The tools are built beside the program that runs the tests.
        let tools = File.parent(of: try File.resolve("/proc/self/exe"))
        let own = ["HOME": home.path, "XDG_CONFIG_HOME": home.file("config"), "COLUMNS": "80"]
        return try Subprocess.run(
            ["\(tools)/tetryx"] + arguments, environment: own.merging(environment) { $1 }, standardInput: Array(input.utf8))
    }

    /// The text of a file below the home; empty where it is not there.
    func text(_ name: String) -> String { ((try? File.readText(home.file(name))) ?? nil) ?? "" }
}
