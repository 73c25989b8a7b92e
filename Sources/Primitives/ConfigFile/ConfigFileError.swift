/// What is wrong with a configuration file, and where.
package struct ConfigFileError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The file as it was named to the parser: a path, or the variable that held the text.
    package let file: String
    /// Counted from 1.
    package let line: Int
    /// Counted from 1, in Unicode scalars.
    package let column: Int
    /// What is wrong, and what is allowed.
    package let message: String

    package init(file: String, at position: TOMLPosition, _ message: String) {
        self.file = file
        self.line = position.line
        self.column = position.column
        // It may quote the file: an error stays one line whatever that holds.
        self.message = String(String.UnicodeScalarView(message.unicodeScalars.map {
            $0.value < 0x20 || (0x7F...0x9F).contains($0.value) ? "?" : $0
        }))
    }

    /// `server.toml:3:1: unknown key "lsten"; did you mean "listen"?`
    package var description: String { "\(file):\(line):\(column): \(message)" }
}

/// A place in a text, both counted from 1; columns in Unicode scalars.
package struct TOMLPosition: Hashable, Sendable, Comparable {
    package let line: Int
    package let column: Int

    package init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }

    package static let start = TOMLPosition(line: 1, column: 1)

    package static func < (left: Self, right: Self) -> Bool { (left.line, left.column) < (right.line, right.column) }
}
