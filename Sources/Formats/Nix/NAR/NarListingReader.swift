/// Why bytes are no listing, and at which of them that showed.
package struct NarListingError: Error, Hashable, Sendable, CustomStringConvertible {
    package let offset: Int64
    package let reason: String

    /// `the listing is malformed at byte 12: a file has no "size"`
    package var description: String { "the listing is malformed at byte \(offset): \(reason)" }
}

/// Reads a listing as any Nix writes it, and gives it in the one form that `NarListingWriter` has: members in another order
/// (from 2.12 on they are sorted), `"executable":false` (from 2.35 on), white space, other escapes, and members of a later
/// version make no difference. Entries must be sorted by the bytes of their names, as every Nix writes them.
///
/// Feed it pieces of any size; take what it made of them:
///
///     try reader.feed(bytes)
///     … reader.take() …
///     try reader.finish()
///
/// Nothing recurses. Memory is the text that was not taken, a string of at most 4,095 bytes, and a name for each open
/// directory. After an error it must not be fed again.
package struct NarListingReader: Sendable {
    /// What may come next.
    private enum Expected { case value, firstKey, key, colon, commaOrEnd, nothing }

    /// An object that is open, and an array where it is ignored.
    private enum Frame {
        /// `{"version":1,"root":…}`; whether each of both came.
        case wrapper(hasVersion: Bool, hasRoot: Bool)
        case node(Node)
        /// The map of a directory's names; the last one.
        case entries([UInt8]?)
        /// Within the value of a member that we do not know.
        case ignored(isArray: Bool)
    }

    /// The members of a file, a directory or a link, as far as they came.
    private struct Node {
        var kind: [UInt8]?
        var hasEntries = false
        var byteCount: Int64?
        var contentsOffset: Int64?
        var isExecutable = false
        var target: [UInt8]?
    }

    /// Two for each directory, and one more.
    private static let framesMax = 2 * NarReader.depthMaxDefault + 1

    private var writer = NarListingWriter()
    private var scanner = JSONPieces()
    private var frames: [Frame] = []
    private var expected = Expected.value
    /// The member whose value comes next.
    private var key: [UInt8] = []

    package init() {}

    /// The text that was not taken yet, in the writer's form.
    package mutating func take() -> [UInt8] { writer.take() }

    /// Takes the next bytes of the document.
    package mutating func feed(_ bytes: UnsafeRawBufferPointer) throws(NarListingError) {
        var position = 0
        while let piece = try unsafe scanner.next(in: bytes, at: &position) { try add(piece) }
    }

    /// To be asked after the last bytes: whether the document was whole.
    package mutating func finish() throws(NarListingError) {
        if let word = scanner.finish() { try add(word) }
        guard expected == .nothing else { throw fail("it ends too early") }
    }

    private func fail(_ reason: String) -> NarListingError { NarListingError(offset: scanner.offset, reason: reason) }

    private mutating func add(_ piece: JSONPieces.Piece) throws(NarListingError) {
        switch (piece, expected) {
        case (.string(let text), .value):
            try value(string: text)
            expected = .commaOrEnd
        case (.word(let text), .value):
            try value(word: text)
            expected = .commaOrEnd
        case (.mark(UInt8(ascii: "{")), .value):
            try open(isArray: false)
        case (.mark(UInt8(ascii: "[")), .value):
            try open(isArray: true)
        case (.string(let text), .firstKey), (.string(let text), .key):
            key = text
            try checkEntry()
            expected = .colon
        case (.mark(UInt8(ascii: ":")), .colon):
            expected = .value
        case (.mark(UInt8(ascii: ",")), .commaOrEnd):
            expected = isInArray ? .value : .key
        case (.mark(UInt8(ascii: "}")), .firstKey), (.mark(UInt8(ascii: "}")), .commaOrEnd):
            if isInArray { throw fail("\"}\" is not expected here") }
            try close()
        case (.mark(UInt8(ascii: "]")), .value), (.mark(UInt8(ascii: "]")), .commaOrEnd):
            if !isInArray { throw fail("\"]\" is not expected here") }
            try close()
        default:
            throw fail("\(piece) is not expected here")
        }
    }

    private var isInArray: Bool {
        if case .ignored(isArray: true)? = frames.last { true } else { false }
    }

    // MARK: Objects

    private mutating func open(isArray: Bool) throws(NarListingError) {
        if frames.count == NarListingReader.framesMax { throw fail("it nests too deeply") }
        expected = isArray ? .value : .firstKey
        var inner = Frame.ignored(isArray: isArray)
        switch frames.last {
        case nil:
            inner = .wrapper(hasVersion: false, hasRoot: false)
        case .wrapper(let hasVersion, let hasRoot):
            if key == Array("root".utf8) {
                if hasRoot { throw fail("\"root\" comes twice") }
                frames[frames.count - 1] = .wrapper(hasVersion: hasVersion, hasRoot: true)
                inner = .node(Node())
            }
        case .entries:
            inner = .node(Node())
        case .node(var node):
            if key == Array("entries".utf8) {
                if node.hasEntries { throw fail("\"entries\" comes twice") }
                node.hasEntries = true
                frames[frames.count - 1] = .node(node)
                inner = .entries(nil)
                writer.add(.directoryBegin)
            }
        case .ignored:
            break
        }
        if isArray, case .ignored = inner {} else if isArray { throw fail("an object is expected here, not an array") }
        frames.append(inner)
    }

    private mutating func close() throws(NarListingError) {
        switch frames.removeLast() {
        case .wrapper(let hasVersion, let hasRoot):
            if !hasVersion { throw fail("it has no \"version\"") }
            if !hasRoot { throw fail("it has no \"root\"") }
        case .node(let node):
            try end(node)
        case .entries, .ignored:
            break
        }
        expected = frames.isEmpty ? .nothing : .commaOrEnd
    }

    private mutating func end(_ node: Node) throws(NarListingError) {
        guard let kind = node.kind else { throw fail("a node has no \"type\"") }
        switch String(decoding: kind, as: UTF8.self) {
        case "directory":
            guard node.hasEntries else { throw fail("a directory has no \"entries\"") }
            writer.add(.directoryEnd)
            return
        case "regular":
            guard let byteCount = node.byteCount else { throw fail("a file has no \"size\"") }
            // Offset 0 is where the NAR's own first word lies: Nix writes none where it knows none.
            writer.add(.fileBegin(
                byteCount: byteCount, isExecutable: node.isExecutable, contentsOffset: node.contentsOffset ?? 0))
        case "symlink":
            guard let target = node.target else { throw fail("a symbolic link has no \"target\"") }
            writer.add(.symbolicLink(target: target))
        default:
            throw fail("a node's \"type\" is none of \"regular\", \"directory\" and \"symlink\"")
        }
        if node.hasEntries { throw fail("only a directory has \"entries\"") }
    }

    /// A name in a directory, where the key that came is one.
    private mutating func checkEntry() throws(NarListingError) {
        guard case .entries(let last)? = frames.last else { return }
        guard key.count <= NarReader.nameByteCountMax, !key.isEmpty, !key.contains(0), !key.contains(UInt8(ascii: "/")) else {
            throw fail("an entry's name is empty, too long, or holds a slash or a NUL")
        }
        if let last, !last.lexicographicallyPrecedes(key) {
            throw fail("the entries of a directory are not sorted by the bytes of their names, each once")
        }
        frames[frames.count - 1] = .entries(key)
        writer.add(.entry(name: key))
    }

    // MARK: Values

    private mutating func value(string text: [UInt8]) throws(NarListingError) {
        switch frames.last {
        case .node(var node):
            switch String(decoding: key, as: UTF8.self) {
            case "type": node.kind = text
            case "target": node.target = text
            case "size", "narOffset", "executable", "entries": throw fail("a string is not expected here")
            default: return
            }
            frames[frames.count - 1] = .node(node)
        case .wrapper where key == Array("version".utf8) || key == Array("root".utf8), .entries, nil:
            throw fail("a string is not expected here")
        case .wrapper, .ignored:
            break
        }
    }

    private mutating func value(word text: [UInt8]) throws(NarListingError) {
        let word = String(decoding: text, as: UTF8.self)
        switch frames.last {
        case .node(var node):
            switch String(decoding: key, as: UTF8.self) {
            case "size": node.byteCount = try number(word)
            case "narOffset": node.contentsOffset = try number(word)
            case "executable":
                guard word == "true" || word == "false" else { throw fail("\"executable\" is neither true nor false") }
                node.isExecutable = word == "true"
            case "type", "target", "entries": throw fail("\(word) is not expected here")
            default: return
            }
            frames[frames.count - 1] = .node(node)
        case .wrapper(_, let hasRoot):
            switch String(decoding: key, as: UTF8.self) {
            case "version":
                guard word == "1" else { throw fail("its version is \(word), and not 1") }
                frames[frames.count - 1] = .wrapper(hasVersion: true, hasRoot: hasRoot)
            case "root": throw fail("\(word) is not expected here")
            default: break
            }
        case .entries, nil: throw fail("\(word) is not expected here")
        case .ignored: break
        }
    }

    private func number(_ word: String) throws(NarListingError) -> Int64 {
        guard word.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int64(word) else {
            throw fail("\(word) is not a number of bytes")
        }
        return number
    }
}
