import Testing

@testable import Nix

/// Events as text, with the contents put together again, so that every way to feed gives the same.
private func describe(_ pieces: [[UInt8]], depthMax: Int = 64) throws -> [String] {
    var reader = NarReader(depthMax: depthMax)
    var lines: [String] = []
    var contents: [UInt8] = []
    for piece in pieces {
        var position = 0
        while let event = try reader.next(in: piece, at: &position) {
            switch event {
            case .directoryBegin: lines.append("directory")
            case .directoryEnd: lines.append("end")
            case .entry(let name): lines.append("entry \(String(decoding: name, as: UTF8.self))")
            case .fileBegin(let count, let isExecutable, let offset):
                lines.append("file \(count) \(isExecutable) at \(offset)")
            case .fileBytes(let range): contents += piece[range]
            case .fileEnd:
                lines.append("contents \(contents)")
                contents = []
            case .symbolicLink(let target): lines.append("link \(String(decoding: target, as: UTF8.self))")
            }
        }
        #expect(position == piece.count)
    }
    try reader.finish()
    #expect(reader.byteCount == Int64(pieces.reduce(0) { $0 + $1.count }))
    return lines
}

private func tree() -> [UInt8] {
    var writer = NarWriter()
    writer.beginDirectory()
    writer.entry(name: "a file of odd length")
    writer.file(Array("hello".utf8))
    writer.entry(name: "b")
    writer.beginDirectory()
    writer.endDirectory()
    writer.entry(name: "c")
    writer.beginDirectory()
    writer.entry(name: "eightby8")
    writer.file([], isExecutable: true)
    writer.entry(name: "ü-名")
    writer.file(Array("exactly8".utf8), isExecutable: true)
    writer.endDirectory()
    writer.entry(name: "d")
    writer.symbolicLink(target: "../does/not/exist")
    writer.endDirectory()
    #expect(writer.isAtEnd)
    return writer.bytes
}

private let treeEvents = [
    "directory", "entry a file of odd length", "file 5 false at 256", "contents \(Array("hello".utf8))", "entry b", "directory", "end",
    "entry c", "directory", "entry eightby8", "file 0 true at 800", "contents []", "entry ü-名", "file 8 true at 1008",
    "contents \(Array("exactly8".utf8))", "end", "entry d", "link ../does/not/exist", "end",
]

@Test("A NAR reads the same whole, byte by byte, and split at every position")
func splits() throws {
    let bytes = tree()
    let whole = try describe([bytes])
    #expect(whole.map { $0.replacing(#/ at \d+/#, with: "") } == treeEvents.map { $0.replacing(#/ at \d+/#, with: "") })
    #expect(try describe(bytes.map { [$0] }) == whole)
    for split in 0...bytes.count {
        #expect(try describe([Array(bytes[..<split]), Array(bytes[split...])]) == whole)
    }
}

@Test("A file's contents are where its event says")
func offsets() throws {
    let bytes = tree()
    var reader = NarReader()
    var position = 0
    var found: [[UInt8]] = []
    while let event = try reader.next(in: bytes, at: &position) {
        if case .fileBegin(let count, _, let offset) = event { found.append(Array(bytes[Int(offset)..<Int(offset + count)])) }
    }
    #expect(found == [Array("hello".utf8), [], Array("exactly8".utf8)])
}

/// A NAR of one file, byte for byte as the format's definition has it.
@Test("The writer's bytes are those of the definition")
func definition() {
    var writer = NarWriter()
    writer.file(Array("hi".utf8), isExecutable: true)
    func string(_ text: String) -> [UInt8] {
        let bytes = Array(text.utf8)
        return [UInt8(bytes.count), 0, 0, 0, 0, 0, 0, 0] + bytes + [UInt8](repeating: 0, count: (8 - bytes.count % 8) % 8)
    }
    let words = ["nix-archive-1", "(", "type", "regular", "executable", "", "contents", "hi", ")"]
    #expect(writer.bytes == words.flatMap(string))
}

