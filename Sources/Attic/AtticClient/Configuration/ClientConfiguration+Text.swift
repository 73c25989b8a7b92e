import AtticAPI
import ConfigFile

// Logging in changes two places of a file that its owner may have written by hand. So the text is edited, not made
// anew: comments, order and blank lines stay. TOML can say the same in more ways than an editor of lines knows (inline
// tables, dotted keys); the result is read again, and where it does not say what it should, the file is written anew.

extension ClientConfiguration {
    /// `text` so changed that it says what this configuration says.
    ///
    /// - Parameters:
    ///   - text: a valid config.toml, or nothing.
    ///   - name: the server that was added or changed; all others are as in `text`.
    package func edited(_ text: String, changing name: ServerName) -> String {
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        if lines.last == "" { lines.removeLast() }
        if let server = servers[name] { Self.set(server, name, in: &lines) }
        if let defaultServer { Self.setDefault(defaultServer, in: &lines) }
        let edited = lines.map { "\($0)\n" }.joined()
        guard let read = try? ClientConfiguration(parsing: edited, name: "config.toml"), read == self else { return rendered }
        return edited
    }

    private static func set(_ server: Server, _ name: ServerName, in lines: inout [String]) {
        let wanted = [("endpoint", server.endpoint)]
            + (server.token.map { [("token", $0)] } ?? []) + (server.tokenFile.map { [("token-file", $0)] } ?? [])
        let written = wanted.map { "\($0.0) = \(TOMLWriter.quoted($0.1))" }
        guard let header = lines.firstIndex(where: { isHeader($0, of: name) }) else {
            if let last = lines.last, !last.allSatisfy(\.isWhitespace) { lines.append("") }
            lines.append("[servers.\(TOMLWriter.key(name.rawValue))]")
            lines += written
            return
        }
        let end = lines[(header + 1)...].firstIndex { $0.drop(while: \.isWhitespace).hasPrefix("[") } ?? lines.count
        var body = Array(lines[(header + 1)..<end])
        // What stays keeps its place and its comment; what is new follows the last of them.
        var place = 0
        for (key, line) in zip(["endpoint", "token", "token-file"], [
            written.first { $0.hasPrefix("endpoint ") }, written.first { $0.hasPrefix("token ") },
            written.first { $0.hasPrefix("token-file ") },
        ]) {
            let index = body.firstIndex { self.key(of: $0) == key }
            switch (index, line) {
            case (let index?, let line?):
                // A line that says the same already may have a comment.
                if !body[index].hasPrefix(line) { body[index] = line }
                place = index + 1
            case (let index?, nil): body.remove(at: index)
            case (nil, let line?):
                body.insert(line, at: place)
                place += 1
            case (nil, nil): break
            }
        }
        lines.replaceSubrange((header + 1)..<end, with: body)
    }

    private static func setDefault(_ name: ServerName, in lines: inout [String]) {
        let line = "default-server = \(TOMLWriter.quoted(name.rawValue))"
        let firstHeader = lines.firstIndex { $0.drop(while: \.isWhitespace).hasPrefix("[") } ?? lines.count
        if let index = lines[..<firstHeader].firstIndex(where: { key(of: $0) == "default-server" }) {
            if !lines[index].hasPrefix(line) { lines[index] = line }
        } else {
            lines.insert(contentsOf: firstHeader == 0 ? [line, ""] : [line], at: 0)
        }
    }

    /// The bare key of a line `key = value`.
    private static func key(of line: String) -> String? {
        guard let equals = line.firstIndex(of: "=") else { return nil }
        return line[..<equals].split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }

    /// Whether the line is `[servers.NAME]`, with or without quotes and comment.
    private static func isHeader(_ line: String, of name: ServerName) -> Bool {
        let bare = line.prefix { $0 != "#" }.filter { !$0.isWhitespace }
        return ["[servers.\(name)]", "[servers.\"\(name)\"]", "[servers.'\(name)']"].contains(bare)
    }
}
