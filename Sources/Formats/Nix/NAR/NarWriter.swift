/// Writes a NAR into memory, event by event; for small trees and for what is not in a file system.
///
/// The order of calls is that of the reader's events; `entry` stands before each node of a directory, names in the
/// order of their bytes. A wrong order is a bug of the caller and traps.
package struct NarWriter: Sendable {
    /// What has been written so far and was not taken.
    package private(set) var bytes = NarTokens.magic
    /// The last name in each open directory; empty before the first.
    private var lastNames: [[UInt8]] = []
    private var expectsNode = true
    private var remaining: Int64 = 0
    private var padding = 0
    private var isInFile = false

    package init() {}

    /// Whether the NAR is whole.
    package var isAtEnd: Bool { lastNames.isEmpty && !expectsNode && !isInFile }

    /// Takes what has been written out of the writer.
    package mutating func take() -> [UInt8] {
        defer { bytes = [] }
        return bytes
    }

    package mutating func beginDirectory() {
        beginNode()
        bytes += NarTokens.directory
        lastNames.append([])
    }

    /// The name of the node that comes next.
    package mutating func entry(name: [UInt8]) {
        precondition(!expectsNode && !isInFile && !lastNames.isEmpty, "an entry stands in a directory, after a whole node")
        precondition(
            lastNames[lastNames.count - 1].lexicographicallyPrecedes(name), "the entries of a directory are sorted by name")
        lastNames[lastNames.count - 1] = name
        bytes += NarTokens.entry
        NarTokens.append(name, to: &bytes)
        bytes += NarTokens.node
        expectsNode = true
    }

    package mutating func entry(name: String) { entry(name: Array(name.utf8)) }

    package mutating func endDirectory() {
        precondition(!expectsNode && !isInFile && !lastNames.isEmpty, "no directory is open")
        lastNames.removeLast()
        endNode()
    }

    /// A whole file.
    package mutating func file(_ contents: [UInt8], isExecutable: Bool = false) {
        beginFile(byteCount: Int64(contents.count), isExecutable: isExecutable)
        fileBytes(contents)
        endFile()
    }

    package mutating func beginFile(byteCount: Int64, isExecutable: Bool = false) {
        precondition(byteCount >= 0, "a file's size is never negative")
        beginNode()
        bytes += isExecutable ? NarTokens.executable : NarTokens.regular
        NarTokens.append(length: byteCount, to: &bytes)
        remaining = byteCount
        padding = NarTokens.paddingByteCount(after: byteCount)
        isInFile = true
    }

    package mutating func fileBytes(_ contents: [UInt8]) {
        precondition(isInFile && Int64(contents.count) <= remaining, "more contents than the file was said to have")
        remaining -= Int64(contents.count)
        bytes += contents
    }

    package mutating func endFile() {
        precondition(isInFile && remaining == 0, "less contents than the file was said to have")
        bytes.append(contentsOf: repeatElement(0, count: padding))
        isInFile = false
        endNode()
    }

    package mutating func symbolicLink(target: [UInt8]) {
        beginNode()
        bytes += NarTokens.symbolicLink
        NarTokens.append(target, to: &bytes)
        endNode()
    }

    package mutating func symbolicLink(target: String) { symbolicLink(target: Array(target.utf8)) }

    private mutating func beginNode() {
        precondition(expectsNode && !isInFile, "a node stands at the root, or after the name of an entry")
        expectsNode = false
    }

    private mutating func endNode() {
        bytes += NarTokens.close
        // The entry that holds it ends with it.
        if !lastNames.isEmpty { bytes += NarTokens.close }
    }
}
