import Compression
import HTTPServer
import Platform

extension ResponseBody {
    /// A text that is kept in zstd, opened while it is sent: so a long one takes no memory beyond what is kept, however slow
    /// its client.
    ///
    /// - Parameters:
    ///   - stored: the text, in zstd.
    ///   - byteCount: of the text itself.
    ///   - coding: what the client gets it in.
    static func text(zstd stored: [UInt8], byteCount: Int, in coding: StreamCoding) -> ResponseBody {
        guard coding != .none else {
            return .stream(byteCount: Int64(byteCount)) { writer in
                try unsafe StoredText(stored, byteCount: byteCount).open { step in try unsafe writer.fill(step) }
            }
        }
        return .stream(byteCount: nil) { writer in
            let encoder = StreamEncoder(coding)
            let room = ByteBlock(byteCount: 64 << 10)
            try unsafe StoredText(stored, byteCount: byteCount).open { step in
                let count = try unsafe step(room.memory(0..<room.byteCount))
                try unsafe writer.write(room.bytes(0..<count), through: encoder)
                return count
            }
            try writer.finish(encoder)
        }
    }
}

/// A text in zstd. Thread: whichever has it, one at a time.
private final class StoredText {
    private let stored: [UInt8]
    private let decoder: StreamDecoder
    private let byteCount: Int
    private var openedByteCount = 0
    private var position = 0

    init(_ stored: [UInt8], byteCount: Int) {
        self.stored = stored
        self.byteCount = byteCount
        decoder = StreamDecoder(.zstd, outputByteCountMax: byteCount)
    }

    /// Opens all of it, step by step: `give` calls what it is given once, with room for some bytes, and gets how many came.
    func open(_ give: ((UnsafeMutableRawBufferPointer) throws -> Int) throws -> Int) throws {
        while openedByteCount < byteCount {
            let before = (openedByteCount, position)
            openedByteCount += try unsafe give { room in try unsafe step(room) }
            if (openedByteCount, position) == before { break }
        }
        try decoder.finish()
        // A text that is shorter than its row says is as damaged as one that ends within its frame.
        if openedByteCount < byteCount { throw CompressionError.truncated }
    }

    private func step(_ room: UnsafeMutableRawBufferPointer) throws(CompressionError) -> Int {
        let (stored, start) = (stored, position)
        let progress = try unsafe stored.span.withUnsafeBytes { bytes throws(CompressionError) in
            try unsafe decoder.update(UnsafeRawBufferPointer(rebasing: bytes[start...]), into: room)
        }
        position += progress.inputByteCount
        return progress.outputByteCount
    }
}
