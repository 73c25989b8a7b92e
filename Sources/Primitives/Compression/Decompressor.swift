import CZstd

/// Opens the frames of stored chunks, one at a time, each with a bound on what it may stand for.
///
/// Thread: whichever has it, one at a time.
@safe package final class Decompressor {
    package let kind: CompressionKind
    /// Of zstd.
    private let context: OpaquePointer?

    /// Traps without memory.
    package init(_ kind: CompressionKind) {
        self.kind = kind
        guard kind == .zstd else {
            unsafe context = nil
            return
        }
        guard let context = unsafe ZSTD_createDCtx() else { fatalError("no memory to decompress with zstd") }
        unsafe self.context = unsafe context
    }

    deinit { unsafe ZSTD_freeDCtx(context) }

    /// The bytes that one frame stands for.
    ///
    /// Memory is taken for what the frame's header promises, and only when that is within the bound; where the header
    /// is silent, for what comes out.
    ///
    /// - Parameters:
    ///   - frame: exactly one frame.
    ///   - byteCountMax: the most that it may stand for.
    package func decompress(frame: UnsafeRawBufferPointer, byteCountMax: Int) throws(CompressionError) -> [UInt8] {
        // What is behind the frame is another one, or damage: whoever asks compares the bytes, or their hash.
        if kind == .xz { return try unsafe StreamDecoder.decode(frame, .xz, outputByteCountMax: byteCountMax) }
        if kind == .brotli { return try unsafe StreamDecoder.decode(frame, .brotli, outputByteCountMax: byteCountMax) }
        guard let context = unsafe context else {
            guard frame.count <= byteCountMax else { throw .tooLarge(byteCountMax: byteCountMax) }
            return unsafe [UInt8](frame)
        }
        guard unsafe ZstdMagic.begins(frame) else { throw .otherFormat("zstd") }
        let frameByteCount = unsafe ZSTD_findFrameCompressedSize(frame.baseAddress, frame.count)
        if let error = zstdError(frameByteCount) { throw error }
        guard frameByteCount == frame.count else { throw .bytesAfterFrame(byteCount: frame.count - frameByteCount) }
        let promised = unsafe ZSTD_getFrameContentSize(frame.baseAddress, frame.count)
        // zstd.h: the last two values are ZSTD_CONTENTSIZE_UNKNOWN and ZSTD_CONTENTSIZE_ERROR; the latter cannot come,
        // since the frame's end was found.
        guard promised < UInt64.max - 1 else { return try unsafe decompressSilent(frame, byteCountMax: byteCountMax) }
        guard promised <= UInt64(max(byteCountMax, 0)) else { throw .tooLarge(byteCountMax: byteCountMax) }
        var result = 0
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: Int(promised)) { room, filled in
            result = unsafe ZSTD_decompressDCtx(context, room.baseAddress, Int(promised), frame.baseAddress, frame.count)
            filled = ZSTD_isError(result) == 0 ? result : 0
        }
        if let error = zstdError(result) { throw error }
        return bytes
    }

    /// The same of an array.
    package func decompress(frame: [UInt8], byteCountMax: Int) throws(CompressionError) -> [UInt8] {
        try unsafe frame.span.withUnsafeBytes { (bytes) throws(CompressionError) in
            try unsafe decompress(frame: bytes, byteCountMax: byteCountMax)
        }
    }

    /// A frame whose header does not tell its content's size, as streams write them.
    private func decompressSilent(
        _ frame: UnsafeRawBufferPointer, byteCountMax: Int
    ) throws(CompressionError) -> [UInt8] {
        // Only frames of zstd have headers that are silent.
        try unsafe StreamDecoder.decode(frame, .zstd, outputByteCountMax: byteCountMax)
    }
}
