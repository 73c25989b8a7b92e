import CBzip2

/// Decompresses bzip2, one stream or several joined, which comes in pieces: it is what Nix keeps build logs in. Nothing here
/// compresses by it, and nothing is sent in it, so it is no `StreamCoding`.
///
/// It is used as a `StreamDecoder` is. bzip2 needs 4 MB of memory at most, whatever it is fed.
///
/// Thread: whichever has it, one at a time.
@safe package final class Bzip2Decoder {
    private let stream: UnsafeMutablePointer<bz_stream>
    private let outputByteCountMax: Int
    private var outputByteCount = 0
    private var isInFrame = false
    private var frameCount = 0
    /// A stream that was refused stays refused.
    private var failure: CompressionError?

    /// What it needs at most, in bytes.
    private static let memoryByteCountMax = 4 << 20

    /// Traps without memory.
    ///
    /// - Parameter outputByteCountMax: the most that the whole may stand for.
    package init(outputByteCountMax: Int) {
        self.outputByteCountMax = outputByteCountMax
        // The library notes the address of its stream.
        unsafe stream = UnsafeMutablePointer<bz_stream>.allocate(capacity: 1)
        unsafe stream.initialize(to: bz_stream())
    }

    deinit {
        if isInFrame { unsafe BZ2_bzDecompressEnd(stream) }
        unsafe stream.deallocate()
    }

    /// Takes what it can of `input` and writes what it can to `room`, which must not be empty. A room that comes back
    /// filled to its end may leave more behind: call again, also with empty input.
    package func update(
        _ input: UnsafeRawBufferPointer, into room: UnsafeMutableRawBufferPointer
    ) throws(CompressionError) -> StreamProgress {
        unsafe precondition(!room.isEmpty, "a decoder needs room to write to")
        if let failure { throw failure }
        do throws(CompressionError) {
            let progress = try unsafe step(input, into: room)
            outputByteCount += progress.outputByteCount
            if outputByteCount > outputByteCountMax { throw .tooLarge(byteCountMax: outputByteCountMax) }
            return progress
        } catch {
            failure = error
            throw error
        }
    }

    /// Says whether the input ended where a stream ends; without any stream it is truncated too.
    package func finish() throws(CompressionError) {
        if let failure { throw failure }
        guard !isInFrame, frameCount > 0 else { throw .truncated }
    }

    private func step(
        _ input: UnsafeRawBufferPointer, into room: UnsafeMutableRawBufferPointer
    ) throws(CompressionError) -> StreamProgress {
        if !isInFrame {
            if unsafe input.isEmpty { return StreamProgress(inputByteCount: 0, outputByteCount: 0) }
            unsafe stream.pointee = bz_stream()
            let result = unsafe BZ2_bzDecompressInit(stream, 0, 0)
            guard result == BZ_OK else { throw .needsTooMuchMemory(byteCountMax: Self.memoryByteCountMax) }
            isInFrame = true
        }
        // It reads through this pointer and does not write, and it counts in 32 bits: of what is longer, it is lent the beginning.
        unsafe stream.pointee.next_in = UnsafeMutableRawBufferPointer(mutating: input).baseAddress?.assumingMemoryBound(to: CChar.self)
        unsafe stream.pointee.avail_in = UInt32(clamping: input.count)
        unsafe stream.pointee.next_out = room.baseAddress?.assumingMemoryBound(to: CChar.self)
        unsafe stream.pointee.avail_out = UInt32(clamping: room.count)
        let result = unsafe BZ2_bzDecompress(stream)
        let progress = unsafe StreamProgress(
            inputByteCount: Int(UInt32(clamping: input.count) - stream.pointee.avail_in),
            outputByteCount: Int(UInt32(clamping: room.count) - stream.pointee.avail_out))
        switch result {
        case BZ_OK: break
        case BZ_STREAM_END:
            unsafe BZ2_bzDecompressEnd(stream)
            isInFrame = false
            frameCount += 1
        case BZ_MEM_ERROR: throw .needsTooMuchMemory(byteCountMax: Self.memoryByteCountMax)
        case BZ_DATA_ERROR_MAGIC:
            throw frameCount > 0 ? .bytesAfterEnd : .corrupt(reason: "it does not begin as bzip2 does")
        case BZ_DATA_ERROR: throw .corrupt(reason: "a block of it is damaged")
        default: throw .corrupt(reason: "bzip2 says \(result)")
        }
        return progress
    }
}
