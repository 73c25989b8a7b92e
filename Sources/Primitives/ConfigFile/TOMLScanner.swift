// Where each key of a TOML text stands. The parser in use gives positions for syntax errors only, and an operator
// whose value is refused wants the line. So this walks over a text that the parser has accepted already: it never
// judges, and where it does not understand something it stops, which costs positions and nothing else.

/// The places of all keys of a valid TOML text, by their path. Elements of arrays of tables share their array's path.
struct TOMLPlaces {
    struct Place {
        /// Of the key; for a table, of the header that opens it.
        let key: TOMLPosition
        /// Of the value; for a table, as `key`.
        let value: TOMLPosition
    }

    private(set) var places: [[String]: Place] = [:]

    /// Where a string or key holds U+0000, which the parser in use would cut short.
    private(set) var nullCharacter: TOMLPosition?

    init(scanning text: String) {
        var scanner = TOMLScanner(text)
        scanner.document()
        places = scanner.places
        nullCharacter = scanner.nullCharacter
    }
}

/// The walk itself (TOML 1.0.0). One pass; the stack grows with nested arrays only, which the parser has bounded.
struct TOMLScanner {
    private let scalars: [Unicode.Scalar]
    private var index = 0
    private var line = 1
    private var lineStart = 0
    fileprivate(set) var places: [[String]: TOMLPlaces.Place] = [:]
    fileprivate(set) var nullCharacter: TOMLPosition?

    init(_ text: String) {
        scalars = Array(text.unicodeScalars)
        if scalars.first == "\u{FEFF}" { index = 1; lineStart = 1 }
    }

    private var position: TOMLPosition { TOMLPosition(line: line, column: index - lineStart + 1) }
    private var current: Unicode.Scalar? { index < scalars.count ? scalars[index] : nil }

    private func startsWith(_ word: String) -> Bool { scalars[index...].starts(with: word.unicodeScalars) }

    private mutating func advance(by count: Int = 1) {
        for _ in 0..<count where index < scalars.count {
            index += 1
            if scalars[index - 1] == "\n" {
                line += 1
                lineStart = index
            }
        }
    }

    /// Passes spaces, and with `lines` also line ends and comments.
    private mutating func skipBlank(lines: Bool) {
        while let scalar = current {
            switch scalar {
            case " ", "\t", "\r": advance()
            case "\n" where lines: advance()
            case "#" where lines: skipLine()
            default: return
            }
        }
    }

    private mutating func skipLine() {
        while let scalar = current, scalar != "\n" { advance() }
    }

    mutating func document() {
        var table: [String] = []
        while true {
            skipBlank(lines: true)
            guard let scalar = current else { return }
            let before = index
            if scalar == "[" {
                let start = position
                while current == "[" { advance() }
                table = path()
                record(table, key: start, value: start)
                skipLine()
            } else {
                pair(in: table)
                skipBlank(lines: false)
                // The rest of the line can only be a comment.
                skipLine()
            }
            if index == before { return }
        }
    }

    /// The first mention stays: a header may come after `[a.b]` has made `a` already.
    private mutating func record(_ path: [String], key: TOMLPosition, value: TOMLPosition) {
        if places[path] == nil { places[path] = TOMLPlaces.Place(key: key, value: value) }
    }

    /// `key = value`, also with a dotted key.
    private mutating func pair(in table: [String]) {
        let keyStart = position
        let keys = path()
        skipBlank(lines: false)
        if current == "=" { advance() }
        skipBlank(lines: false)
        let valueStart = position
        for count in keys.indices { record(table + keys[...count], key: keyStart, value: valueStart) }
        value(at: table + keys)
    }

    /// A key, bare, quoted or dotted: its parts.
    private mutating func path() -> [String] {
        var parts: [String] = []
        while true {
            skipBlank(lines: false)
            switch current {
            case "\"": parts.append(basicString())
            case "'": parts.append(literalString())
            default:
                var part = String.UnicodeScalarView()
                while let scalar = current, scalar.isBareKey {
                    part.append(scalar)
                    advance()
                }
                parts.append(String(part))
            }
            skipBlank(lines: false)
            guard current == "." else { return parts }
            advance()
        }
    }

    private mutating func value(at path: [String]) {
        switch current {
        case "\"": startsWith("\"\"\"") ? multilineString("\"") : { _ = basicString() }()
        case "'": startsWith("'''") ? multilineString("'") : { _ = literalString() }()
        case "[":
            advance()
            while true {
                skipBlank(lines: true)
                guard let scalar = current else { return }
                if scalar == "]" { return advance() }
                if scalar == "," { advance() } else {
                    let before = index
                    value(at: path)
                    if index == before { return }
                }
            }
        case "{":
            advance()
            while true {
                skipBlank(lines: true)
                guard let scalar = current else { return }
                if scalar == "}" { return advance() }
                if scalar == "," { advance() } else {
                    let before = index
                    pair(in: path)
                    if index == before { return }
                }
            }
        default:
            // Numbers, dates and truth values: up to what can follow one.
            while let scalar = current, !"\n,]}#".unicodeScalars.contains(scalar) { advance() }
        }
    }

    // MARK: Strings

    private mutating func basicString() -> String {
        advance()
        var text = String.UnicodeScalarView()
        while let scalar = current, scalar != "\"", scalar != "\n" {
            if scalar == "\\" { text.append(escape()) } else {
                text.append(scalar)
                advance()
            }
        }
        advance()
        return String(text)
    }

    private mutating func literalString() -> String {
        advance()
        var text = String.UnicodeScalarView()
        while let scalar = current, scalar != "'", scalar != "\n" {
            text.append(scalar)
            advance()
        }
        advance()
        return String(text)
    }

    private mutating func multilineString(_ quote: Unicode.Scalar) {
        advance(by: 3)
        let end = String(repeating: Character(quote), count: 3)
        while let scalar = current, !startsWith(end) {
            if scalar == "\\", quote == "\"" { _ = escape() } else { advance() }
        }
        advance(by: 3)
        // Up to two quotes may stand directly before the end.
        while current == quote { advance() }
    }

    /// One escape sequence, from its backslash.
    private mutating func escape() -> Unicode.Scalar {
        let start = position
        advance()
        let kind = current
        advance()
        switch kind {
        case "b": return "\u{8}"
        case "t": return "\t"
        case "n": return "\n"
        case "f": return "\u{C}"
        case "r": return "\r"
        case "u", "U":
            let digits = scalars[index...].prefix(kind == "u" ? 4 : 8)
            advance(by: digits.count)
            let number = UInt32(String(String.UnicodeScalarView(digits)), radix: 16)
            let scalar = number.flatMap { Unicode.Scalar($0) } ?? "\u{FFFD}"
            if scalar.value == 0, nullCharacter == nil { nullCharacter = start }
            return scalar
        default: return kind ?? "\\"
        }
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
}
