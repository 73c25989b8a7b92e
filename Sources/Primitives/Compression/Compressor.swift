import CZstd

/// Makes frames of chunks: one whole frame of each, with its content size in the header and no checksum, since every
/// chunk is checked by its SHA-256 (of xz, whose streams must have one, the shortest; brotli has neither size nor checksum). Frames of zstd and
/// streams of xz may be joined: a NAR of several chunks is sent as their concatenation. Those of brotli may not: see `CompressionKind.framesJoin`.
///
/// The context and the output buffer are kept from chunk to chunk.
///
/// Thread: whichever has it, one at a time.
@safe package final class Compressor {
    package let kind: CompressionKind
    private let level: Int32
    /// Of zstd.
    private let context: OpaquePointer?
    /// Room for the largest frame so far.
    private var frame: UnsafeMutableRawBufferPointer

    /// A compressor of `kind` at `level`, which must be one of `kind.levels`: traps otherwise, and without memory.
    package init(_ kind: CompressionKind, level: Int32) {
        precondition(kind.levels.contains(level), "\(kind.rawValue) has no level \(level)")
        self.kind = kind
        self.level = level
        unsafe frame = UnsafeMutableRawBufferPointer(start: nil, count: 0)
        guard kind == .zstd else {
            unsafe context = nil
            return
        }
        guard let context = unsafe ZSTD_createCCtx() else { fatalError("no memory to compress with zstd") }
        unsafe self.context = unsafe context
        for (parameter, value) in [
            (ZSTD_c_compressionLevel, level), (ZSTD_c_contentSizeFlag, 1), (ZSTD_c_checksumFlag, 0),
        ] {
            let result = unsafe ZSTD_CCtx_setParameter(context, parameter, value)
            precondition(ZSTD_isError(result) == 0, "zstd takes its own parameters")
        }
    }

    deinit {
        unsafe ZSTD_freeCCtx(context)
        unsafe frame.deallocate()
    }

    /// The frame of `bytes`; `bytes` themselves where the kind is none.
    package func compress(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        unsafe withFrame(of: bytes) { unsafe [UInt8]($0) }
    }

    /// The same of an array.
    package func compress(_ bytes: [UInt8]) -> [UInt8] {
        unsafe bytes.span.withUnsafeBytes { unsafe compress($0) }
    }

    /// Lends the frame of `bytes` to `body`, without a copy. It is overwritten by the next one.
    package func withFrame<Result, Failure: Error>(
        of bytes: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        if kind == .none { return try unsafe body(bytes) }
        let bound = frameByteCountMax(bytes.count)
        if unsafe frame.count < bound {
            unsafe frame.deallocate()
            unsafe frame = UnsafeMutableRawBufferPointer.allocate(byteCount: bound, alignment: 16)
        }
        let count = unsafe encode(bytes)
        return try unsafe body(UnsafeRawBufferPointer(rebasing: frame[..<count]))
    }

    private func frameByteCountMax(_ byteCount: Int) -> Int {
        switch kind {
        case .none, .zstd: ZSTD_compressBound(byteCount)
        case .xz: XzFrame.byteCountMax(byteCount)
        case .brotli: BrotliFrame.byteCountMax(byteCount)
        }
    }

    /// Writes the frame, for which there is room; gives its length.
    private func encode(_ bytes: UnsafeRawBufferPointer) -> Int {
        switch kind {
        case .xz: return unsafe XzFrame.encode(bytes, level: level, into: frame)
        case .brotli: return unsafe BrotliFrame.encode(bytes, level: level, into: frame)
        case .none, .zstd: break
        }
        // zstd.h: ZSTD_compress2() always starts a new frame; what an earlier one left behind is forgotten, the
        // parameters stay. With a bound of this size it fails only without memory.
        let count = unsafe ZSTD_compress2(context, frame.baseAddress, frame.count, bytes.baseAddress, bytes.count)
        if let error = zstdError(count) { fatalError("zstd cannot compress \(bytes.count) bytes: \(error)") }
        return count
    }
}
