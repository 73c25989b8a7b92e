import Glibc
import Nix
import Platform

/// Bytes of a NAR in a block of memory, put together from parts: small files are read into it; larger ones, and those for which
/// there is no room left, stand beside it as files, a few of them open, to be sent from the file system's memory.
///
/// Thread: one at a time.
struct NarBlock: Sendable {
    /// A file that comes behind the bytes up to `end`.
    struct LargeFile: Sendable {
        let end: Int
        /// Nil where so many wait already that it is opened again when it is sent.
        let file: OpenFile?
        let status: FileStatus
        fileprivate let item: NarPart.Item
        fileprivate let part: NarPart
    }

    /// From this many bytes on a file stays a file: below, a copy costs less than the calls.
    static let largeFileBytesMin: Int64 = 64 << 10
    /// Entries of a part at most. All of them may be links, and each has room for the longest target.
    static let partItemsMax = 32
    /// Bytes of tokens of a part at most.
    static let partTokenBytesMax = 16 << 10
    /// Directories of a part at most, beside those around them: they stay open as long as it is not read.
    static let partDirectoriesMax = 16
    /// Larger files that stay open until they are sent.
    static let openLargeFilesMax = 4
    /// A link's target with its NUL, at most; more would not be a path.
    private static let targetByteCountMax = Int(PATH_MAX)
    /// What an item takes beside its contents: its kind, a length, padding, and the byte by which a file that grew is noticed.
    private static let itemByteCountMax = 256

    let room: ByteBlock
    private let contentBytesMax: Int
    private(set) var filled = 0
    private(set) var largeFiles: [LargeFile] = []
    /// Bytes of the files that were looked at and are not large, whether they had room or not.
    private(set) var smallFileBytes = 0

    /// - Parameters:
    ///   - contentBytesMax: up to here contents of files are put into it.
    ///   - room: of `roomByteCount(contentBytesMax:items:)`, for parts of so many items.
    init(contentBytesMax: Int, room: ByteBlock) {
        self.contentBytesMax = contentBytesMax
        self.room = room
    }

    /// Room for `contentBytesMax`, and for one part behind that, however long its links are. Only memory that is touched is taken.
    static func roomByteCount(contentBytesMax: Int, items: Int) -> Int {
        contentBytesMax + partTokenBytesMax + items * (targetByteCountMax + itemByteCountMax)
    }

    /// Some of what was put together.
    func bytes(_ range: Range<Int>) -> UnsafeRawBufferPointer { unsafe room.bytes(range) }

    /// Whether the next file finds no room. One part more has room for all else.
    var isFull: Bool { filled >= contentBytesMax }
    /// Whether it may find none.
    var isNearlyFull: Bool { filled > contentBytesMax - Int(Self.largeFileBytesMin) }

    /// Forgets what was put together, which has gone.
    mutating func clear() {
        filled = 0
        largeFiles.removeAll(keepingCapacity: true)
    }

    /// Appends a part. Files are opened and read meanwhile.
    mutating func append(_ part: NarPart) throws(NarDumpError) {
        var tokenStart = 0
        for item in part.items {
            put(part.tokens, tokenStart..<item.tokenEnd)
            tokenStart = item.tokenEnd
            switch item.source {
            case .root, .file:
                try appendFile(item, part)
            case .link(let name, let directory):
                do throws(Errno) { try appendLink(name, part, part.directories[directory].file) } catch {
                    throw .system(SystemError("read link", part.path(of: item), error))
                }
            }
        }
        put(part.tokens, tokenStart..<part.tokens.count)
    }

    /// The file that is sent now, opened again where it was closed.
    static func open(_ large: LargeFile) throws(NarDumpError) -> OpenFile {
        if let file = large.file { return file }
        let (file, status) = try open(large.item, large.part)
        guard status.inode == large.status.inode, status.byteCount == large.status.byteCount,
            status.isExecutableByOwner == large.status.isExecutableByOwner
        else { throw .changed(path: path(of: large), how: "became another") }
        return file
    }

    /// The path of a larger file, for errors.
    static func path(of large: LargeFile) -> String { large.part.path(of: large.item) }

