import ArgumentParser

/// A word on a command line that stands where a subcommand does, and is none. The parser takes it for an argument too many, which says
/// neither what is wrong nor what there is instead; after "help" it passes over it.
package struct UnknownSubcommand: CustomStringConvertible {
    /// The tool, and the subcommands before the word.
    private let parents: [String]
    private let word: String
    private let known: [String]

    /// Looks for such a word among the arguments of a tool, which the parser has refused or taken for a question for help.
    ///
    /// - Parameter arguments: without the tool's own name.
    /// - Returns: nil where what is wrong is something else.
    package init?(among arguments: some Sequence<String>, of tool: any ParsableCommand.Type) {
        var command = tool
        var parents = [Self.name(of: tool)]
        var mayBeValue = false
        for word in arguments {
            if word == "--" { return nil }
            if word.hasPrefix("-") {
                mayBeValue = !word.contains("=")
                continue
            }
            // Only the parser knows which options take a value. A flag is hardly ever given before a subcommand.
            if mayBeValue {
                mayBeValue = false
                continue
            }
            let subcommands = command.configuration.subcommands
            if subcommands.isEmpty { return nil }
            if parents.count == 1 && word == "help" { continue }
            guard let next = subcommands.first(where: { Self.name(of: $0) == word }) else {
                self.parents = parents
                self.word = word
                known = subcommands.map(Self.name)
                return
            }
            command = next
            parents.append(word)
        }
        return nil
    }

    private static func name(of command: any ParsableCommand.Type) -> String {
        command.configuration.commandName ?? "\(command)".lowercased()
    }

    /// One line.
    package var description: String {
        let path = parents.joined(separator: " ")
        let below = parents.count > 1 ? " of \"\(path)\"" : ""
        return "there is no command \"\((parents.dropFirst() + [word]).joined(separator: " "))\"; the commands\(below) are "
            + "\(known.joined(separator: ", ")). \"\(path) --help\" says what each does."
    }
}
