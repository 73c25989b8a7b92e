import ArgumentParser

/// `atticbench table < rows`: rows of pairs become a table of medians and ratios.
struct TableCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "table",
        abstract: "Makes a Markdown table of the rows on standard input.",
        discussion: "A row is measure, unit, wanted, reference, subject, separated by tabs; one row a pair.")

    func run() throws {
        print(Comparison.heading)
        for comparison in try Comparison.read(StandardStream.readText()) { print(comparison.row) }
    }
}
