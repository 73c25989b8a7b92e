/// Writes a TOML document line by line: comments, tables, keys with values; strings and keys are escaped.
///
///     var writer = TOMLWriter()
///     writer.value("default-server", "local")
///     writer.table(["servers", "local"])
///     writer.value("endpoint", "http://localhost:8080")
///     writer.text
package struct TOMLWriter {
    /// The document so far.
    package private(set) var text = ""

    package init() {}

    /// One `# ` line for each line of `comment`.
    package mutating func comment(_ comment: String) {
        for line in comment.split(separator: "\n", omittingEmptySubsequences: false) {
            text += line.isEmpty ? "#\n" : "# \(line)\n"
        }
    }

    package mutating func blankLine() { text += "\n" }

    /// `[a.b]`, with a blank line before it where something stands above.
    package mutating func table(_ path: [String]) {
        precondition(!path.isEmpty, "a table has a name")
        if !text.isEmpty, !text.hasSuffix("\n\n") { blankLine() }
        text += "[\(path.map(Self.key).joined(separator: "."))]\n"
    }

    package mutating func value(_ key: String, _ value: String) { line(key, Self.quoted(value)) }
    package mutating func value(_ key: String, _ value: Int64) { line(key, String(value)) }
    package mutating func value(_ key: String, _ value: Bool) { line(key, value ? "true" : "false") }
    package mutating func value(_ key: String, _ values: [String]) {
        line(key, "[\(values.map(Self.quoted).joined(separator: ", "))]")
    }

    private mutating func line(_ key: String, _ value: String) { text += "\(Self.key(key)) = \(value)\n" }

    /// A key, bare where TOML allows that.
    package static func key(_ key: String) -> String {
        !key.isEmpty && key.unicodeScalars.allSatisfy(\.isBareKey) ? key : quoted(key)
    }

    /// A basic string on one line, in quotes; all control characters are escaped.
    package static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\r": quoted += "\\r"
            case "\t": quoted += "\\t"
            case "\u{0}"..."\u{1F}", "\u{7F}":
                let digits = String(scalar.value, radix: 16, uppercase: true)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
