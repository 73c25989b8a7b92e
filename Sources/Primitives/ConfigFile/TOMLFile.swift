/// A TOML document that is read by someone who knows which keys there are.
///
/// Thread: confined. Every getter of `TOMLSection` notes the key it was asked for; `finish` then knows which keys of
/// the text nobody wanted, and which ones there would have been. All errors name the line and the column.
///
///     let file = try TOMLFile.parse(text, name: "server.toml")
///     let listen = try file.root.string("listen") ?? "[::]:8080"
///     try file.finish()
package final class TOMLFile {
    /// The largest text that is looked at, in bytes; a configuration is a few thousand.
    package static let byteCountMax = 1 << 20

    /// What the errors call it.
    package let name: String
    let places: [[String]: TOMLPlace]
    let values: [String: TOMLNode]
    private var asked: Set<[String]> = []

    private init(name: String, places: [[String]: TOMLPlace], values: [String: TOMLNode]) {
        self.name = name
        self.places = places
        self.values = values
    }

    /// Reads a whole document.
    ///
    /// - Parameters:
    ///   - text: TOML 1.0.0; strings and keys without the character U+0000.
    ///   - name: the path, or whatever else an error should call it.
    /// - Throws: the first syntax error.
    package static func parse(_ text: String, name: String) throws(ConfigFileError) -> TOMLFile {
        if text.utf8.count > byteCountMax {
            throw ConfigFileError(file: name, at: .start, "the file is larger than \(byteCountMax) bytes")
        }
        var parser = TOMLParser(text, name: name)
        let values = try parser.document()
        return TOMLFile(name: name, places: parser.places, values: values)
    }

    /// The document itself: the keys before the first `[table]`, and the tables.
    package var root: TOMLSection { TOMLSection(file: self, path: [], values: values) }

    /// All keys that have been asked for, as paths; sections too.
    package var askedPaths: Set<[String]> { asked }

    /// All keys that the text has, as paths, in its order; sections too.
    package var presentPaths: [[String]] {
        places.sorted { ($0.value.key, $0.key.count) < ($1.value.key, $1.key.count) }.map(\.key)
    }

    func note(_ path: [String]) { asked.insert(path) }

    /// Refuses the first key that nobody has asked for. To be called when all has been read.
    ///
    /// - Parameter depth: how deep it looks; 1 is at the document's own keys and sections, when those have been read.
    package func finish(depth: Int = .max) throws(ConfigFileError) {
        var unknown: [(path: [String], position: TOMLPosition)] = []
        collect(values, at: [], depth: depth, into: &unknown)
        guard let first = unknown.min(by: { $0.position < $1.position }), let key = first.path.last else { return }
        let section = first.path.dropLast()
        let siblings = asked.filter { $0.count == first.path.count && $0.dropLast() == section }.compactMap(\.last)
        var message = section.isEmpty
            ? "unknown key \"\(key)\""
            : "unknown key \"\(key)\" in [\(section.joined(separator: "."))]"
        if let near = nearest(to: key, among: siblings) { message += "; did you mean \"\(near)\"?" }
        else if let other = asked.filter({ $0.last == key }).map({ $0.dropLast() }).min(by: { $0.count < $1.count }) {
            // The usual slip: the right key below the wrong header.
            message += other.isEmpty
                ? "; it belongs before the first [section]" : "; it belongs in [\(other.joined(separator: "."))]"
        }
        throw ConfigFileError(file: name, at: first.position, message)
    }

    /// Whether somebody has asked for what these keys lead to.
    func wasAsked(_ path: [String]) -> Bool { asked.contains(path) }

    private func collect(
        _ values: [String: TOMLNode], at path: [String], depth: Int,
        into unknown: inout [(path: [String], position: TOMLPosition)]
    ) {
        for (key, node) in values {
            let here = path + [key]
            if !asked.contains(here) {
                unknown.append((here, places[here]?.key ?? .start))
            } else if here.count < depth, case .table(let members) = node {
                collect(members, at: here, depth: depth, into: &unknown)
            }
        }
    }
}