@Test("A file or a link can be the root")
func roots() throws {
    var file = NarWriter()
    file.file([1])
    #expect(try describe([file.bytes]) == ["file 1 false at 96", "contents [1]"])
    var link = NarWriter()
    link.symbolicLink(target: "/x")
    #expect(try describe([link.take()]) == ["link /x"])
}

@Test("A NAR that stops early is truncated, wherever it stops")
func truncation() throws {
    let bytes = tree()
    for count in 0..<bytes.count {
        #expect(throws: NarError(offset: Int64(count), reason: .truncated)) { try describe([Array(bytes[..<count])]) }
    }
}

@Test("Bytes after the end are refused at once")
func trailing() throws {
    let bytes = tree()
    #expect(throws: NarError(offset: Int64(bytes.count), reason: .trailingBytes)) { try describe([bytes + [0]]) }
    #expect(throws: NarError(offset: Int64(bytes.count), reason: .trailingBytes)) { try describe([bytes, [1]]) }
}

private func directory(_ names: [[UInt8]]) -> [UInt8] {
    var bytes = NarTokens.magic + NarTokens.directory
    for name in names {
        bytes += NarTokens.entry
        NarTokens.append(name, to: &bytes)
        bytes += NarTokens.node + NarTokens.directory + NarTokens.close + NarTokens.close
    }
    return bytes + NarTokens.close
}

private func reason(_ bytes: [UInt8], depthMax: Int = 64) -> NarError.Reason? {
    do {
        _ = try describe([bytes], depthMax: depthMax)
        return nil
    } catch let error as NarError {
        // What is wrong does not depend on how it comes in, nor where.
        var again: NarError?
        do { _ = try describe(bytes.map { [$0] }, depthMax: depthMax) } catch let other as NarError { again = other } catch {}
        #expect(again == error)
        return error.reason
    } catch {
        return nil
    }
}

@Test("Names that could leave the directory, or are none, are refused", arguments: ["", ".", "..", "a/b", "/", "a\0b", "\0"])
func names(_ name: String) {
    #expect(reason(directory([Array(name.utf8)])) == .invalidName(name))
}

@Test("Names are sorted by their bytes, each once")
func sorting() {
    #expect(reason(directory([[0x61], [0x62], [0x7f], [0x80], [0xff], [0xff, 0x01]])) == nil)
    #expect(reason(directory([[0x61], [0x61]])) == .notSorted("a", after: "a"))
    #expect(reason(directory([[0x62], [0x61]])) == .notSorted("a", after: "b"))
    #expect(reason(directory([[0x61, 0x61], [0x61]])) == .notSorted("a", after: "aa"))
    // A directory within does not change what its parent's next name is compared with.
    var bytes = NarTokens.magic + NarTokens.directory + NarTokens.entry
    NarTokens.append(Array("b".utf8), to: &bytes)
    bytes += NarTokens.node + directory([Array("z".utf8)]).dropFirst(NarTokens.magic.count) + NarTokens.close + NarTokens.entry
    NarTokens.append(Array("a".utf8), to: &bytes)
    #expect(reason(bytes) == .notSorted("a", after: "b"))
}

@Test("Lengths beyond their bounds are refused before anything is kept")
func lengths() {
    #expect(reason(directory([[UInt8](repeating: 0x61, count: 255)])) == nil)
    #expect(reason(directory([[UInt8](repeating: 0x61, count: 256)])) == .stringTooLong(byteCount: 256, max: 255))
    var link = NarTokens.magic + NarTokens.symbolicLink
    NarTokens.append([UInt8](repeating: 0x61, count: 4096), to: &link)
    #expect(reason(link) == .stringTooLong(byteCount: 4096, max: 4095))
    #expect(reason(NarTokens.magic + NarTokens.regular + [UInt8](repeating: 0xff, count: 8)) == .fileTooLarge)
    #expect(reason(NarTokens.magic + [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]) == .stringTooLong(byteCount: 0xffff_ffff, max: 16))
}

