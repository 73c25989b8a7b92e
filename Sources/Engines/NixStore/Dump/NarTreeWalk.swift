import Glibc
import Nix
import Platform

/// One dump of one tree, for `NarDump`.
///
/// Thread: one at a time. Nothing recurses: open directories are a stack, and so are their names (`NameArena`). Of a
/// deep tree only the last directories stay open, so that it does not run out of descriptors; the way back up is `..`,
/// checked by device and inode.
@safe final class NarTreeWalk {
    /// Why the walk ended early.
    enum Stop: Error {
        case tree(NarDumpError)
        /// The sink said that it wants no more.
        case sink
    }

    typealias Sink = (UnsafeRawBufferPointer) -> Bool
    /// Takes so many bytes of a file from its beginning; how many there were, or nil when it wants no more.
    typealias FileSink = (borrowing FileDescriptor, Int64) -> Int64?

    /// A directory that is being dumped.
    private struct Level {
        var directory: OpenFile?
        let device: UInt64
        let inode: UInt64
        let mark: NameArena.Mark
        /// Index of the entry that comes next.
        var next: Int
    }

    /// Directories that are kept open while those within them are dumped.
    private static let openLevelCountMax = 64
    /// What the tokens of one entry take at most: its name, its kind, and a link's target have their own room.
    private static let entryByteCountMax = 1024
    /// A link's target with its NUL, at most; more would not be a path.
    private static let targetByteCountMax = Int(PATH_MAX)
    /// From this many bytes on a file is given to the file sink: below, a copy costs less than the calls.
    private static let fileSinkByteCountMin: Int64 = 64 << 10

    private let root: String
    private let buffer: UnsafeMutableRawPointer
    private let bufferByteCount: Int
    private var filled = 0
    private let listing: UnsafeMutableRawBufferPointer
    private let arena = NameArena()
    private var levels: [Level] = []
    private var files: FileSink?

    init(root: String, bufferByteCount: Int) {
        precondition(bufferByteCount >= 4096, "a dump's buffer has at least 4 KiB")
        self.root = root
        self.bufferByteCount = bufferByteCount
        // Behind the buffer: what one entry's tokens and one target take, so that no single copy needs a check, and the
        // byte by which a file that grew is noticed.
        let slack = Self.entryByteCountMax + Self.targetByteCountMax + 64
        unsafe buffer = .allocate(byteCount: bufferByteCount + slack, alignment: 4096)
        unsafe listing = .allocate(byteCount: 64 << 10, alignment: 8)
    }

    deinit {
        unsafe buffer.deallocate()
        unsafe listing.deallocate()
    }

    func run(files: FileSink?, _ sink: Sink) throws(Stop) {
        self.files = files
        defer { self.files = nil }
        put(NarTokens.magic)
        let status: FileStatus
        do { status = try File.linkStatus(root) } catch { throw .tree(.system(error)) }
        switch status.kind {
        case .regular:
            try unsafe dumpContents(of: try openRoot(.read), sink)
        case .symbolicLink:
            let target: String
            do { target = try File.linkTarget(root) } catch { throw .tree(.system(error)) }
            put(NarTokens.symbolicLink)
            var text: [UInt8] = []
            NarTokens.append(Array(target.utf8), to: &text)
            put(text)
            put(NarTokens.close)
        case .directory:
            try enter(try openRoot(.directory))
            try unsafe walk(sink)
        case .other:
            throw unsupported(nil)
        }
        try unsafe flush(sink)
    }

    // MARK: Directories

    private func walk(_ sink: Sink) throws(Stop) {
        while let level = levels.last {
            if filled > bufferByteCount - Self.entryByteCountMax { try unsafe flush(sink) }
            guard level.next < arena.entries.count else {
                try leave()
                continue
            }
            levels[levels.count - 1].next += 1
            guard let directory = level.directory else { preconditionFailure("the innermost directory is always open") }
            let entry = arena.entries[level.next]
            put(NarTokens.entry)
            unsafe putString(arena.nameBytes(entry))
            put(NarTokens.node)
            switch try kind(of: entry, in: directory) {
            case UInt32(S_IFREG):
                try unsafe dumpContents(of: try openFile(entry, in: directory), sink)
                put(NarTokens.close)
            case UInt32(S_IFLNK):
                try dumpLink(entry, in: directory)
                put(NarTokens.close)
            case UInt32(S_IFDIR):
                try unsafe enter(try openDirectory(named: arena.name(entry), in: directory))
            default:
                throw unsupported(entry)
            }
        }
    }

