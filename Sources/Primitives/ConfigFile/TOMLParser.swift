/// Where a key of a document stands.
struct TOMLPlace {
    /// Of the key; for a table, of the header that opens it.
    let key: TOMLPosition
    /// Of the value; for a table, as `key`.
    let value: TOMLPosition
}

/// Reads one document (TOML 1.0.0, https://toml.io/en/v1.0.0), and notes where each key stands. This file has lines, keys and tables;
/// `TOMLParser+Values` has what stands behind an equals sign.
///
/// Recursive, with the depth bounded. It stops at the first thing that is wrong.
struct TOMLParser {
    /// Arrays and inline tables in one another: the stack is finite.
    static let depthMax = 64
    /// Parts of a key `a.b.c`: each of its beginnings is noted.
    static let keyPartsMax = 64

    let name: String
    let scalars: [Unicode.Scalar]
    var index = 0
    private var line = 1
    private var lineStart = 0
    /// By the path of the key. Elements of arrays share their array's path.
    private(set) var places: [[String]: TOMLPlace] = [:]

    private let root = TOMLTable(.header)

    /// - Parameter name: what errors call the text.
    init(_ text: String, name: String) {
        self.name = name
        scalars = Array(text.unicodeScalars)
        // A byte order mark is no part of the first line.
        if scalars.first == "\u{FEFF}" { (index, lineStart) = (1, 1) }
    }

    /// The document's members.
    mutating func document() throws(ConfigFileError) -> [String: TOMLNode] {
        var (table, path) = (root, [String]())
        while true {
            try skipLines()
            guard let scalar = current else { return root.nodes }
            if scalar == "[" { (table, path) = try header() } else { try pair(in: table, at: path, depth: 0) }
            try endLine()
        }
    }

    // MARK: Where it is

    var position: TOMLPosition { TOMLPosition(line: line, column: index - lineStart + 1) }
    var current: Unicode.Scalar? { index < scalars.count ? scalars[index] : nil }

    func startsWith(_ word: String) -> Bool { scalars[index...].starts(with: word.unicodeScalars) }

    mutating func advance(by count: Int = 1) {
        for _ in 0..<count where index < scalars.count {
            index += 1
            if scalars[index - 1] == "\n" { (line, lineStart) = (line + 1, index) }
        }
    }

    /// - Parameter position: nil for where it is.
    func fail(_ message: String, at position: TOMLPosition? = nil) -> ConfigFileError {
        ConfigFileError(file: name, at: position ?? self.position, message)
    }

    /// What stands here, as an error says it.
    var found: String {
        guard let scalar = current else { return "the file ends here" }
        return isLineEnd ? "the line ends here" : "\"\(scalar)\" is not expected here"
    }

    // MARK: Lines

    /// A line ends with LF or CR LF.
    var isLineEnd: Bool { current == "\n" || startsWith("\r\n") }

    mutating func skipSpaces() {
        while let scalar = current, scalar == " " || scalar == "\t" { advance() }
    }

    /// Passes spaces, comments and line ends.
    mutating func skipLines() throws(ConfigFileError) {
        while true {
            skipSpaces()
            try skipComment()
            guard isLineEnd else { return }
            advance(by: current == "\r" ? 2 : 1)
        }
    }

    private mutating func skipComment() throws(ConfigFileError) {
        guard current == "#" else { return }
        while let scalar = current, !isLineEnd {
            if scalar.isForbidden { throw fail("a control character in a comment; remove it") }
            advance()
        }
    }

    /// What follows a header or a value: a comment at most.
    private mutating func endLine() throws(ConfigFileError) {
        skipSpaces()
        try skipComment()
        guard current == nil || isLineEnd else { throw fail("\(found); each key has a line of its own") }
    }

    // MARK: Keys

