import CLZMA

/// Streams of xz (the .xz file format, version 1.2.1), not of the older .lzma.
@safe final class XzDecoder: FrameDecoder {
    private let stream: UnsafeMutablePointer<lzma_stream>
    let joining = FrameJoining.padded
    private let memoryByteCountMax: Int

    /// - Parameter memoryByteCountMax: liblzma's memory limit: streams with a larger dictionary are refused.
    init(memoryByteCountMax: Int) {
        self.memoryByteCountMax = memoryByteCountMax
        unsafe stream = makeStream()
    }

    deinit { unsafe endStream(stream) }

    func begin() throws(CompressionError) {
        // lzma/base.h: a lzma_stream that was used may be initialized again without lzma_end(), which keeps what memory
        // is of use.
        let result = unsafe lzma_stream_decoder(stream, UInt64(max(memoryByteCountMax, 1)), 0)
        if let failure = XzDecoder.failure(result.rawValue, memoryByteCountMax: memoryByteCountMax) { throw failure }
    }

    func decode(
        _ input: UnsafeRawBufferPointer, into room: UnsafeMutableRawBufferPointer
    ) throws(CompressionError) -> FrameStep {
        let (result, step) = unsafe run(stream, LZMA_RUN, input, room)
        if let failure = XzDecoder.failure(result.rawValue, memoryByteCountMax: memoryByteCountMax) { throw failure }
        return step
    }

    /// What a result of liblzma says; nil where it goes on or has come to the end. How much memory is asked for is the stream's
    /// doing: where there is not so much, that stream is refused, and nothing else ends.
    static func failure(_ result: UInt32, memoryByteCountMax: Int) -> CompressionError? {
        switch lzma_ret(result) {
        // lzma/base.h: LZMA_BUF_ERROR says that two calls in a row got nowhere, and is not fatal.
        case LZMA_OK, LZMA_STREAM_END, LZMA_BUF_ERROR: nil
        case LZMA_FORMAT_ERROR: .otherFormat("xz")
        case LZMA_MEMLIMIT_ERROR, LZMA_MEM_ERROR: .needsTooMuchMemory(byteCountMax: memoryByteCountMax)
        case LZMA_OPTIONS_ERROR: .corrupt(reason: "it uses options of xz that liblzma does not have")
        case LZMA_DATA_ERROR: .corrupt(reason: "the xz data is damaged")
        default: .corrupt(reason: "liblzma says \(result)")
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

/// One whole .xz stream of a chunk, in one call. The window is no larger than the chunk: a level's own, of 2 to 64 MiB, would be taken and
/// cleared for each chunk, and again by whoever opens it.
enum XzFrame {
    /// Room for the stream of so many bytes, whatever they are.
    static func byteCountMax(_ byteCount: Int) -> Int { lzma_stream_buffer_bound(byteCount) }

    /// Writes the stream into `room`, which has `byteCountMax`; gives its length.
    static func encode(_ bytes: UnsafeRawBufferPointer, level: Int32, into room: UnsafeMutableRawBufferPointer) -> Int {
        var options = unsafe lzma_options_lzma()
        guard unsafe lzma_lzma_preset(&options, UInt32(level)) == 0 else { fatalError("liblzma has no level \(level)") }
        // lzma/lzma12.h: LZMA_DICT_SIZE_MIN is 4096.
        unsafe options.dict_size = max(4096, min(options.dict_size, UInt32(clamping: bytes.count)))
        var position = 0
        let result = unsafe withUnsafeMutablePointer(to: &options) { options in
            // lzma/lzma12.h: LZMA_FILTER_LZMA2; lzma/vli.h: LZMA_VLI_UNKNOWN ends the list.
            var filters = unsafe [lzma_filter(id: 0x21, options: options), lzma_filter(id: .max, options: nil)]
            return unsafe lzma_stream_buffer_encode(
                &filters, LZMA_CHECK_CRC32, nil, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count,
                room.baseAddress?.assumingMemoryBound(to: UInt8.self), &position, room.count)
        }
        // With room for everything it fails only without memory.
        guard result == LZMA_OK else { fatalError("liblzma cannot compress \(bytes.count) bytes: \(result.rawValue)") }
        return position
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
