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
        var assembly = NarAssembly(
            contentBytesMax: bufferByteCount,
            block: ByteBlock(byteCount: NarAssembly.blockByteCount(contentBytesMax: bufferByteCount, items: 1)))
        while let stretch = try Self.next(walk) {
            if assembly.isNearlyFull { try unsafe flush(&assembly, to: sink) }
            do throws(NarDumpError) { try assembly.append(stretch) } catch { throw .tree(error) }
            if !assembly.largeFiles.isEmpty { try unsafe flush(&assembly, to: sink) }
        }
        try unsafe flush(&assembly, to: sink)
    }

    /// Sends what threads read ahead.
    mutating func send(_ root: String, readers: Int, to sink: Sink) throws(Stop) {
        let ahead = NarReadAhead(root: root, threadCount: readers)
        defer { ahead.stop() }
        while true {
            let assembly: NarAssembly?
            do throws(NarDumpError) { assembly = try ahead.next() } catch { throw .tree(error) }
            guard let assembly else { return }
            try unsafe send(assembly, to: sink)
            ahead.giveBack(assembly)
        }
    }

    private static func next(_ walk: NarTreeWalk) throws(Stop) -> NarStretch? {
        do throws(NarDumpError) { return try walk.next(itemsMax: 1) } catch { throw .tree(error) }
    }

    private mutating func flush(_ assembly: inout NarAssembly, to sink: Sink) throws(Stop) {
        try unsafe send(assembly, to: sink)
        assembly.clear()
    }

    private mutating func send(_ assembly: NarAssembly, to sink: Sink) throws(Stop) {
        var start = 0
        for large in assembly.largeFiles {
            try unsafe send(assembly.bytes(start..<large.end), to: sink)
            start = large.end
            let file: OpenFile
            do throws(NarDumpError) { file = try NarAssembly.open(large) } catch { throw .tree(error) }
            if let files { try handOn(file, large, to: files) } else { try unsafe send(file, large, to: sink) }
            try check(file, large)
        }
        try unsafe send(assembly.bytes(start..<assembly.filled), to: sink)
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
    private func handOn(_ file: OpenFile, _ large: NarAssembly.LargeFile, to files: FileSink) throws(Stop) {
        guard let count = files(file.descriptor, large.byteCount) else { throw .sink }
        if count < large.byteCount { throw .tree(.changed(path: NarAssembly.path(of: large), how: "became shorter")) }
    }

    /// Reads the contents, and sends them.
    private mutating func send(_ file: OpenFile, _ large: NarAssembly.LargeFile, to sink: Sink) throws(Stop) {
        let block = buffer ?? ByteBlock(byteCount: bufferByteCount)
        buffer = block
        var sent: Int64 = 0
        while sent < large.byteCount {
            let wanted = Int(min(large.byteCount - sent, Int64(bufferByteCount)))
            let count: Int
            do throws(Errno) { count = try unsafe file.descriptor.read(into: block.memory(0..<wanted)) } catch {
                throw .tree(.system(SystemError("read", NarAssembly.path(of: large), error)))
            }
            if count == 0 { throw .tree(.changed(path: NarAssembly.path(of: large), how: "became shorter")) }
            try unsafe send(block.bytes(0..<count), to: sink)
            sent += Int64(count)
        }
    }

    /// A file that was sent has the size still that was said before it.
    private func check(_ file: OpenFile, _ large: NarAssembly.LargeFile) throws(Stop) {
        let status: FileStatus
        do throws(Errno) { status = try file.descriptor.status() } catch {
            throw .tree(.system(SystemError("look at", NarAssembly.path(of: large), error)))
        }
        if status.byteCount > large.byteCount { throw .tree(.changed(path: NarAssembly.path(of: large), how: "grew")) }
    }
}