@Test("Links need a target without NUL")
func targets() {
    for target in ["", "a\0"] {
        var bytes = NarTokens.magic + NarTokens.symbolicLink
        NarTokens.append(Array(target.utf8), to: &bytes)
        #expect(reason(bytes + NarTokens.close) == .invalidTarget(target))
    }
}

@Test("Another word in any place is refused")
func words() {
    #expect(reason(Array("hello, this is no archive".utf8)) == .notANar)
    #expect(reason(NarTokens.run("nix-archive-2")) == .notANar)
    let magic = NarTokens.magic
    #expect(reason(magic + NarTokens.run("[")) == .unexpectedWord("[", expected: "\"(\""))
    #expect(reason(magic + NarTokens.run("(", "kind")) == .unexpectedWord("kind", expected: "\"type\""))
    #expect(
        reason(magic + NarTokens.run("(", "type", "socket"))
            == .unexpectedWord("socket", expected: "\"regular\", \"directory\" or \"symlink\""))
    #expect(
        reason(magic + NarTokens.run("(", "type", "regular", "executable", "yes"))
            == .unexpectedWord("yes", expected: "an empty word"))
    #expect(
        reason(magic + NarTokens.run("(", "type", "directory", "name")) == .unexpectedWord("name", expected: "\"entry\" or \")\""))
    #expect(reason(magic + NarTokens.run("(", "type", "regular", ")")) == .unexpectedWord(")", expected: "\"executable\" or \"contents\""))
}

@Test("Padding that is not zero is refused, behind words, names, targets and contents")
func padding() {
    let bytes = tree()
    var zeroCount = 0
    for index in bytes.indices where bytes[index] == 0 {
        var changed = bytes
        changed[index] = 1
        // Every zero of this tree is padding or part of a length; neither may change unnoticed.
        #expect(throws: NarError.self) { try describe([changed]) }
        zeroCount += 1
    }
    #expect(zeroCount > 100)
    let file = { () -> [UInt8] in
        var writer = NarWriter()
        writer.file([1])
        return writer.bytes
    }()
    var changed = file
    changed[file.count - NarTokens.close.count - 1] = 1
    #expect(reason(changed) == .paddingNotZero)
}

@Test("Depth is bounded, and nothing recurses")
func depth() {
    func nested(_ depth: Int) -> [UInt8] {
        var writer = NarWriter()
        for _ in 0..<depth {
            writer.beginDirectory()
            writer.entry(name: "d")
        }
        writer.file([])
        for _ in 0..<depth { writer.endDirectory() }
        return writer.bytes
    }
    #expect(reason(nested(2), depthMax: 3) == nil)
    #expect(reason(nested(3), depthMax: 3) == .tooDeep(max: 3))
    #expect(reason(nested(1000), depthMax: 1001) == nil)
}

@Test("No change of a single byte makes the reader trap or run on")
func mutations() throws {
    let bytes = tree()
    for index in bytes.indices {
        for change: UInt8 in [1, 0x20, 0x80, 0xff] {
            var changed = bytes
            changed[index] ^= change
            _ = try? describe([changed])
        }
    }
}

@Test("What is said of a long name is short")
func longNames() {
    let name = String(repeating: "ä", count: 120)
    let error = NarError(offset: 7, reason: .notSorted(name, after: "b"))
    #expect(error.description == "the NAR is malformed at byte 7: the name \"\(String(repeating: "ä", count: 100))…\" does not sort after \"b\"")
}

@Test("What is said of a word or name has no control characters of it")
func controlsInErrors() {
    let word = NarError(offset: 80, reason: .unexpectedWord("entr\u{1}\u{9B}", expected: "\"entry\""))
    #expect(word.description == "the NAR is malformed at byte 80: expected \"entry\", found \"entr??\"")
    #expect(NarError(offset: 0, reason: .invalidName("a\nb")).description.hasSuffix("\"a?b\" cannot be a file's name"))
}
