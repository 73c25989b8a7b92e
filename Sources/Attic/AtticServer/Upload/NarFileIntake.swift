import Compression
import Crypto
import Platform

/// A NAR's file on its way in: hashed as it comes, decoded, and handed on to the pipeline, in pieces; what its bytes stand for
/// is bounded, and so is the memory that opening them takes.
///
/// Thread: transfer.
final class NarFileIntake {
    /// What it was.
    struct Arrived {
        let coding: StreamCoding
        let fileSize: Int64
    }

    /// Nil until the first bytes have told it.
    private var coding: StreamCoding?
    private let declaredByteCount: Int64?
    private let narSizeMax: Int64
    private let pipeline: UploadPipeline
    private var fileHash = SHA256()
    private var fileSize: Int64 = 0
    /// What came before the coding was known: a byte at most.
    private var firstBytes: [UInt8] = []
    private var decoder: StreamDecoder?
    private let room = ByteBlock(byteCount: NarFileIntake.roomByteCount)

    /// Decoded bytes that are handed on at once; few enough to stay in the processor's cache.
    private static let roomByteCount = 128 << 10

    /// - Parameters:
    ///   - coding: nil where the name does not tell gzip from none.
    ///   - declaredByteCount: of the file; nil where it was not announced.
    ///   - narSizeMax: the most that it may stand for, in bytes; also the most that it may itself have.
    init(_ coding: StreamCoding?, declaredByteCount: Int64?, narSizeMax: Int64, into pipeline: UploadPipeline) {
        self.declaredByteCount = declaredByteCount
        self.narSizeMax = narSizeMax
        self.pipeline = pipeline
        if let coding { begin(coding) }
    }

    /// Takes the next bytes of the file.
    func receive(_ bytes: UnsafeRawBufferPointer) throws {
        unsafe fileHash.update(bytes)
        fileSize += Int64(bytes.count)
        guard fileSize <= narSizeMax else {
            throw Problem.tooLarge("the file is longer than \(narSizeMax) bytes, the most that max-nar-size allows.")
        }
        if coding != nil { return try unsafe decode(bytes) }
        unsafe firstBytes.append(contentsOf: bytes)
        if firstBytes.count >= 2 { try beginUnnamed() }
    }

    /// Ends the file, and its NAR with it.
    ///
    /// - Throws: `Problem.request` where it is not whole, or is not what its name says.
    func finish(expectedHash: SHA256Digest) throws -> Arrived {
        if coding == nil { try beginUnnamed() }
        let hash = fileHash.finish()
        guard hash == expectedHash else {
            throw Problem.request("the file's hash is sha256:\(hash.base32), but its name says \(expectedHash.base32).")
        }
        guard let coding, let decoder else { preconditionFailure("a file's coding is known at its end") }
        do throws(CompressionError) { try decoder.finish() } catch { throw problem(error) }
        try pipeline.end()
        return Arrived(coding: coding, fileSize: fileSize)
    }

    private func begin(_ coding: StreamCoding) {
        self.coding = coding
        decoder = StreamDecoder(coding, outputByteCountMax: Int(narSizeMax))
        // Only what is not compressed has the length of its NAR.
        pipeline.begin(narSize: coding == .none ? declaredByteCount : nil)
    }

    private func beginUnnamed() throws {
        begin(StreamCoding(unnamed: firstBytes))
        let bytes = firstBytes
        firstBytes = []
        try unsafe bytes.withUnsafeBytes { try unsafe decode($0) }
    }

    private func decode(_ bytes: UnsafeRawBufferPointer) throws {
        guard let decoder else { preconditionFailure("a file is decoded when its coding is known") }
        // What is not compressed need not be copied; it was counted as it came.
        if coding == StreamCoding.none { return try unsafe pipeline.receive(bytes) }
        var rest = unsafe bytes
        var isFull = false
        repeat {
            let progress: StreamProgress
            do throws(CompressionError) {
                progress = try unsafe decoder.update(rest, into: room.memory(0..<room.byteCount))
            } catch { throw problem(error) }
            unsafe rest = UnsafeRawBufferPointer(rebasing: rest[progress.inputByteCount...])
            isFull = progress.outputByteCount == room.byteCount
            guard unsafe progress.inputByteCount + progress.outputByteCount > 0 || rest.isEmpty else {
                throw problem(.corrupt(reason: "it does not go on"))
            }
            if progress.outputByteCount > 0 { try unsafe pipeline.receive(room.bytes(0..<progress.outputByteCount)) }
        } while unsafe !rest.isEmpty || isFull
    }

    private func problem(_ error: CompressionError) -> Problem {
        switch error {
        case .tooLarge:
            .tooLarge("the NAR is longer than \(narSizeMax) bytes, the most that max-nar-size allows.")
        case .needsTooMuchMemory, .truncated, .bytesAfterFrame, .bytesAfterEnd, .otherFormat, .corrupt:
            .request("the file \(error).")
        }
    }
}
