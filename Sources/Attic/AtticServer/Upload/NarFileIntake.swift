import Compression
import Crypto
import Platform

/// A NAR's file on its way in: hashed as it comes, decoded, and handed on to the pipeline, in pieces; what its bytes stand for
/// is bounded, and so is the memory that opening them takes: beyond a little it needs leave, which few have at once.
///
/// Thread: transfer.
final class NarFileIntake {
    /// What it was.
    struct Arrived {
        let coding: StreamCoding
        let fileSize: Int64
    }

    /// As the name says; nil where it does not tell gzip from none.
    private let named: StreamCoding?
    /// As it turned out when the file was opened.
    private var coding = StreamCoding.none
    private let declaredByteCount: Int64?
    private let narSizeMax: Int64
    private let windows: LargeWindows
    private let pipeline: UploadPipeline
    private var fileHash = SHA256()
    private var fileSize: Int64 = 0
    /// What came before it was opened.
    private var head: [UInt8] = []
    private var decoder: StreamDecoder?
    /// Where the decoder may use much memory.
    private var leave: LargeWindows.Leave?
    private var hasHandedOn = false
    private let room = ByteBlock(byteCount: NarFileIntake.roomByteCount)

    /// Decoded bytes that are handed on at once; few enough to stay in the processor's cache.
    private static let roomByteCount = 128 << 10

    /// - Parameters:
    ///   - coding: nil where the name does not tell gzip from none.
    ///   - declaredByteCount: of the file; nil where it was not announced.
    ///   - narSizeMax: the most that it may stand for, in bytes; also the most that it may itself have.
    init(
        _ coding: StreamCoding?, declaredByteCount: Int64?, narSizeMax: Int64, windows: LargeWindows,
        into pipeline: UploadPipeline
    ) {
        named = coding
        self.declaredByteCount = declaredByteCount
        self.narSizeMax = narSizeMax
        self.windows = windows
        self.pipeline = pipeline
    }

    /// Takes the next bytes of the file.
    func receive(_ bytes: UnsafeRawBufferPointer) throws {
        unsafe fileHash.update(bytes)
        fileSize += Int64(bytes.count)
        guard fileSize <= narSizeMax else {
            throw Problem.tooLarge("the file is longer than \(narSizeMax) bytes, the most that max-nar-size allows.")
        }
        do {
            if let decoder { return try unsafe decode(bytes, decoder) }
            unsafe head.append(contentsOf: bytes)
            if head.count >= Bounds.fileHeadBytesMin { decoder = try open() }
        } catch let error as CompressionError { throw problem(error) }
    }

    /// Ends the file, and its NAR with it.
    ///
    /// - Throws: `Problem.request` where it is not whole, or is not what its name says.
    func finish(expectedHash: SHA256Digest) throws -> Arrived {
        do {
            let decoder = try decoder ?? open()
            self.decoder = decoder
            let hash = fileHash.finish()
            guard hash == expectedHash else {
                throw Problem.request("the file's hash is sha256:\(hash.base32), but its name says \(expectedHash.base32).")
            }
            try decoder.finish()
            try pipeline.end()
            return Arrived(coding: coding, fileSize: fileSize)
        } catch let error as CompressionError { throw problem(error) }
    }

    /// Opens the file, of which the head is there, or all.
    private func open() throws -> StreamDecoder {
        coding = named ?? StreamCoding(unnamed: head)
        // Only what is not compressed has the length of its NAR.
        pipeline.begin(narSize: coding == .none ? declaredByteCount : nil)
        let bytes = head
        head = []
        do {
            let little = StreamDecoder(coding, outputByteCountMax: Int(narSizeMax), memoryByteCountMax: Bounds.smallWindowBytesMax)
            return try decode(first: bytes, little)
        } catch CompressionError.needsTooMuchMemory where leave == nil && !hasHandedOn {
            leave = try windows.wait()
            return try decode(first: bytes, StreamDecoder(coding, outputByteCountMax: Int(narSizeMax)))
        }
    }

    private func decode(first bytes: [UInt8], _ decoder: StreamDecoder) throws -> StreamDecoder {
        try unsafe bytes.withUnsafeBytes { try unsafe decode($0, decoder) }
        return decoder
    }

    private func decode(_ bytes: UnsafeRawBufferPointer, _ decoder: StreamDecoder) throws {
        // What is not compressed need not be copied; it was counted as it came.
        if coding == .none { return try unsafe pipeline.receive(bytes) }
        try unsafe decoder.forEachPiece(of: bytes, through: room.memory(0..<room.byteCount), failed: { $0 }) { piece in
            hasHandedOn = true
            try unsafe pipeline.receive(piece)
        }
    }

    private func problem(_ error: CompressionError) -> Problem {
        switch error {
        case .tooLarge:
            .tooLarge("the NAR is longer than \(narSizeMax) bytes, the most that max-nar-size allows.")
        case .needsTooMuchMemory, .truncated, .bytesAfterFrame, .bytesAfterEnd, .otherFormat, .corrupt:
            .request("the file is refused: \(error).")
        }
    }
}
