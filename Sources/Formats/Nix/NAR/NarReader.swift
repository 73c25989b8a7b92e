/// What stands in a NAR, in the order of its bytes.
package enum NarEvent: Hashable, Sendable {
    case directoryBegin
    /// The name of what the next event begins, in the directory that is open. Any bytes but `/` and NUL.
    case entry(name: [UInt8])
    case directoryEnd
    /// A regular file. Its contents are `byteCount` bytes from `contentsOffset` of the NAR.
    case fileBegin(byteCount: Int64, isExecutable: Bool, contentsOffset: Int64)
    /// The next bytes of that file: this range of the bytes that were just fed. Never empty.
    case fileBytes(Range<Int>)
    case fileEnd
    case symbolicLink(target: [UInt8])
}

/// Reads a NAR as it comes in, and checks all that Nix checks when it unpacks one
/// (nix/src/libutil/archive.cc, `parseDump`).
///
/// Feed it pieces of any size; contents of files are not copied, the events name ranges of the piece:
///
///     var position = 0
///     while let event = try reader.next(in: bytes, at: &position) { … }
///
/// `next` answers nil when the piece is used up; after the last piece `finish` says whether the NAR was whole. Nothing
/// recurses and memory is bounded: a name for each open directory, and one name or target of at most 4,095 bytes.
/// After an error the reader must not be fed again.
package struct NarReader: Sendable {
    /// Bytes of a name, as Nix bounds them since 2.35: what file systems take.
    package static let nameByteCountMax = 255
    /// Bytes of a symbolic link's target, likewise.
    package static let targetByteCountMax = 4095
    /// Nodes within one another that are read. Nix since 2.35 takes 64, before that it took what its stack held and
    /// what PATH_MAX (4,096) let it write; such NARs exist and are to be kept.
    package static let depthMaxDefault = 1024

    private let depthMax: Int
    private var step = Step.magic
    /// Bytes of the NAR before `position` of the piece in hand.
    private var consumed: Int64 = 0
    /// Where the word, string or padding in hand begins.
    private var tokenOffset: Int64 = 0
    /// A 64-bit number of which only the first bytes have come.
    private var partial: UInt64 = 0
    private var partialByteCount: UInt64 = 0
    /// The keyword in hand, and which part of it comes next: 0 length, 1 first bytes, 2 second bytes.
    private var tag = NarTag(byteCount: 0, low: 0, high: 0)
    private var tagPart = 0
    /// The name or target in hand; how many bytes it will have.
    private var text: [UInt8] = []
    private var textByteCount = 0
    private var remaining: Int64 = 0
    private var isExecutable = false
    /// The last name in each open directory; empty before the first.
    private var lastNames: [[UInt8]] = []

    package init(depthMax: Int = NarReader.depthMaxDefault) { self.depthMax = depthMax }

    /// How many bytes of the NAR have been read.
    package var byteCount: Int64 { consumed }

    /// Whether the last byte of the NAR has been read.
    package var isAtEnd: Bool { step == .end }

    /// To be asked after the last piece.
    ///
    /// - Throws: `.truncated` where the NAR has not ended. (Bytes behind its end are refused by `next`.)
    package func finish() throws(NarError) {
        if step != .end { throw NarError(offset: consumed, reason: .truncated) }
    }

    /// The next event of a NAR that is in memory as an array.
    package mutating func next(in bytes: [UInt8], at position: inout Int) throws(NarError) -> NarEvent? {
        // Not `array.withUnsafeBytes`, which rethrows untyped.
        try unsafe bytes.span.withUnsafeBytes { buffer throws(NarError) in
            try unsafe next(in: buffer, at: &position)
        }
    }

    /// The next event, or nil when `bytes` is used up.
    ///
    /// - Parameters:
    ///   - bytes: the piece in hand; the same at each call until nil is answered.
    ///   - position: where in `bytes` to go on: 0 at first, moved past what was read.
    package mutating func next(in bytes: UnsafeRawBufferPointer, at position: inout Int) throws(NarError) -> NarEvent? {
        let start = position
        let before = consumed
        defer { consumed = before + Int64(position - start) }
        while true {
            // Offset of `position` in the NAR, for errors and events; `consumed` itself moves on the way out.
            let offset = before + Int64(position - start)
            let isWithinText = (step == .nameBytes || step == .targetBytes) && !text.isEmpty
            if tagPart == 0 && partialByteCount == 0 && !isWithinText { tokenOffset = offset }
            switch step {
            case .magic:
                guard try unsafe readTag(in: bytes, at: &position) else { return nil }
                if tag != .magic { throw fail(.notANar) }
                step = .open
            case .open:
                guard try unsafe expect(.open, "\"(\"", in: bytes, at: &position) else { return nil }
                if lastNames.count >= depthMax { throw fail(.tooDeep(max: depthMax)) }
                step = .type
            case .type:
                guard try unsafe expect(.type, "\"type\"", in: bytes, at: &position) else { return nil }
                step = .kind
            case .kind:
                guard try unsafe readTag(in: bytes, at: &position) else { return nil }
                switch tag {
                case .regular:
                    isExecutable = false
                    step = .regular
                case .symlink:
                    step = .target
                case .directory:
                    step = .directory
                    lastNames.append([])
                    return .directoryBegin
                default:
                    throw unexpected("\"regular\", \"directory\" or \"symlink\"")
                }
            case .regular:
                guard try unsafe readTag(in: bytes, at: &position) else { return nil }
                switch tag {
                case .executable:
                    isExecutable = true
                    step = .executable
                case .contents:
                    step = .contentsLength
                default:
                    throw unexpected("\"executable\" or \"contents\"")
                }
            case .executable:
                guard try unsafe expect(.empty, "an empty word", in: bytes, at: &position) else { return nil }
                step = .contents
            case .contents:
                guard try unsafe expect(.contents, "\"contents\"", in: bytes, at: &position) else { return nil }
                step = .contentsLength
            case .contentsLength:
                guard let word = unsafe readWord(in: bytes, at: &position) else { return nil }
                guard let length = Int64(exactly: word) else { throw fail(.fileTooLarge) }
                remaining = length
                textByteCount = NarTokens.paddingByteCount(after: length)
                step = .fileBytes
                let contents = before + Int64(position - start)
                return .fileBegin(byteCount: length, isExecutable: isExecutable, contentsOffset: contents)
            case .fileBytes:
                if remaining == 0 {
                    step = .filePadding
                    continue
                }
                let count = Int(min(remaining, Int64(bytes.count - position)))
                if count == 0 { return nil }
                remaining -= Int64(count)
                position += count
                return .fileBytes(position - count..<position)
            case .filePadding:
                guard try unsafe readPadding(in: bytes, at: &position) else { return nil }
                step = .fileClose
            case .fileClose:
                guard try unsafe expect(.close, "\")\"", in: bytes, at: &position) else { return nil }
                step = afterNode
                return .fileEnd
            case .directory:
                guard try unsafe readTag(in: bytes, at: &position) else { return nil }
                switch tag {
                case .entry:
                    step = .entryOpen
                case .close:
                    lastNames.removeLast()
                    step = afterNode
                    return .directoryEnd
                default:
                    throw unexpected("\"entry\" or \")\"")
                }
            case .entryOpen:
                guard try unsafe expect(.open, "\"(\"", in: bytes, at: &position) else { return nil }
                step = .nameTag
            case .nameTag:
                guard try unsafe expect(.name, "\"name\"", in: bytes, at: &position) else { return nil }
                step = .nameLength
            case .nameLength:
                guard try unsafe readLength(max: Self.nameByteCountMax, in: bytes, at: &position) else { return nil }
                step = .nameBytes
            case .nameBytes:
                guard unsafe readText(in: bytes, at: &position) else { return nil }
                try checkName()
                textByteCount = NarTokens.paddingByteCount(after: Int64(textByteCount))
                step = .namePadding
            case .namePadding:
                guard try unsafe readPadding(in: bytes, at: &position) else { return nil }
                step = .node
                let name = text
                lastNames[lastNames.count - 1] = name
                text = []
                return .entry(name: name)
            case .node:
                guard try unsafe expect(.node, "\"node\"", in: bytes, at: &position) else { return nil }
                step = .open
            case .entryClose:
                guard try unsafe expect(.close, "\")\"", in: bytes, at: &position) else { return nil }
                step = .directory
            case .target:
                guard try unsafe expect(.target, "\"target\"", in: bytes, at: &position) else { return nil }
                step = .targetLength
            case .targetLength:
                guard try unsafe readLength(max: Self.targetByteCountMax, in: bytes, at: &position) else { return nil }
                step = .targetBytes
            case .targetBytes:
                guard unsafe readText(in: bytes, at: &position) else { return nil }
                if text.isEmpty || text.contains(0) { throw fail(.invalidTarget(String(decoding: text, as: UTF8.self))) }
                textByteCount = NarTokens.paddingByteCount(after: Int64(textByteCount))
                step = .targetPadding
            case .targetPadding:
                guard try unsafe readPadding(in: bytes, at: &position) else { return nil }
                step = .linkClose
            case .linkClose:
                guard try unsafe expect(.close, "\")\"", in: bytes, at: &position) else { return nil }
                step = afterNode
                let target = text
                text = []
                return .symbolicLink(target: target)
            case .end:
                if position < bytes.count { throw NarError(offset: offset, reason: .trailingBytes) }
                return nil
            }
        }
    }

    /// Where a NAR goes on when a node has ended.
    private var afterNode: Step { lastNames.isEmpty ? .end : .entryClose }

    private func fail(_ reason: NarError.Reason) -> NarError { NarError(offset: tokenOffset, reason: reason) }

    private func unexpected(_ expected: String) -> NarError {
        fail(.unexpectedWord(tag.text, expected: expected))
    }

    /// Nix: not empty, not `.` or `..`, no slash, no NUL, and greater than the name before it.
    private func checkName() throws(NarError) {
        let dot = UInt8(ascii: ".")
        if text.isEmpty || text == [dot] || text == [dot, dot] || text.contains(UInt8(ascii: "/")) || text.contains(0) {
            throw fail(.invalidName(String(decoding: text, as: UTF8.self)))
        }
        let previous = lastNames[lastNames.count - 1]
        if !previous.lexicographicallyPrecedes(text) {
            throw fail(.notSorted(String(decoding: text, as: UTF8.self), after: String(decoding: previous, as: UTF8.self)))
        }
    }

    private enum Step {
        case magic, open, type, kind
        case regular, executable, contents, contentsLength, fileBytes, filePadding, fileClose
        case directory, entryOpen, nameTag, nameLength, nameBytes, namePadding, node, entryClose
        case target, targetLength, targetBytes, targetPadding, linkClose
        case end
    }
}

