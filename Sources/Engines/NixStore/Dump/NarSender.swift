import Platform

/// Hands on what was put together, in pieces, and the larger files between.
///
/// Thread: one at a time.
struct NarSender {
    /// Why the dump ended early.
    enum Stop: Error {
        case tree(NarDumpError)
        /// The sink said that it wants no more.
        case sink
    }

    typealias Sink = (UnsafeRawBufferPointer) -> Bool
    /// Takes so many bytes of a file from its beginning; how many there were, or nil when it wants no more.
    typealias FileSink = (borrowing FileDescriptor, Int64) -> Int64?

    private let bufferByteCount: Int
    private let files: FileSink?
    /// For larger files, where they are not handed on as such.
    private var buffer: ByteBlock?

    init(bufferByteCount: Int, files: FileSink?) {
        precondition(bufferByteCount >= 4096, "a dump's buffer has at least 4 KiB")
        self.bufferByteCount = bufferByteCount
        self.files = files
    }

    /// Walks, reads and sends by itself, one file or link after another.
    mutating func send(_ root: String, to sink: Sink) throws(Stop) {
        let walk = NarTreeWalk(root: root)
        var block = NarBlock(
            contentBytesMax: bufferByteCount,
            room: ByteBlock(byteCount: NarBlock.roomByteCount(contentBytesMax: bufferByteCount, items: 1)))
        // A smaller buffer was made for a NAR that fits into it, and leaves in one piece.
        let isForWholeNar = bufferByteCount < NarDump.bufferByteCount
        while let part = try Self.next(walk) {
            if isForWholeNar ? block.isFull : block.isNearlyFull { try unsafe flush(&block, to: sink) }
            do throws(NarDumpError) { try block.append(part) } catch { throw .tree(error) }
            if !block.largeFiles.isEmpty { try unsafe flush(&block, to: sink) }
        }
        try unsafe flush(&block, to: sink)
    }

    /// Sends what threads read ahead.
    mutating func send(_ root: String, readers: Int, to sink: Sink) throws(Stop) {
        let ahead = NarReadAhead(root: root, threadCount: readers)
        defer { ahead.stop() }
        while true {
            let block: NarBlock?
            do throws(NarDumpError) { block = try ahead.next() } catch { throw .tree(error) }
            guard let block else { return }
            try unsafe send(block, to: sink)
            ahead.giveBack(block)
        }
    }

    private static func next(_ walk: NarTreeWalk) throws(Stop) -> NarPart? {
        do throws(NarDumpError) { return try walk.next(itemsMax: 1) } catch { throw .tree(error) }
    }

    private mutating func flush(_ block: inout NarBlock, to sink: Sink) throws(Stop) {
        try unsafe send(block, to: sink)
        block.clear()
    }

    private mutating func send(_ block: NarBlock, to sink: Sink) throws(Stop) {
        var start = 0
        for large in block.largeFiles {
            try unsafe send(block.bytes(start..<large.end), to: sink)
            start = large.end
            let file: OpenFile
            do throws(NarDumpError) { file = try NarBlock.open(large) } catch { throw .tree(error) }
            if let files { try handOn(file, large, to: files) } else { try unsafe send(file, large, to: sink) }
            try check(file, large)
        }
        try unsafe send(block.bytes(start..<block.filled), to: sink)
    }

    /// In pieces of the size that was agreed.
    private func send(_ bytes: UnsafeRawBufferPointer, to sink: Sink) throws(Stop) {
        var start = 0
        while start < bytes.count {
            let count = min(bytes.count - start, bufferByteCount)
            if unsafe !sink(UnsafeRawBufferPointer(rebasing: bytes[start..<(start + count)])) { throw .sink }
            start += count
        }
    }

    /// Has somebody else send the contents.
    private func handOn(_ file: OpenFile, _ large: NarBlock.LargeFile, to files: FileSink) throws(Stop) {
        guard let count = files(file.descriptor, large.status.byteCount) else { throw .sink }
        if count < large.status.byteCount { throw .tree(.changed(path: NarBlock.path(of: large), how: "became shorter")) }
    }

    /// Reads the contents, and sends them.
    private mutating func send(_ file: OpenFile, _ large: NarBlock.LargeFile, to sink: Sink) throws(Stop) {
        let block = buffer ?? ByteBlock(byteCount: bufferByteCount)
        buffer = block
        var sent: Int64 = 0
        while sent < large.status.byteCount {
            let wanted = Int(min(large.status.byteCount - sent, Int64(bufferByteCount)))
            let count: Int
            do throws(Errno) { count = try unsafe file.descriptor.read(into: block.memory(0..<wanted)) } catch {
                throw .tree(.system(SystemError("read", NarBlock.path(of: large), error)))
            }
            if count == 0 { throw .tree(.changed(path: NarBlock.path(of: large), how: "became shorter")) }
            try unsafe send(block.bytes(0..<count), to: sink)
            sent += Int64(count)
        }
    }

    /// A file that was sent has the size still that was said before it.
    private func check(_ file: OpenFile, _ large: NarBlock.LargeFile) throws(Stop) {
        let status: FileStatus
        do throws(Errno) { status = try file.descriptor.status() } catch {
            throw .tree(.system(SystemError("look at", NarBlock.path(of: large), error)))
        }
        if status.byteCount > large.status.byteCount { throw .tree(.changed(path: NarBlock.path(of: large), how: "grew")) }
    }
}