    /// Opens a file of a part.
    private static func open(_ item: NarPart.Item, _ part: NarPart) throws(NarDumpError) -> (OpenFile, FileStatus) {
        let file: OpenFile
        switch item.source {
        case .root(let root): file = root
        case .link: preconditionFailure("a link is not opened")
        case .file(let name, let directory):
            let parent = part.directories[directory].file
            do throws(Errno) {
                file = OpenFile(try unsafe part.names.span.withUnsafeBytes { names throws(Errno) in
                    guard let base = names.baseAddress else { throw Errno.noSuchFile }
                    return try unsafe parent.descriptor.openFile(named: (base + name).assumingMemoryBound(to: CChar.self))
                })
            } catch { throw NarDumpError(opening: part.path(of: item), error) }
        }
        do throws(Errno) {
            let status = try file.descriptor.status()
            if status.kind == .regular { return (file, status) }
        } catch { throw .system(SystemError("look at", part.path(of: item), error)) }
        throw .changed(path: part.path(of: item), how: "became something else")
    }

    private mutating func appendFile(_ item: NarPart.Item, _ part: NarPart) throws(NarDumpError) {
        let (file, status) = try Self.open(item, part)
        put(status.isExecutableByOwner ? NarTokens.executable : NarTokens.regular)
        putLength(status.byteCount)
        let isSmall = status.byteCount < Self.largeFileBytesMin
        if isSmall { smallFileBytes += Int(status.byteCount) }
        if isSmall && filled + Int(status.byteCount) <= contentBytesMax {
            try read(file, Int(status.byteCount), item, part)
        } else {
            largeFiles.append(LargeFile(
                end: filled, file: largeFiles.count < Self.openLargeFilesMax ? file : nil, status: status, item: item, part: part))
        }
        putZeros(NarTokens.paddingByteCount(after: status.byteCount))
        put(NarTokens.close)
    }

    /// Reads the contents, and one byte more than there should be where the file ends: it costs no call of its own, and shows
    /// that the file has grown.
    private mutating func read(
        _ file: OpenFile, _ byteCount: Int, _ item: NarPart.Item, _ part: NarPart
    ) throws(NarDumpError) {
        var remaining = byteCount
        repeat {
            let count: Int
            do throws(Errno) {
                count = try unsafe file.descriptor.read(into: room.memory(filled..<(filled + remaining + 1)))
            } catch { throw .system(SystemError("read", part.path(of: item), error)) }
            if count > remaining { throw .changed(path: part.path(of: item), how: "grew") }
            if count == 0 && remaining > 0 { throw .changed(path: part.path(of: item), how: "became shorter") }
            filled += count
            remaining -= count
        } while remaining > 0
    }

    private mutating func appendLink(_ name: Int, _ part: NarPart, _ parent: OpenFile) throws(Errno) {
        put(NarTokens.symbolicLink)
        // The target first, behind the place of its length.
        let place = unsafe room.memory((filled + 8)..<(filled + 8 + Self.targetByteCountMax))
        let count = try unsafe part.names.span.withUnsafeBytes { names throws(Errno) in
            guard let base = names.baseAddress else { throw Errno.noSuchFile }
            return try unsafe parent.descriptor.readLink(
                named: (base + name).assumingMemoryBound(to: CChar.self), into: place)
        }
        putLength(Int64(count))
        filled += count
        putZeros(NarTokens.paddingByteCount(after: Int64(count)))
        put(NarTokens.close)
    }

    private mutating func put(_ run: [UInt8]) { put(run, 0..<run.count) }

    private mutating func put(_ run: [UInt8], _ range: Range<Int>) {
        if range.isEmpty { return }
        unsafe run.span.withUnsafeBytes { bytes in
            unsafe room.memory(filled..<(filled + range.count)).copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[range]))
        }
        filled += range.count
    }

    private mutating func putLength(_ length: Int64) {
        unsafe room.memory(filled..<(filled + 8)).storeBytes(of: length.littleEndian, as: Int64.self)
        filled += 8
    }

    private mutating func putZeros(_ count: Int) {
        // Never more than 7: a word covers them, and what it covers beyond them is written again.
        unsafe room.memory(filled..<(filled + 8)).storeBytes(of: 0, as: UInt64.self)
        filled += count
    }
}
