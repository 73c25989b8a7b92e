import CBzip2

/// Streams of bzip2, which is what Nix keeps build logs in. Nothing here compresses by it, and nothing is sent in it, so it is
/// no `StreamCoding`. bzip2 needs 4 MB of memory at most, whatever it is fed.
@safe final class Bzip2Decoder: FrameDecoder {
    private let stream: UnsafeMutablePointer<bz_stream>
    private var isOpen = false

    /// What it needs at most, in bytes.
    private static let memoryByteCountMax = 4 << 20

    init() {
        // The library notes the address of its stream.
        unsafe stream = UnsafeMutablePointer<bz_stream>.allocate(capacity: 1)
        unsafe stream.initialize(to: bz_stream())
    }

    deinit {
        close()
        unsafe stream.deallocate()
    }

    func begin() throws(CompressionError) {
        unsafe stream.pointee = bz_stream()
        let result = unsafe BZ2_bzDecompressInit(stream, 0, 0)
        guard result == BZ_OK else { throw .needsTooMuchMemory(byteCountMax: Self.memoryByteCountMax) }
        isOpen = true
    }

    func decode(
        _ input: UnsafeRawBufferPointer, into room: UnsafeMutableRawBufferPointer
    ) throws(CompressionError) -> FrameStep {
        // It reads through this pointer and does not write, and it counts in 32 bits: of what is longer, it is lent the beginning.
        unsafe stream.pointee.next_in = UnsafeMutableRawBufferPointer(mutating: input).baseAddress?.assumingMemoryBound(to: CChar.self)
        unsafe stream.pointee.avail_in = UInt32(clamping: input.count)
        unsafe stream.pointee.next_out = room.baseAddress?.assumingMemoryBound(to: CChar.self)
        unsafe stream.pointee.avail_out = UInt32(clamping: room.count)
        let result = unsafe BZ2_bzDecompress(stream)
        let (inputLeft, roomLeft) = unsafe (Int(stream.pointee.avail_in), Int(stream.pointee.avail_out))
        switch result {
        case BZ_OK: break
        case BZ_STREAM_END: close()
        case BZ_MEM_ERROR: throw .needsTooMuchMemory(byteCountMax: Self.memoryByteCountMax)
        case BZ_DATA_ERROR_MAGIC: throw .otherFormat("bzip2")
        case BZ_DATA_ERROR: throw .corrupt(reason: "a block of it is damaged")
        default: throw .corrupt(reason: "bzip2 says \(result)")
        }
        return FrameStep(
            inputByteCount: Int(UInt32(clamping: input.count)) - inputLeft,
            outputByteCount: Int(UInt32(clamping: room.count)) - roomLeft, hasEnded: result == BZ_STREAM_END)
    }

    /// Gives back what a stream that was begun has taken.
    private func close() {
        if isOpen { unsafe BZ2_bzDecompressEnd(stream) }
        isOpen = false
    }
}
