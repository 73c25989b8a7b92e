import CZstd

/// Frames of zstd (RFC 8878), skippable ones too, which stand for nothing. Those of older formats are refused: see `ZstdMagic`.
@safe final class ZstdDecoder: FrameDecoder {
    /// RFC 8878, section 3.1.1: a magic number of 4 bytes, and a header of 14 at most. Skippable frames have 8.
    private static let headByteCountMax = 18

    private let context: OpaquePointer
    private let memoryByteCountMax: Int
    private var magic = ZstdMagic()
    /// What the context took of the frame, as far as its head may reach.
    private var headByteCount = 0

    /// - Parameter memoryByteCountMax: frames with a larger window are refused: the greatest power of two in it counts.
    init(memoryByteCountMax: Int) {
        self.memoryByteCountMax = memoryByteCountMax
        guard let context = unsafe ZSTD_createDCtx() else { fatalError("no memory to decompress with zstd") }
        unsafe self.context = unsafe context
        let bounds = ZSTD_dParam_getBounds(ZSTD_d_windowLogMax)
        let windowLog = Int32(Int.bitWidth - 1 - max(memoryByteCountMax, 1).leadingZeroBitCount)
        let nearest = min(max(windowLog, bounds.lowerBound), bounds.upperBound)
        let result = unsafe ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, nearest)
        precondition(ZSTD_isError(result) == 0, "zstd takes its own parameters")
    }

    deinit { unsafe ZSTD_freeDCtx(context) }

    // The context begins the next frame by itself.
    func begin() {
        magic = ZstdMagic()
        headByteCount = 0
    }

    func decode(
        _ input: UnsafeRawBufferPointer, into room: UnsafeMutableRawBufferPointer
    ) throws(CompressionError) -> FrameStep {
        var source = unsafe ZSTD_inBuffer(src: input.baseAddress, size: 0, pos: 0)
        var target = unsafe ZSTD_outBuffer(dst: room.baseAddress, size: room.count, pos: 0)
        var hasEnded = false
        repeat {
            let start = unsafe source.pos
            unsafe source.size = try unsafe lentByteCount(input, from: start)
            hasEnded = try unsafe step(&source, &target)
            headByteCount = unsafe min(headByteCount + source.pos - start, Self.headByteCountMax)
        } while unsafe !hasEnded && source.pos < input.count && target.pos < room.count
        return unsafe FrameStep(inputByteCount: source.pos, outputByteCount: target.pos, hasEnded: hasEnded)
    }

    /// Where the part of `input` ends that the context may see next: all of it, but of a frame whose head may not have come whole a single byte.
    ///
    /// Until it has the head, libzstd takes what a call begins with for the beginning of the frame, whatever came in calls before: it looks there for
    /// an older format's magic number, and for a frame to open in one go. With a cut before bytes that look like a frame it would open those
    /// instead of the frame that they are in. No byte alone looks like one.
    private func lentByteCount(_ input: UnsafeRawBufferPointer, from start: Int) throws(CompressionError) -> Int {
        guard headByteCount < Self.headByteCountMax, start < input.count else { return input.count }
        let rest = unsafe UnsafeRawBufferPointer(rebasing: input[start...])
        // As far as it is there, before the context sees any of it.
        while magic.byteCount < ZstdMagic.byteCountMax, magic.byteCount - headByteCount < rest.count {
            guard unsafe magic.take(rest[magic.byteCount - headByteCount]) else { throw .otherFormat("zstd") }
        }
        guard headByteCount == 0 else { return start + 1 }
        let isWhole = unsafe rest.count >= Self.headByteCountMax || zstdError(ZSTD_findFrameCompressedSize(rest.baseAddress, rest.count)) == nil
        return isWhole ? input.count : start + 1
    }

    /// Opens what it can; says whether the frame has ended.
    private func step(_ source: inout ZSTD_inBuffer, _ target: inout ZSTD_outBuffer) throws(CompressionError) -> Bool {
        let hint = unsafe ZSTD_decompressStream(context, &target, &source)
        if let error = zstdError(hint) {
            switch ZSTD_getErrorCode(hint) {
            case ZSTD_error_prefix_unknown: throw .otherFormat("zstd")
            case ZSTD_error_frameParameter_windowTooLarge, ZSTD_error_memory_allocation: throw .needsTooMuchMemory(byteCountMax: memoryByteCountMax)
            default: throw error
            }
        }
        // zstd.h: 0 is returned when a frame is completely decoded and fully flushed. The frame's last byte of input is
        // taken only then.
        return hint == 0
    }
}

/// One frame of zstd, without a checksum and without its content's size, which is not known when it begins.
@safe final class ZstdEncoder: FrameEncoder {
    private let context: OpaquePointer

    init(level: Int32) {
        guard let context = unsafe ZSTD_createCCtx() else { fatalError("no memory to compress with zstd") }
        unsafe self.context = unsafe context
        let result = unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level)
        precondition(ZSTD_isError(result) == 0, "zstd takes its own parameters")
    }

    deinit { unsafe ZSTD_freeCCtx(context) }

    func encode(
        _ input: UnsafeRawBufferPointer, into room: UnsafeMutableRawBufferPointer, isLast: Bool
    ) -> FrameStep {
        var source = unsafe ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
        var target = unsafe ZSTD_outBuffer(dst: room.baseAddress, size: room.count, pos: 0)
        let left = unsafe ZSTD_compressStream2(context, &target, &source, isLast ? ZSTD_e_end : ZSTD_e_continue)
        if let error = zstdError(left) { fatalError("zstd cannot compress \(input.count) bytes: \(error)") }
        // zstd.h: with ZSTD_e_end, 0 is returned when the frame is completed and fully flushed.
        return unsafe FrameStep(inputByteCount: source.pos, outputByteCount: target.pos, hasEnded: isLast && left == 0)
    }
}
