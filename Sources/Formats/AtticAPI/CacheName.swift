/// The name of a cache, checked: `^[A-Za-z0-9][A-Za-z0-9-_+]{0,49}$`. Server names of the client have the same form.
///
/// A name is thereby safe as a path segment, in a narinfo and on a terminal.
package struct CacheName: Hashable, Sendable, CustomStringConvertible {
    /// The longest name, in bytes.
    package static let byteCountMax = 50

    /// What a name may be, in words, for messages.
    package static let allowed = "1 to 50 of A-Z a-z 0-9 - _ +, and the first of them a letter or digit"

    package let rawValue: String

    /// Nil where `rawValue` is not a name.
    package init?(_ rawValue: String) {
        guard isName(rawValue.utf8, withStars: false) else { return nil }
        self.rawValue = rawValue
    }

    package var description: String { rawValue }
}

/// A cache name in which `*` stands for any run of characters, also none; it names the caches of a token's entry.
package struct CacheNamePattern: Hashable, Sendable, CustomStringConvertible {
    /// What a pattern may be, in words, for messages.
    package static let allowed =
        "1 to 50 of A-Z a-z 0-9 - _ + and * (any run of characters), and the first of them a letter, digit or *"

    package let rawValue: String

    /// Nil where `rawValue` is not a pattern.
    package init?(_ rawValue: String) {
        guard isName(rawValue.utf8, withStars: true) else { return nil }
        self.rawValue = rawValue
    }

    /// The pattern that matches every cache: `*`.
    package static let all = CacheNamePattern(checked: "*")

    /// The pattern that matches this cache alone.
    package init(_ name: CacheName) { self.init(checked: name.rawValue) }

    private init(checked rawValue: String) { self.rawValue = rawValue }

    package var description: String { rawValue }

    /// Whether the pattern covers the cache.
    ///
    /// Goes back to the last star only, so the work is at most 50 x 50 steps whatever the pattern: a token cannot
    /// make matching slow.
    package func matches(_ name: CacheName) -> Bool {
        let pattern = Array(rawValue.utf8)
        let text = Array(name.rawValue.utf8)
        var inPattern = 0
        var inText = 0
        var star: (next: Int, text: Int)?
        while inText < text.count {
            if inPattern < pattern.count, pattern[inPattern] == UInt8(ascii: "*") {
                inPattern += 1
                star = (inPattern, inText)
            } else if inPattern < pattern.count, pattern[inPattern] == text[inText] {
                inPattern += 1
                inText += 1
            } else if let last = star {
                // What the last star stands for grows by one.
                inPattern = last.next
                inText = last.text + 1
                star = (last.next, inText)
            } else {
                return false
            }
        }
        return pattern[inPattern...].allSatisfy { $0 == UInt8(ascii: "*") }
    }
}

private func isName(_ bytes: String.UTF8View, withStars: Bool) -> Bool {
    guard let first = bytes.first, bytes.count <= CacheName.byteCountMax else { return false }
    func isStar(_ byte: UInt8) -> Bool { withStars && byte == UInt8(ascii: "*") }
    return (isLetterOrDigit(first) || isStar(first)) && bytes.allSatisfy { byte in
        isLetterOrDigit(byte) || isStar(byte)
            || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "+")
    }
}

private func isLetterOrDigit(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"):
        true
    default: false
    }
}
