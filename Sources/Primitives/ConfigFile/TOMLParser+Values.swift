/// What stands behind an equals sign: strings, numbers, truth values, dates, arrays and inline tables.
extension TOMLParser {
    /// The value that begins here.
    ///
    /// - Parameter path: of the key that it is of.
    mutating func value(at path: [String], depth: Int) throws(ConfigFileError) -> TOMLTable.Member {
        if depth > Self.depthMax { throw fail("more than \(Self.depthMax) arrays and tables in one another") }
        switch current {
        case "\"": return .value(.string(startsWith("\"\"\"") ? try multilineString("\"") : try basicString()))
        case "'": return .value(.string(startsWith("'''") ? try multilineString("'") : try literalString()))
        case "[": return .value(.array(try array(at: path, depth: depth + 1)))
        case "{": return .table(try inlineTable(at: path, depth: depth + 1))
        default: return .value(try plainValue())
        }
    }

    private mutating func array(at path: [String], depth: Int) throws(ConfigFileError) -> [TOMLNode] {
        advance()
        var elements: [TOMLNode] = []
        while true {
            try skipLines()
            if current == "]" { break }
            switch try value(at: path, depth: depth) {
            case .value(let node): elements.append(node)
            case .table(let table): elements.append(.table(table.nodes))
            case .tables: preconditionFailure("only headers make arrays of tables")
            }
            try skipLines()
            if current == "]" { break }
            guard current == "," else { throw fail("\(found) where a \",\" or the array's \"]\" should stand") }
            advance()
        }
        advance()
        return elements
    }

    private mutating func inlineTable(at path: [String], depth: Int) throws(ConfigFileError) -> TOMLTable {
        let table = TOMLTable(.inline)
        advance()
        skipSpaces()
        if current == "}" {
            advance()
            return table
        }
        while true {
            try pair(in: table, at: path, depth: depth)
            skipSpaces()
            if current == "}" { break }
            guard current == "," else { throw fail("\(found) where a \",\" or the table's \"}\" should stand; it has one line") }
            advance()
        }
        advance()
        return table
    }

    // MARK: Strings

    mutating func basicString() throws(ConfigFileError) -> String {
        let start = position
        advance()
        var text = String.UnicodeScalarView()
        while let scalar = current, !isLineEnd {
            switch scalar {
            case "\"":
                advance()
                return String(text)
            case "\\": text.append(try escape())
            default: text.append(try plainScalar())
            }
        }
        throw fail("a string that begins here has no closing quotation mark on its line", at: start)
    }

    mutating func literalString() throws(ConfigFileError) -> String {
        let start = position
        advance()
        var text = String.UnicodeScalarView()
        while let scalar = current, !isLineEnd {
            if scalar == "'" {
                advance()
                return String(text)
            }
            text.append(try plainScalar())
        }
        throw fail("a string that begins here has no closing quotation mark on its line", at: start)
    }

    private mutating func multilineString(_ quote: Unicode.Scalar) throws(ConfigFileError) -> String {
        let start = position
        let end = String(repeating: Character(quote), count: 3)
        advance(by: 3)
        // A line end directly behind the opening is not of the string.
        if isLineEnd { advance(by: current == "\r" ? 2 : 1) }
        var text = String.UnicodeScalarView()
        while let scalar = current {
            if startsWith(end) {
                advance(by: 3)
                // Up to two quotes may stand directly before the end.
                for _ in 0..<2 where current == quote {
                    text.append(quote)
                    advance()
                }
                return String(text)
            }
            if isLineEnd {
                text.append("\n")
                advance(by: scalar == "\r" ? 2 : 1)
            } else if scalar == "\\", quote == "\"" {
                if try !skipJoint() { text.append(try escape()) }
            } else {
                text.append(try plainScalar())
            }
        }
        throw fail("a string that begins here has no closing \(end)", at: start)
    }

    /// A backslash at the end of a line, with all white space and line ends up to what comes next; false where it is none.
    private mutating func skipJoint() throws(ConfigFileError) -> Bool {
        let rest = scalars[(index + 1)...].drop { $0 == " " || $0 == "\t" }
        guard rest.first == "\n" || rest.starts(with: "\r\n".unicodeScalars) else { return false }
        advance()
        while true {
            skipSpaces()
            guard isLineEnd else { return true }
            advance(by: current == "\r" ? 2 : 1)
        }
    }

    private mutating func plainScalar() throws(ConfigFileError) -> Unicode.Scalar {
        let scalar = scalars[index]
        if scalar.isForbidden { throw fail("a control character in a string; write it as \\uXXXX in double quotes") }
        advance()
        return scalar
    }

    /// One escape sequence, from its backslash.
    private mutating func escape() throws(ConfigFileError) -> Unicode.Scalar {
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
        case "\"": return "\""
        case "\\": return "\\"
        case "u", "U":
            let digits = scalars[index...].prefix(kind == "u" ? 4 : 8)
            guard digits.count == (kind == "u" ? 4 : 8), digits.allSatisfy(\.properties.isASCIIHexDigit),
                let number = UInt32(String(String.UnicodeScalarView(digits)), radix: 16), let scalar = Unicode.Scalar(number)
            else { throw fail("an escape sequence names no character; write \\u and 4 or \\U and 8 hexadecimal digits", at: start) }
            // Paths and names end there for the system.
            if number == 0 { throw fail("the character U+0000 is not allowed here", at: start) }
            advance(by: digits.count)
            return scalar
        default:
            throw fail("an unknown escape sequence; write \\\\ for a backslash, or put the string in single quotes", at: start)
        }
    }

    // MARK: Numbers, truth values, dates

    /// A value that is one word.
    private mutating func plainValue() throws(ConfigFileError) -> TOMLNode {
        let start = position
        var word = nextWord()
        // A date and a time may have a space between them.
        if TOMLMoment.isDate(word), current == " ", index + 2 < scalars.count, scalars[index + 1].isDigit, scalars[index + 2].isDigit {
            advance()
            word += "T" + nextWord()
        }
        if word.isEmpty { throw fail("\(found) where a value should stand") }
        if word == "true" || word == "false" { return .bool(word == "true") }
        if TOMLMoment.isMoment(word) { return .moment }
        if let number = try TOMLNumber.read(word, { message in fail(message, at: start) }) { return number }
        // The word is not shown: it may be a secret, whose owner forgot the quotes.
        throw fail("what stands here is no value; write true or false in small letters, a number, or text in quotes", at: start)
    }

    /// Up to what can follow a value.
    private mutating func nextWord() -> String {
        let start = index
        while let scalar = current, !" \t\r\n,]}#".unicodeScalars.contains(scalar) { advance() }
        return String(String.UnicodeScalarView(scalars[start..<index]))
    }
}
