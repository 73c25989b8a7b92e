import CZstd

/// Decompresses a stream of any length that comes in pieces: one frame or several, one after another.
///
/// The caller lends both sides, so nothing is copied twice and nothing grows:
///
///     repeat {
///         progress = try stream.update(rest, into: room)     // rest loses progress.inputByteCount at its front
///     } while rest is not empty, or the room was filled to its end
///     …                                                      // when no input is left:
///     try stream.finish()
///
/// Thread: whichever has it, one at a time.
@safe package final class StreamDecompressor {
    /// How far one step came on both sides.
    package struct Progress: Equatable, Sendable {
        package let inputByteCount: Int
        package let outputByteCount: Int
    }

    package let kind: CompressionKind
    private let byteCountMax: Int
    private let context: OpaquePointer?
    private var outputByteCount = 0
    /// Whether all frames begun so far have ended and are written out.
    private var isBetweenFrames: Bool
    /// A stream that was refused stays refused.
    private var failure: CompressionError?

    /// - Parameters:
    ///   - byteCountMax: the most that the whole stream may stand for.
    ///   - windowLog: frames that need more than 2 to this many bytes of memory are refused. 27 is what the zstd tool
    ///     takes without being asked; its levels up to 19 need 23.
    package init(_ kind: CompressionKind, byteCountMax: Int, windowLog: Int32 = 27) {
        self.kind = kind
        self.byteCountMax = byteCountMax
        isBetweenFrames = kind == .none
        guard kind == .zstd else {
            unsafe context = nil
            return
        }
        guard let context = unsafe ZSTD_createDCtx() else { fatalError("no memory to decompress with zstd") }
        unsafe self.context = unsafe context
        let result = unsafe ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, windowLog)
        precondition(ZSTD_isError(result) == 0, "zstd has no window of 2 to the \(windowLog) bytes")
    }

    deinit { unsafe ZSTD_freeDCtx(context) }

    /// Takes what it can of `input` and writes what it can to `room`. A room that comes back filled to its end may leave
    /// more behind: call again, also with empty input.
    package func update(
        _ input: UnsafeRawBufferPointer, into room: UnsafeMutableRawBufferPointer
    ) throws(CompressionError) -> Progress {
        if let failure { throw failure }
        let progress: Progress
        do throws(CompressionError) {
            progress = try unsafe step(input, into: room)
            outputByteCount += progress.outputByteCount
            if outputByteCount > byteCountMax { throw .tooLarge(byteCountMax: byteCountMax) }
        } catch {
            failure = error
            throw error
        }
        return progress
    }

    /// Says whether the stream ended where a frame ends. A stream without any frame is truncated too.
    package func finish() throws(CompressionError) {
        if let failure { throw failure }
        guard isBetweenFrames else { throw .truncated }
    }

    private func step(
        _ input: UnsafeRawBufferPointer, into room: UnsafeMutableRawBufferPointer
    ) throws(CompressionError) -> Progress {
        guard let context = unsafe context else {
            let count = min(input.count, room.count)
            unsafe room.copyMemory(from: UnsafeRawBufferPointer(rebasing: input[..<count]))
            return Progress(inputByteCount: count, outputByteCount: count)
        }
        // Asked for nothing between frames, zstd would count it as a call without progress, and refuse the sixteenth.
        if unsafe input.isEmpty, isBetweenFrames { return Progress(inputByteCount: 0, outputByteCount: 0) }
        var source = unsafe ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
        var target = unsafe ZSTD_outBuffer(dst: room.baseAddress, size: room.count, pos: 0)
        let hint = unsafe ZSTD_decompressStream(context, &target, &source)
        if let error = zstdError(hint) { throw error }
        let progress = unsafe Progress(inputByteCount: source.pos, outputByteCount: target.pos)
        // zstd.h: 0 is returned when a frame is completely decoded and fully flushed.
        if progress.inputByteCount > 0 || progress.outputByteCount > 0 { isBetweenFrames = hint == 0 }
        return progress
    }
}
