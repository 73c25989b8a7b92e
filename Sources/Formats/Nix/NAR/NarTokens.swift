/// The words of a NAR, encoded once (nix/src/libutil/archive.cc, `SourceAccessor::dumpPath`).
///
/// Everything in a NAR is a string: its length as a 64-bit little-endian number, its bytes, and zeros up to the
/// next multiple of 8. Words that always follow one another are one run here, so that a writer copies them at once.
package enum NarTokens {
    /// What every NAR begins with.
    package static let magic = run("nix-archive-1")
    /// A directory's beginning.
    package static let directory = run("(", "type", "directory")
    /// A regular file, up to the length of its contents.
    package static let regular = run("(", "type", "regular", "contents")
    /// An executable file, up to the length of its contents. The marker has an empty value.
    package static let executable = run("(", "type", "regular", "executable", "", "contents")
    /// A symbolic link, up to its target.
    package static let symbolicLink = run("(", "type", "symlink", "target")
    /// An entry of a directory, up to its name.
    package static let entry = run("entry", "(", "name")
    /// Stands between an entry's name and what has that name.
    package static let node = run("node")
    /// Ends a node, and once more the entry that holds it.
    package static let close = run(")")

    /// How many zeros follow `byteCount` bytes of content.
    package static func paddingByteCount(after byteCount: Int64) -> Int { Int(-byteCount & 7) }

    /// The strings, encoded one after another.
    package static func run(_ words: String...) -> [UInt8] {
        var bytes: [UInt8] = []
        for word in words { append(Array(word.utf8), to: &bytes) }
        return bytes
    }

    /// Appends one string: length, bytes, padding.
    package static func append(_ string: [UInt8], to bytes: inout [UInt8]) {
        unsafe string.span.withUnsafeBytes { unsafe append($0, to: &bytes) }
    }

    /// The same of bytes in memory.
    package static func append(_ string: UnsafeRawBufferPointer, to bytes: inout [UInt8]) {
        append(length: Int64(string.count), to: &bytes)
        unsafe bytes.append(contentsOf: string)
        bytes.append(contentsOf: repeatElement(0, count: paddingByteCount(after: Int64(string.count))))
    }

    /// Appends a length alone.
    package static func append(length: Int64, to bytes: inout [UInt8]) {
        for shift in stride(from: 0, to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: length >> Int64(shift))) }
    }
}

/// A keyword as the reader compares it: its length, and its bytes in two words with zeros behind them. The longest
/// keyword that is accepted has 16 bytes; NAR's own have at most 13.
struct NarTag: Equatable, Sendable {
    var byteCount: UInt64
    var low: UInt64
    var high: UInt64

    init(byteCount: UInt64, low: UInt64, high: UInt64) {
        self.byteCount = byteCount
        self.low = low
        self.high = high
    }

    init(_ word: StaticString) {
        var words: [UInt64] = [0, 0]
        var position = 0
        for byte in word.description.utf8 {
            words[position / 8] |= UInt64(byte) << UInt64(position % 8 * 8)
            position += 1
        }
        self.init(byteCount: UInt64(position), low: words[0], high: words[1])
    }

    /// The keyword as text, for errors.
    var text: String {
        var bytes: [UInt8] = []
        for position in 0..<min(byteCount, 16) {
            let word = position < 8 ? low : high
            bytes.append(UInt8(truncatingIfNeeded: word >> (position % 8 * 8)))
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    static let byteCountMax: UInt64 = 16
    static let magic = NarTag("nix-archive-1")
    static let open = NarTag("(")
    static let close = NarTag(")")
    static let type = NarTag("type")
    static let regular = NarTag("regular")
    static let executable = NarTag("executable")
    static let empty = NarTag("")
    static let contents = NarTag("contents")
    static let symlink = NarTag("symlink")
    static let target = NarTag("target")
    static let directory = NarTag("directory")
    static let entry = NarTag("entry")
    static let name = NarTag("name")
    static let node = NarTag("node")
}