// MARK: - Strings and numbers, whole or in pieces

extension NarReader {
    /// A 64-bit number; nil when the piece ends within it, and what came is kept.
    private mutating func readWord(in bytes: UnsafeRawBufferPointer, at position: inout Int) -> UInt64? {
        if partialByteCount == 0 && bytes.count - position >= 8 {
            let word = unsafe bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self)
            position += 8
            return UInt64(littleEndian: word)
        }
        while partialByteCount < 8 {
            if position == bytes.count { return nil }
            unsafe partial |= UInt64(bytes[position]) << (partialByteCount * 8)
            partialByteCount += 1
            position += 1
        }
        defer {
            partial = 0
            partialByteCount = 0
        }
        return partial
    }

    /// A keyword into `tag`, its padding checked; false when the piece ends within it.
    private mutating func readTag(in bytes: UnsafeRawBufferPointer, at position: inout Int) throws(NarError) -> Bool {
        if tagPart == 0 {
            guard let byteCount = unsafe readWord(in: bytes, at: &position) else { return false }
            if byteCount > NarTag.byteCountMax {
                // No keyword is that long; where a NAR should begin, these are simply other bytes.
                if step == .magic { throw fail(.notANar) }
                throw fail(.stringTooLong(byteCount: byteCount, max: Int(NarTag.byteCountMax)))
            }
            tag = NarTag(byteCount: byteCount, low: 0, high: 0)
            if byteCount == 0 { return true }
            tagPart = 1
        }
        if tagPart == 1 {
            guard let word = unsafe readWord(in: bytes, at: &position) else { return false }
            tag.low = word
            if tag.byteCount < 8 && word >> (tag.byteCount * 8) != 0 { throw fail(.paddingNotZero) }
            tagPart = tag.byteCount > 8 ? 2 : 0
        }
        if tagPart == 2 {
            guard let word = unsafe readWord(in: bytes, at: &position) else { return false }
            tag.high = word
            if tag.byteCount < 16 && word >> ((tag.byteCount - 8) * 8) != 0 { throw fail(.paddingNotZero) }
            tagPart = 0
        }
        return true
    }

    /// A keyword that must be this one.
    private mutating func expect(
        _ expected: NarTag, _ name: StaticString, in bytes: UnsafeRawBufferPointer, at position: inout Int
    ) throws(NarError) -> Bool {
        guard try unsafe readTag(in: bytes, at: &position) else { return false }
        if tag != expected { throw unexpected(name.description) }
        return true
    }

    /// The length of a name or target into `textByteCount`.
    private mutating func readLength(
        max: Int, in bytes: UnsafeRawBufferPointer, at position: inout Int
    ) throws(NarError) -> Bool {
        guard let word = unsafe readWord(in: bytes, at: &position) else { return false }
        if word > UInt64(max) { throw fail(.stringTooLong(byteCount: word, max: max)) }
        textByteCount = Int(word)
        return true
    }

    /// The bytes of a name or target into `text`.
    private mutating func readText(in bytes: UnsafeRawBufferPointer, at position: inout Int) -> Bool {
        let count = min(textByteCount - text.count, bytes.count - position)
        unsafe text.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[position..<position + count]))
        position += count
        return text.count == textByteCount
    }

    /// As many zeros as `textByteCount` says.
    private mutating func readPadding(in bytes: UnsafeRawBufferPointer, at position: inout Int) throws(NarError) -> Bool {
        let start = position
        while textByteCount > 0 {
            if position == bytes.count { return false }
            if unsafe bytes[position] != 0 {
                throw NarError(offset: tokenOffset + Int64(position - start), reason: .paddingNotZero)
            }
            position += 1
            textByteCount -= 1
        }
        return true
    }
}
