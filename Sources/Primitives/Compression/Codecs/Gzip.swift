import CZlib

/// Members of gzip (RFC 1952), each checked by its CRC-32 and length.
@safe final class GzipDecoder: FrameDecoder {
    private let stream: UnsafeMutablePointer<z_stream>

    init() {
        unsafe stream = makeStream()
        let result = unsafe inflateInit2_(stream, gzipWindowBits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        guard result == Z_OK else { fatalError("zlib cannot begin to decompress: \(result)") }
    }

    deinit {
        unsafe inflateEnd(stream)
        unsafe stream.deallocate()
    }

    func begin() { unsafe inflateReset(stream) }

    func decode(
        _ input: UnsafeRawBufferPointer, into room: UnsafeMutableRawBufferPointer
    ) throws(CompressionError) -> FrameStep {
        unsafe lend(input, room, to: stream)
        let result = unsafe inflate(stream, Z_NO_FLUSH)
        switch result {
        // zlib.h: Z_BUF_ERROR says that no progress was possible, and is not fatal.
        case Z_OK, Z_STREAM_END, Z_BUF_ERROR: return unsafe progress(stream, input, room, hasEnded: result == Z_STREAM_END)
        case Z_MEM_ERROR: throw .needsTooMuchMemory(byteCountMax: StreamCoding.gzip.decoderByteCountMax)
        // The two bytes that every member begins with; inflateReset() sets total_in to 0.
        case Z_DATA_ERROR where unsafe stream.pointee.total_in <= 2: throw .otherFormat("gzip")
        default:
            let reason = unsafe stream.pointee.msg.map { unsafe String(cString: $0) }
            throw .corrupt(reason: reason ?? "zlib says \(result)")
        }
    }
}

/// One member of gzip, without a name and a time.
@safe final class GzipEncoder: FrameEncoder {
    private let stream: UnsafeMutablePointer<z_stream>

    init(level: Int32) {
        unsafe stream = makeStream()
        // zlib.h: 8 is the default of memLevel; with the window it makes 256 KiB.
        let result = unsafe deflateInit2_(
            stream, level, Z_DEFLATED, gzipWindowBits, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size))
        guard result == Z_OK else { fatalError("zlib cannot begin to compress: \(result)") }
    }

    deinit {
        unsafe deflateEnd(stream)
        unsafe stream.deallocate()
    }

    func encode(
        _ input: UnsafeRawBufferPointer, into room: UnsafeMutableRawBufferPointer, isLast: Bool
    ) -> FrameStep {
        unsafe lend(input, room, to: stream)
        let result = unsafe deflate(stream, isLast ? Z_FINISH : Z_NO_FLUSH)
        guard result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR else {
            fatalError("zlib cannot compress \(input.count) bytes: \(result)")
        }
        return unsafe progress(stream, input, room, hasEnded: result == Z_STREAM_END)
    }
}

/// zlib.h: 15 for a window of 32 KiB, and 16 more for gzip's header and trailer, and no others.
private let gzipWindowBits: Int32 = 15 + 16

/// A stream of zlib at an address of its own, which zlib checks at each call.
private func makeStream() -> UnsafeMutablePointer<z_stream> {
    let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    unsafe stream.initialize(to: z_stream())
    return unsafe stream
}

/// zlib counts in 32 bits: of what is longer, it is lent the beginning.
private func lend(
    _ input: UnsafeRawBufferPointer, _ room: UnsafeMutableRawBufferPointer, to stream: UnsafeMutablePointer<z_stream>
) {
    // zlib reads through this pointer and does not write; its header says so only where ZLIB_CONST is defined.
    unsafe stream.pointee.next_in = UnsafeMutableRawBufferPointer(mutating: input).baseAddress?.assumingMemoryBound(to: UInt8.self)
    unsafe stream.pointee.avail_in = UInt32(clamping: input.count)
    unsafe stream.pointee.next_out = room.baseAddress?.assumingMemoryBound(to: UInt8.self)
    unsafe stream.pointee.avail_out = UInt32(clamping: room.count)
}

/// How far the last call came with what it was lent.
private func progress(
    _ stream: UnsafeMutablePointer<z_stream>, _ input: UnsafeRawBufferPointer, _ room: UnsafeMutableRawBufferPointer,
    hasEnded: Bool
) -> FrameStep {
    unsafe FrameStep(
        inputByteCount: Int(UInt32(clamping: input.count) - stream.pointee.avail_in),
        outputByteCount: Int(UInt32(clamping: room.count) - stream.pointee.avail_out),
        hasEnded: hasEnded)
}
