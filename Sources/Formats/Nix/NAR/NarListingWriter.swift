/// Writes the listing of a NAR from the reader's events: what the tree holds, and where in the NAR each file's contents lie.
///
/// It is the text that Nix writes beside a NAR where `write-nar-listing` is set (nix/src/libstore/nar-accessor.cc, `listNar`,
/// and binary-cache-store.cc, both of 2.8), byte for byte:
///
///     {"version":1,"root":{"type":"directory","entries":{"bin":{"type":"symlink","target":"x"},
///     "x":{"type":"regular","size":4,"executable":true,"narOffset":400}}}}
///
/// without the line break. Entries come in the NAR's order, which is that of their names' bytes. Names and targets are bytes:
/// what of them is no UTF-8 stands as it is, as with Nix, since any replacement would name another file.
///
/// Memory is the text that was not taken, and a byte for each open directory. After the root has ended, no event may follow.
package struct NarListingWriter: Sendable {
    private var text: [UInt8] = Array(#"{"version":1,"root":"#.utf8)
    private var takenByteCount = 0
    /// Whether each open directory has an entry already.
    private var hasEntries: [Bool] = []

    package init() {}

    /// Bytes of the text so far, with those that were taken.
    package var byteCount: Int { takenByteCount + text.count }

    /// Bytes of the text that were not taken yet.
    package var waitingByteCount: Int { text.count }

    /// The text that was not taken yet; the rest of it when the root has ended.
    package mutating func take() -> [UInt8] {
        takenByteCount += text.count
        defer { text = [] }
        return text
    }

    /// Takes the reader's next event.
    package mutating func add(_ event: NarEvent) {
        switch event {
        case .fileBytes, .fileEnd:
            break
        case .fileBegin(let byteCount, let isExecutable, let contentsOffset):
            appendFile(byteCount: byteCount, isExecutable: isExecutable, contentsOffset: contentsOffset)
            endNode()
        case .symbolicLink(let target):
            appendLink(target)
            endNode()
        case .directoryBegin:
            beginDirectory()
        case .entry(let name):
            if hasEntries[hasEntries.count - 1] { text.append(UInt8(ascii: ",")) }
            hasEntries[hasEntries.count - 1] = true
            append(string: name)
            text.append(UInt8(ascii: ":"))
        case .directoryEnd:
            hasEntries.removeLast()
            text += "}}".utf8
            endNode()
        }
    }

    private mutating func beginDirectory() {
        text += #"{"type":"directory","entries":{"#.utf8
        hasEntries.append(false)
    }

    private mutating func appendFile(byteCount: Int64, isExecutable: Bool, contentsOffset: Int64) {
        text += #"{"type":"regular","size":"#.utf8
        text += byteCount.description.utf8
        if isExecutable { text += #","executable":true"#.utf8 }
        text += #","narOffset":"#.utf8
        text += contentsOffset.description.utf8
        text.append(UInt8(ascii: "}"))
    }

    private mutating func appendLink(_ target: [UInt8]) {
        text += #"{"type":"symlink","target":"#.utf8
        append(string: target)
        text.append(UInt8(ascii: "}"))
    }

    /// The root's end is that of the text.
    private mutating func endNode() {
        if hasEntries.isEmpty { text.append(UInt8(ascii: "}")) }
    }

    /// A string with its quotes, escaped as Nix 2.8 does (nix/src/libutil/json.cc, `toJSON`).
    private mutating func append(string: [UInt8]) {
        text.append(UInt8(ascii: "\""))
        for byte in string {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                text.append(UInt8(ascii: "\\"))
                text.append(byte)
            case 0x0a: text += #"\n"#.utf8
            case 0x0d: text += #"\r"#.utf8
            case 0x09: text += #"\t"#.utf8
            case ..<0x20:
                text += #"\u00"#.utf8
                text.append(UInt8(ascii: "0") + byte >> 4)
                text.append(byte & 15 < 10 ? UInt8(ascii: "0") + byte & 15 : UInt8(ascii: "a") + (byte & 15 - 10))
            default: text.append(byte)
            }
        }
        text.append(UInt8(ascii: "\""))
    }
}