    private func openRoot(_ access: File.Access) throws(Stop) -> FileDescriptor {
        do { return try File.open(root, access) } catch { throw .tree(.system(error)) }
    }

    private func openFile(_ entry: NameArena.Entry, in directory: OpenFile) throws(Stop) -> FileDescriptor {
        do { return try unsafe directory.descriptor.openFile(named: arena.name(entry)) } catch { throw failure("open", error) }
    }

    private func openDirectory(
        named name: UnsafePointer<CChar>, in directory: OpenFile
    ) throws(Stop) -> FileDescriptor {
        do { return try unsafe directory.descriptor.openDirectory(named: name) } catch { throw failure("open", error) }
    }

    /// The file type bits: from the listing, or asked for where the file system left them out.
    private func kind(of entry: NameArena.Entry, in directory: OpenFile) throws(Stop) -> UInt32 {
        // readdir(3): DT_ values are the file type bits shifted down by 12 (DTTOIF).
        if entry.kind != UInt8(DT_UNKNOWN) { return UInt32(entry.kind) << 12 }
        do { return try unsafe directory.descriptor.fileType(named: arena.name(entry)) } catch { throw failure("look at", error) }
    }

    /// Begins a directory: lists it, and sorts its names.
    private func enter(_ descriptor: consuming FileDescriptor) throws(Stop) {
        if levels.count >= NarReader.depthMaxDefault {
            throw .tree(.tooDeep(path: path, max: NarReader.depthMaxDefault))
        }
        let directory = OpenFile(descriptor)
        let identity = try identity(of: directory)
        let mark = arena.mark
        while true {
            let count: Int
            do { count = try unsafe directory.descriptor.readEntries(into: listing) } catch { throw failure("list", error) }
            if count == 0 { break }
            unsafe arena.take(UnsafeRawBufferPointer(rebasing: listing[..<count]))
        }
        arena.sort(from: mark)
        put(NarTokens.directory)
        levels.append(Level(
            directory: directory, device: identity.device, inode: identity.inode, mark: mark, next: mark.entry))
        if levels.count > Self.openLevelCountMax { levels[levels.count - 1 - Self.openLevelCountMax].directory = nil }
    }

    /// Ends the innermost directory, and the entry that holds it.
    private func leave() throws(Stop) {
        let level = levels.removeLast()
        arena.release(to: level.mark)
        put(NarTokens.close)
        guard let above = levels.last else { return }
        put(NarTokens.close)
        guard above.directory == nil, let below = level.directory else { return }
        let directory = OpenFile(try unsafe openDirectory(named: "..", in: below))
        let found = try identity(of: directory)
        if found.device != above.device || found.inode != above.inode {
            throw .tree(.changed(path: path, how: "was moved"))
        }
        levels[levels.count - 1].directory = directory
    }

    private func identity(of directory: OpenFile) throws(Stop) -> (device: UInt64, inode: UInt64) {
        var raw = stat()
        let descriptor = directory.descriptor.rawValue
        do { try retryingInterrupts { unsafe fstat(descriptor, &raw) } } catch { throw failure("look at", error) }
        return (UInt64(raw.st_dev), UInt64(raw.st_ino))
    }

    // MARK: Files and links

    private func dumpContents(of file: consuming FileDescriptor, _ sink: Sink) throws(Stop) {
        let status: FileStatus
        do { status = try file.status() } catch { throw failure("look at", error) }
        guard status.kind == .regular else { throw .tree(.changed(path: path, how: "became something else")) }
        put(status.isExecutableByOwner ? NarTokens.executable : NarTokens.regular)
        putLength(status.byteCount)
        if let files, status.byteCount >= Self.fileSinkByteCountMin {
            try unsafe handOn(file, status.byteCount, to: files, after: sink)
        } else {
            try unsafe copy(file, status.byteCount, sink)
        }
        putZeros(NarTokens.paddingByteCount(after: status.byteCount))
        put(NarTokens.close)
    }

    /// Has somebody else send the contents, behind what is in the buffer.
    private func handOn(
        _ file: borrowing FileDescriptor, _ byteCount: Int64, to files: FileSink, after sink: Sink
    ) throws(Stop) {
        try unsafe flush(sink)
        guard let count = files(file, byteCount) else { throw .sink }
        if count < byteCount { throw .tree(.changed(path: path, how: "became shorter")) }
        let found: FileStatus
        do { found = try file.status() } catch { throw failure("look at", error) }
        if found.byteCount > byteCount { throw .tree(.changed(path: path, how: "grew")) }
    }

