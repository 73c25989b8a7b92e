import CLZMA

/// Streams of xz (the .xz file format, version 1.2.1), not of the older .lzma.
@safe final class XzDecoder: FrameDecoder {
    private let stream: UnsafeMutablePointer<lzma_stream>
    private let memoryByteCountMax: Int

    /// - Parameter memoryByteCountMax: liblzma's memory limit: streams with a larger dictionary are refused.
    init(memoryByteCountMax: Int) {
        self.memoryByteCountMax = memoryByteCountMax
        unsafe stream = makeStream()
    }

    deinit { unsafe endStream(stream) }

    func begin() {
        // lzma/base.h: a lzma_stream that was used may be initialized again without lzma_end(), which keeps what memory
        // is of use.
        let result = unsafe lzma_stream_decoder(stream, UInt64(max(memoryByteCountMax, 1)), 0)
        guard result == LZMA_OK else { fatalError("liblzma cannot begin to decompress: \(result.rawValue)") }
    }

    func decode(
        _ input: UnsafeRawBufferPointer, into room: UnsafeMutableRawBufferPointer
    ) throws(CompressionError) -> FrameStep {
        let (result, step) = unsafe run(stream, LZMA_RUN, input, room)
        switch result {
        // lzma/base.h: LZMA_BUF_ERROR says that two calls in a row got nowhere, and is not fatal.
        case LZMA_OK, LZMA_STREAM_END, LZMA_BUF_ERROR: return step
        case LZMA_FORMAT_ERROR: throw .otherFormat(.xz)
        case LZMA_MEMLIMIT_ERROR: throw .needsTooMuchMemory(byteCountMax: memoryByteCountMax)
        case LZMA_OPTIONS_ERROR: throw .corrupt(reason: "it uses options of xz that liblzma does not have")
        case LZMA_DATA_ERROR: throw .corrupt(reason: "the xz data is damaged")
        case LZMA_MEM_ERROR: fatalError("no memory to decompress with liblzma")
        default: throw .corrupt(reason: "liblzma says \(result.rawValue)")
        }
    }
}

/// One stream of xz with a CRC-64 of each block, as the xz tool makes it.
@safe final class XzEncoder: FrameEncoder {
    private let stream: UnsafeMutablePointer<lzma_stream>

    init(level: Int32) {
        unsafe stream = makeStream()
        let result = unsafe lzma_easy_encoder(stream, UInt32(level), LZMA_CHECK_CRC64)
        guard result == LZMA_OK else { fatalError("liblzma cannot begin to compress: \(result.rawValue)") }
    }

    deinit { unsafe endStream(stream) }

    func encode(
        _ input: UnsafeRawBufferPointer, into room: UnsafeMutableRawBufferPointer, isLast: Bool
    ) -> FrameStep {
        let (result, step) = unsafe run(stream, isLast ? LZMA_FINISH : LZMA_RUN, input, room)
        guard result == LZMA_OK || result == LZMA_STREAM_END || result == LZMA_BUF_ERROR else {
            fatalError("liblzma cannot compress \(input.count) bytes: \(result.rawValue)")
        }
        return step
    }
}

/// A stream of liblzma that is not begun. lzma/base.h: LZMA_STREAM_INIT is all zeros and null pointers.
private func makeStream() -> UnsafeMutablePointer<lzma_stream> {
    let stream = UnsafeMutablePointer<lzma_stream>.allocate(capacity: 1)
    unsafe stream.initialize(to: lzma_stream())
    return unsafe stream
}

/// Gives back all that the stream has.
private func endStream(_ stream: UnsafeMutablePointer<lzma_stream>) {
    unsafe lzma_end(stream)
    unsafe stream.deallocate()
}

/// One call of `lzma_code`: what it said, and how far it came.
private func run(
    _ stream: UnsafeMutablePointer<lzma_stream>, _ action: lzma_action,
    _ input: UnsafeRawBufferPointer, _ room: UnsafeMutableRawBufferPointer
) -> (lzma_ret, FrameStep) {
    unsafe stream.pointee.next_in = input.baseAddress?.assumingMemoryBound(to: UInt8.self)
    unsafe stream.pointee.avail_in = input.count
    unsafe stream.pointee.next_out = room.baseAddress?.assumingMemoryBound(to: UInt8.self)
    unsafe stream.pointee.avail_out = room.count
    let result = unsafe lzma_code(stream, action)
    let step = unsafe FrameStep(
        inputByteCount: input.count - stream.pointee.avail_in,
        outputByteCount: room.count - stream.pointee.avail_out,
        hasEnded: result == LZMA_STREAM_END)
    return (result, step)
}
