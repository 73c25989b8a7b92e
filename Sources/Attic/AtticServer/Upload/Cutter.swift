import Chunking

/// Where a NAR is cut: by content, or, where the configuration leaves a NAR of this size whole, into pieces of a fixed
/// size that bound the memory (they are chunks like any other, only nothing else is likely to share them).
struct Cutter: ~Copyable {
    private var chunker: Chunker
    private let isChunked: Bool
    private var piece: [UInt8] = []

    /// The size of a piece in bytes.
    private static let pieceByteCount = 1 << 20

    init(sizes: ChunkSizes, isChunked: Bool) {
        chunker = Chunker(FastCDC(sizes: sizes))
        self.isChunked = isChunked
    }

    /// Takes bytes, and hands on each chunk that is complete.
    mutating func feed(_ bytes: UnsafeRawBufferPointer, _ chunk: (UnsafeRawBufferPointer) throws -> Void) throws {
        guard isChunked else {
            var rest = unsafe bytes
            while rest.count > 0 {
                let count = min(rest.count, Cutter.pieceByteCount - piece.count)
                unsafe piece.append(contentsOf: UnsafeRawBufferPointer(rebasing: rest[..<count]))
                unsafe rest = UnsafeRawBufferPointer(rebasing: rest[count...])
                if piece.count == Cutter.pieceByteCount { try unsafe flushPiece(chunk) }
            }
            return
        }
        var rest = unsafe bytes
        while rest.count > 0 {
            let count = unsafe chunker.append(rest)
            unsafe rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            try unsafe takeChunks(chunk)
        }
    }

    /// Hands on what is left.
    mutating func finish(_ chunk: (UnsafeRawBufferPointer) throws -> Void) throws {
        guard isChunked else { return try unsafe flushPiece(chunk) }
        chunker.finish()
        try unsafe takeChunks(chunk)
    }

    private mutating func takeChunks(_ chunk: (UnsafeRawBufferPointer) throws -> Void) throws {
        while try unsafe chunker.withNextChunk({ bytes in try unsafe chunk(bytes) }) != nil {}
    }

    private mutating func flushPiece(_ chunk: (UnsafeRawBufferPointer) throws -> Void) throws {
        guard !piece.isEmpty else { return }
        try unsafe piece.withUnsafeBytes { try unsafe chunk($0) }
        piece.removeAll(keepingCapacity: true)
    }
}
