// Nix reads its configuration line by line: everything from a `#` on is a comment, words are separated by white space,
// and a setting is a name, the word `=`, and the rest (nix/src/libutil/config.cc, parseConfigFiles). The file belongs to
// its owner, so this keeps it as a list of lines in their own bytes and touches none that it has no reason to touch.

/// A nix.conf as text that can be edited: every other byte stays as it was.
package struct ConfigText: Hashable, Sendable {
    /// Each with its end of line; the last one may have none.
    private var lines: [[UInt8]]

    package init(_ bytes: [UInt8]) {
        lines = splitLines(bytes)
    }

    /// The whole text.
    package var bytes: [UInt8] { Array(lines.joined()) }

    // MARK: What it says

    /// One word of a value, and where it stands.
    private struct Word {
        let line: Int
        let range: Range<Int>
        let text: String
    }

    /// A line `name = value`.
    private struct Setting {
        let line: Int
        let name: String
        let words: [Word]
        /// Where something can be added to the value: behind its last word, before comment and end of line.
        let end: Int
    }

    private var settings: [Setting] {
        lines.indices.compactMap { index in
            let words = Self.words(of: lines[index], line: index)
            guard words.count >= 2, words[1].text == "=", let last = words.last else { return nil }
            return Setting(line: index, name: words[0].text, words: Array(words[2...]), end: last.range.upperBound)
        }
    }

    /// The value of a setting that is no list; where it is there twice, Nix takes the last one.
    package func value(of name: String) -> String? {
        settings.last { $0.name == name }.map { $0.words.map(\.text).joined(separator: " ") }
    }

    /// The files that `include` and `!include` name, in their order.
    package var includes: [String] {
        lines.indices.compactMap { index in
            let words = Self.words(of: lines[index], line: index)
            return words.count == 2 && (words[0].text == "include" || words[0].text == "!include") ? words[1].text : nil
        }
    }

    // MARK: Changes

    /// A setting that is a list: its name, its older name, and both with `extra-`, which add to what is there.
    private struct List {
        let name: String
        let alias: String
        func isPlain(_ setting: Setting) -> Bool { setting.name == name || setting.name == alias }
        func isExtra(_ setting: Setting) -> Bool { setting.name == "extra-\(name)" || setting.name == "extra-\(alias)" }
    }

    private static let substituters = List(name: "substituters", alias: "binary-caches")
    private static let keys = List(name: "trusted-public-keys", alias: "binary-cache-public-keys")

    /// Adds a cache to `extra-substituters`, where no list in effect has it.
    ///
    /// - Parameter url: without white space and `#`.
    package mutating func addSubstituter(_ url: String) {
        let effective = effective(Self.substituters)
        if effective.contains(where: { $0.words.contains { Self.sameURL($0.text, url) } }) { return }
        add(url, to: Self.substituters, effective)
    }

    /// What became of a key.
    package enum KeyChange: Hashable, Sendable {
        case kept
        case added
        /// Another key of that name stood in an `extra-` list.
        case replaced(String)
        /// Another key of that name stands in a list that its owner wrote in full. Nix takes the first of a name, so
        /// the new one, which is in the file now, is not looked at.
        case hiddenBehind(String)
    }

    /// Adds a key to `extra-trusted-public-keys`. A key of the same name that stands in such a list already is replaced:
    /// Nix takes the first of a name (nix/src/libstore/crypto.cc, getDefaultPublicKeys), so the old one would hide it.
    ///
    /// - Parameter key: `name:base64`.
    package mutating func trust(_ key: String) -> KeyChange {
        let effective = effective(Self.keys)
        let prefix = key.prefix { $0 != ":" } + ":"
        let sameName = effective.flatMap(\.words).filter { $0.text.hasPrefix(prefix) }
        guard let first = sameName.first else {
            add(key, to: Self.keys, effective)
            return .added
        }
        if first.text == key { return .kept }
        let isOurs = effective.contains { $0.line == first.line && Self.keys.isExtra($0) }
        if isOurs {
            lines[first.line].replaceSubrange(first.range, with: Array(key.utf8))
            return .replaced(first.text)
        }
        if !sameName.contains(where: { $0.text == key }) { add(key, to: Self.keys, effective) }
        return .hiddenBehind(first.text)
    }

    /// Adds a line `name = value` at the end.
    package mutating func append(_ name: String, _ value: String) {
        if let last = lines.last, last.last != UInt8(ascii: "\n") { lines[lines.count - 1].append(UInt8(ascii: "\n")) }
        lines.append(Array("\(name) = \(value)\n".utf8))
    }

    /// The lines of a list that count: a plain one throws away all before it.
    private func effective(_ list: List) -> [Setting] {
        let all = settings.filter { list.isPlain($0) || list.isExtra($0) }
        guard let plain = all.lastIndex(where: list.isPlain) else { return all }
        return Array(all[plain...])
    }

    /// Adds a word to the last `extra-` line in effect (before Nix 2.4 a later such line replaced an earlier one), else
    /// to a new one at the end.
    private mutating func add(_ word: String, to list: List, _ effective: [Setting]) {
        guard let last = effective.last(where: list.isExtra) else { return append("extra-\(list.name)", word) }
        lines[last.line].insert(contentsOf: Array(" \(word)".utf8), at: last.end)
    }

    private static func sameURL(_ one: String, _ other: String) -> Bool {
        func trimmed(_ url: String) -> Substring { url.hasSuffix("/") ? url.dropLast() : url[...] }
        return trimmed(one) == trimmed(other)
    }

    // MARK: Words

    private static func words(of line: [UInt8], line index: Int) -> [Word] {
        let end = line.firstIndex(of: UInt8(ascii: "#")) ?? line.count
        var words: [Word] = []
        var position = 0
        while position < end {
            if isSpace(line[position]) {
                position += 1
                continue
            }
            let start = position
            while position < end, !isSpace(line[position]) { position += 1 }
            words.append(Word(line: index, range: start..<position, text: String(decoding: line[start..<position], as: UTF8.self)))
        }
        return words
    }

    /// What Nix's tokenizer separates words by.
    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D }
}

/// The lines of a text, each with its line feed; joined they are the text.
func splitLines(_ bytes: [UInt8]) -> [[UInt8]] {
    var lines: [[UInt8]] = []
    var start = 0
    for (index, byte) in bytes.enumerated() where byte == UInt8(ascii: "\n") {
        lines.append(Array(bytes[start...index]))
        start = index + 1
    }
    if start < bytes.count { lines.append(Array(bytes[start...])) }
    return lines
}