    /// A key, bare, quoted or dotted: its parts.
    private mutating func key() throws(ConfigFileError) -> [String] {
        var parts: [String] = []
        while true {
            skipSpaces()
            switch current {
            case "\"": parts.append(try basicString())
            case "'": parts.append(try literalString())
            case let scalar? where scalar.isBareKey:
                let start = index
                while let scalar = current, scalar.isBareKey { advance() }
                parts.append(String(String.UnicodeScalarView(scalars[start..<index])))
            default: throw fail("\(found) where a key should stand; write A-Z a-z 0-9 _ - or put the key in quotes")
            }
            if parts.count > Self.keyPartsMax { throw fail("a key has more than \(Self.keyPartsMax) parts") }
            skipSpaces()
            guard current == "." else { return parts }
            advance()
        }
    }

    /// The first mention stays: a header may come after `a.b = 1` has made `a` already.
    private mutating func note(_ path: [String], key: TOMLPosition, value: TOMLPosition) {
        if places[path] == nil { places[path] = TOMLPlace(key: key, value: value) }
    }

    /// `key = value` in a table.
    mutating func pair(in table: TOMLTable, at path: [String], depth: Int) throws(ConfigFileError) {
        skipSpaces()
        let start = position
        let keys = try key()
        guard current == "=" else { throw fail("\(found) where the \"=\" behind a key should stand") }
        advance()
        skipSpaces()
        let valueStart = position
        for count in keys.indices { note(path + keys[...count], key: start, value: valueStart) }
        var table = table
        for part in keys.dropLast() {
            switch table.members[part] {
            case nil:
                let inner = TOMLTable(.dottedKey)
                table.members[part] = .table(inner)
                table = inner
            case .table(let inner) where inner.origin == .dottedKey: table = inner
            default: throw fail("\"\(part)\" is defined already, and no keys can be added to it here", at: start)
            }
        }
        let last = keys[keys.count - 1]
        if table.members[last] != nil { throw fail("the key \"\(last)\" comes twice", at: start) }
        let value = try value(at: path + keys, depth: depth)
        table.members[last] = value
    }

    // MARK: Headers

    /// `[a.b]` or `[[a.b]]`: the table that the next lines are of, and its path.
    private mutating func header() throws(ConfigFileError) -> (table: TOMLTable, path: [String]) {
        let start = position
        advance()
        let isElement = current == "["
        if isElement { advance() }
        let path = try key()
        guard startsWith(isElement ? "]]" : "]") else { throw fail("\(found) where the header's \"]\" should stand") }
        advance(by: isElement ? 2 : 1)
        note(path, key: start, value: start)
        var table = root
        for part in path.dropLast() {
            switch table.members[part] {
            case nil:
                let inner = TOMLTable(.headerOfAnother)
                table.members[part] = .table(inner)
                table = inner
            case .table(let inner) where inner.origin != .inline: table = inner
            case .tables(let tables): table = tables[tables.count - 1]
            default: throw fail("\"\(part)\" is no table that a header could add to", at: start)
            }
        }
        return (try open(path[path.count - 1], isElement: isElement, in: table, at: start), path)
    }

    /// The table that a header names last, in the one before.
    private func open(_ key: String, isElement: Bool, in table: TOMLTable, at start: TOMLPosition) throws(ConfigFileError) -> TOMLTable {
        let new = TOMLTable(.header)
        switch table.members[key] {
        case nil: table.members[key] = isElement ? .tables([new]) : .table(new)
        case .tables(var tables) where isElement:
            // Held here alone, so that it grows in place: a file may have very many.
            table.members[key] = nil
            tables.append(new)
            table.members[key] = .tables(tables)
        case .table(let inner) where !isElement && inner.origin == .headerOfAnother:
            inner.origin = .header
            return inner
        default: throw fail("the table \"\(key)\" comes twice", at: start)
        }
        return new
    }
}

extension Unicode.Scalar {
    /// Whether a key may hold it without quotes (TOML 1.0.0: A-Z a-z 0-9 _ -).
    var isBareKey: Bool {
        switch self {
        case "A"..."Z", "a"..."z", "0"..."9", "_", "-": true
        default: false
        }
    }

    /// A control character other than the tab: none may stand in a document, but for line ends.
    var isForbidden: Bool { value < 0x20 && self != "\t" || value == 0x7F }
}
