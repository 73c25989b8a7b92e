import CZstd

/// Frames of zstd (RFC 8878), skippable ones too, which stand for nothing.
@safe final class ZstdDecoder: FrameDecoder {
    private let context: OpaquePointer
    private let memoryByteCountMax: Int

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
    func begin() {}

    func decode(
        _ input: UnsafeRawBufferPointer, into room: UnsafeMutableRawBufferPointer
    ) throws(CompressionError) -> FrameStep {
        var source = unsafe ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
        var target = unsafe ZSTD_outBuffer(dst: room.baseAddress, size: room.count, pos: 0)
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
        return unsafe FrameStep(inputByteCount: source.pos, outputByteCount: target.pos, hasEnded: hint == 0)
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
