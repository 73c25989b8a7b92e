// netrc(5) as libcurl reads it (curl/lib/netrc.c): words separated by white space, over any number of lines. `machine
// NAME` or `default` opens an entry, `login`, `password` and `account` take the next word; a line that begins with `#`
// is a comment; a word may stand in double quotes with backslash escapes; `macdef` is followed by lines of its own up to
// an empty one. The first entry that fits a host counts, and `default` fits every host.

/// A netrc as text that can be edited: every other byte stays as it was.
package struct NetrcText: Hashable, Sendable {
    package private(set) var bytes: [UInt8]

    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Makes `password` the one of `machine`. An entry of that machine keeps its place, its login and the rest; without
    /// one, a line `machine HOST password PASSWORD` is added, before `default` where there is one.
    ///
    /// - Parameters:
    ///   - machine: a host without its port, IPv6 without brackets. Compared in any case, as curl does.
    ///   - password: visible ASCII without quotes, as `isPlainWord` has it.
    /// - Returns: false, and nothing is changed, where the text breaks off within an entry, so that what is added would
    ///   be read as a part of that.
    package mutating func set(_ password: String, for machine: String) -> Bool {
        precondition(Self.isPlainWord(password) && Self.isPlainWord(machine), "a word of a netrc file has no white space")
        let before = bytes
        switch entry(of: machine) {
        case .password(let old):
            if old.text == password { return true }
            bytes.replaceSubrange(old.range, with: Array(password.utf8))
        case .noPassword(let name):
            bytes.insert(contentsOf: Array(" password \(password)".utf8), at: name.range.upperBound)
        case .none(let start, let endsInMacro):
            let line = Array("machine \(machine) password \(password)\n".utf8)
            if let start {
                bytes.insert(contentsOf: line, at: start)
            } else {
                if let last = bytes.last, last != UInt8(ascii: "\n") { bytes.append(UInt8(ascii: "\n")) }
                // Else the line would be the macro's.
                if endsInMacro { bytes.append(UInt8(ascii: "\n")) }
                bytes += line
            }
        }
        if case .password(let new) = entry(of: machine), new.text == password { return true }
        bytes = before
        return false
    }

    /// The password of a machine's first entry.
    package func password(of machine: String) -> String? {
        guard case .password(let word) = entry(of: machine) else { return nil }
        return word.text
    }

    /// What there is of a machine.
    private enum Entry {
        case password(Word)
        /// The entry's machine name.
        case noPassword(Word)
        /// Where `default` begins, which a new entry has to come before.
        case none(start: Int?, endsInMacro: Bool)
    }

    /// The first entry that names the machine.
    private func entry(of machine: String) -> Entry {
        let (words, endsInMacro) = words()
        var index = 0
        while index < words.count {
            let word = words[index]
            switch word.text {
            case "machine" where index + 1 < words.count:
                let name = words[index + 1]
                index += 2
                guard name.text.lowercased() == machine.lowercased() else { continue }
                return password(in: words[index...]).map { .password($0) } ?? .noPassword(name)
            case "default":
                return .none(start: word.range.lowerBound, endsInMacro: endsInMacro)
            case "login", "password", "account":
                index += 2
            default:
                index += 1
            }
        }
        return .none(start: nil, endsInMacro: endsInMacro)
    }

    /// The password of the entry whose words begin here.
    private func password(in words: ArraySlice<Word>) -> Word? {
        var index = words.startIndex
        while index < words.endIndex {
            switch words[index].text {
            case "machine", "default", "macdef": return nil
            case "password": return index + 1 < words.endIndex ? words[index + 1] : nil
            case "login", "account": index += 2
            default: index += 1
            }
        }
        return nil
    }

    /// Whether a text can stand in the file as one word without quotes.
    package static func isPlainWord(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }
            && !text.hasPrefix("#")
    }

    // MARK: Words

    private struct Word {
        /// With its quotes, where it has some.
        let range: Range<Int>
        let text: String
    }

    /// All words, and whether the file ends before the empty line that a macro ends with.
    private func words() -> (words: [Word], endsInMacro: Bool) {
        var words: [Word] = []
        var endsInMacro = false
        var position = 0
        var isLineStart = true
        while position < bytes.count {
            let byte = bytes[position]
            if byte == UInt8(ascii: "\n") {
                isLineStart = true
                position += 1
            } else if byte <= 0x20 {
                position += 1
            } else if byte == UInt8(ascii: "#"), isLineStart {
                position = endOfLine(from: position)
            } else {
                let word = byte == UInt8(ascii: "\"") ? quoted(at: position) : plain(at: position)
                words.append(word)
                position = word.range.upperBound
                isLineStart = false
                if word.text == "macdef" {
                    let end = endOfMacro(from: position)
                    endsInMacro = end == nil
                    position = end ?? bytes.count
                }
            }
        }
        return (words, endsInMacro)
    }

    private func plain(at start: Int) -> Word {
        let end = bytes[start...].firstIndex { $0 <= 0x20 } ?? bytes.count
        return Word(range: start..<end, text: String(decoding: bytes[start..<end], as: UTF8.self))
    }

    /// A quote that is not closed ends with its line.
    private func quoted(at start: Int) -> Word {
        var text: [UInt8] = []
        var position = start + 1
        while position < bytes.count, bytes[position] != UInt8(ascii: "\n") {
            if bytes[position] == UInt8(ascii: "\"") {
                position += 1
                break
            }
            if bytes[position] == UInt8(ascii: "\\"), position + 1 < bytes.count { position += 1 }
            text.append(bytes[position])
            position += 1
        }
        return Word(range: start..<position, text: String(decoding: text, as: UTF8.self))
    }

    private func endOfLine(from position: Int) -> Int { bytes[position...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count }

    /// The end of the empty line that ends a macro, whose words are not the file's; nil where there is none.
    private func endOfMacro(from position: Int) -> Int? {
        var line = endOfLine(from: position)
        while line < bytes.count {
            let next = endOfLine(from: line + 1)
            if next == bytes.count { return nil }
            if bytes[(line + 1)..<next].allSatisfy({ $0 <= 0x20 }) { return next }
            line = next
        }
        return nil
    }
}