    /// Reads the contents into the buffer.
    private func copy(_ file: borrowing FileDescriptor, _ byteCount: Int64, _ sink: Sink) throws(Stop) {
        var remaining = byteCount
        while true {
            if filled >= bufferByteCount { try unsafe flush(sink) }
            let room = bufferByteCount - filled
            // One byte more than the file should have, where the end is in reach: it costs no call of its own, and
            // shows that the file has grown. Behind the buffer there is room for it.
            let isLast = remaining <= Int64(room)
            let wanted = isLast ? Int(remaining) + 1 : room
            let count: Int
            do {
                count = try unsafe file.read(into: UnsafeMutableRawBufferPointer(start: buffer + filled, count: wanted))
            } catch { throw failure("read", error) }
            if Int64(count) > remaining { throw .tree(.changed(path: path, how: "grew")) }
            if count == 0 && remaining > 0 { throw .tree(.changed(path: path, how: "became shorter")) }
            filled += count
            remaining -= Int64(count)
            if isLast && remaining == 0 { return }
        }
    }

    private func dumpLink(_ entry: NameArena.Entry, in directory: OpenFile) throws(Stop) {
        put(NarTokens.symbolicLink)
        // The target first, behind the place of its length.
        let place = unsafe UnsafeMutableRawBufferPointer(start: buffer + filled + 8, count: Self.targetByteCountMax)
        let count: Int
        do {
            count = try unsafe directory.descriptor.readLink(named: arena.name(entry), into: place)
        } catch { throw failure("read link", error) }
        putLength(Int64(count))
        filled += count
        putZeros(NarTokens.paddingByteCount(after: Int64(count)))
        put(NarTokens.close)
    }

    // MARK: The buffer

    private func put(_ run: [UInt8]) {
        unsafe run.span.withUnsafeBytes { bytes in
            unsafe (buffer + filled).copyMemory(from: bytes.baseAddress ?? UnsafeRawPointer(buffer), byteCount: bytes.count)
        }
        filled += run.count
    }

    private func putString(_ bytes: UnsafeRawBufferPointer) {
        putLength(Int64(bytes.count))
        if let base = bytes.baseAddress { unsafe (buffer + filled).copyMemory(from: base, byteCount: bytes.count) }
        filled += bytes.count
        putZeros(NarTokens.paddingByteCount(after: Int64(bytes.count)))
    }

    private func putLength(_ length: Int64) {
        unsafe buffer.storeBytes(of: length.littleEndian, toByteOffset: filled, as: Int64.self)
        filled += 8
    }

    private func putZeros(_ count: Int) {
        // Never more than 7: a word covers them, and what it covers beyond them is written again.
        unsafe buffer.storeBytes(of: 0, toByteOffset: filled, as: UInt64.self)
        filled += count
    }

    private func flush(_ sink: Sink) throws(Stop) {
        var start = 0
        // Tokens may stand behind the end of the buffer; nobody is handed more than was agreed.
        while start < filled {
            let count = min(filled - start, bufferByteCount)
            if unsafe !sink(UnsafeRawBufferPointer(start: buffer + start, count: count)) { throw .sink }
            start += count
        }
        filled = 0
    }

    // MARK: Errors

    /// The path of what is being dumped, put together again.
    private var path: String {
        var path = root
        for level in levels where level.next > level.mark.entry && level.next <= arena.entries.count {
            path += "/" + arena.text(arena.entries[level.next - 1])
        }
        return path
    }

    private func failure(_ operation: String, _ errno: Errno) -> Stop {
        // What was listed as a file or a directory and is a link by now is not followed.
        if errno.code == ELOOP || errno == .notDirectory { return .tree(.changed(path: path, how: "became something else")) }
        return .tree(.system(SystemError(operation, path, errno)))
    }

    private func unsupported(_ entry: NameArena.Entry?) -> Stop {
        var raw = stat()
        let path = path
        let kind: String
        if unsafe lstat(path, &raw) != 0 {
            kind = "of an unknown kind"
        } else {
            kind = switch raw.st_mode & S_IFMT {
            case S_IFIFO: "a named pipe"
            case S_IFSOCK: "a socket"
            case S_IFCHR: "a character device"
            case S_IFBLK: "a block device"
            default: "of an unknown kind"
            }
        }
        return .tree(.unsupportedKind(path: path, kind: kind))
    }
}
