import ArgumentParser
import Platform

/// `atticbench splice FILE SECTION < text`: puts text between a document's markers.
struct SpliceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "splice",
        abstract: "Replaces what stands between <!-- bench SECTION --> and <!-- end SECTION --> by standard input.")

    @Argument(help: "The document.") var file: String
    @Argument(help: "The section's name.") var section: String

    func run() throws {
        guard let text = try File.readText(file) else { throw BenchFailure("\(file) is not UTF-8") }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard let begin = lines.firstIndex(of: "<!-- bench \(section) -->"),
            let end = lines.firstIndex(of: "<!-- end \(section) -->"), begin < end
        else { throw BenchFailure("\(file) has no lines <!-- bench \(section) --> and <!-- end \(section) --> in this order") }
        let added = try StandardStream.readText()
        let spliced = lines[...begin].joined(separator: "\n") + "\n\n" + added + "\n"
            + lines[end...].joined(separator: "\n")
        try File.replace(file, with: Array(spliced.utf8), permissions: 0o644)
    }
}
