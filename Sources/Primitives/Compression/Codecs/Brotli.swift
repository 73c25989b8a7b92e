import CBrotli

/// A stream of brotli (RFC 7932), with windows of up to 16 MiB as there; not the larger ones of the library's own
/// extension.
@safe final class BrotliDecoder: FrameDecoder {
    private var state: OpaquePointer
    let joining: FrameJoining
    private let memoryByteCountMax: Int
    /// Some of the stream that `state` opens has come.
    private var isBegun = false

    /// Windows above 4 MiB, of 2^23 and 2^24 bytes, count as needing all that the format may.
    private static let smallWindowBitsMax = 22

    /// - Parameters:
    ///   - memoryByteCountMax: where it is less than the coding's own bound, streams with a window above 4 MiB are refused.
    ///   - joining: whether another stream may follow. To the format none does (RFC 7932, section 2); the end of one shows all the same.
    init(memoryByteCountMax: Int, joining: FrameJoining = .alone) {
        self.memoryByteCountMax = memoryByteCountMax
        self.joining = joining
        unsafe state = unsafe BrotliDecoder.makeState()
    }

    deinit { unsafe BrotliDecoderDestroyInstance(state) }

    func begin() {
        guard isBegun else { return }
        // A state opens one stream.
        unsafe BrotliDecoderDestroyInstance(state)
        unsafe state = unsafe BrotliDecoder.makeState()
        isBegun = false
    }

    private static func makeState() -> OpaquePointer {
        guard let state = unsafe BrotliDecoderCreateInstance(nil, nil, nil) else {
            fatalError("no memory to decompress with brotli")
        }
        return unsafe state
    }

    func decode(
        _ input: UnsafeRawBufferPointer, into room: UnsafeMutableRawBufferPointer
    ) throws(CompressionError) -> FrameStep {
        if !isBegun, let first = unsafe input.first {
            isBegun = true
            if BrotliDecoder.windowBits(first) > Self.smallWindowBitsMax, memoryByteCountMax < StreamCoding.brotli.decoderByteCountMax {
                throw .needsTooMuchMemory(byteCountMax: memoryByteCountMax)
            }
        }
        var inputLeft = input.count
        var roomLeft = room.count
        var next = unsafe input.baseAddress?.assumingMemoryBound(to: UInt8.self)
        var end = unsafe room.baseAddress?.assumingMemoryBound(to: UInt8.self)
        let result = unsafe BrotliDecoderDecompressStream(state, &inputLeft, &next, &roomLeft, &end, nil)
        if result == BROTLI_DECODER_RESULT_ERROR {
            let code = unsafe BrotliDecoderGetErrorCode(state)
            // brotli/decode.h: these are the codes of allocations that failed.
            if (-30 ... -21).contains(code.rawValue) { throw .needsTooMuchMemory(byteCountMax: memoryByteCountMax) }
            let reason = unsafe String(cString: BrotliDecoderErrorString(code))
            throw .corrupt(reason: "the brotli data is damaged (\(reason))")
        }
        return FrameStep(
            inputByteCount: input.count - inputLeft, outputByteCount: room.count - roomLeft,
            hasEnded: result == BROTLI_DECODER_RESULT_SUCCESS)
    }

    /// What the first byte says of the window (RFC 7932, section 9.1): 2^10 to 2^24 bytes, as the exponent. Exact above 17.
    private static func windowBits(_ first: UInt8) -> Int {
        guard first & 1 == 1 else { return 16 }
        let more = Int(first >> 1 & 7)
        return more == 0 ? 17 : 17 + more
    }
}

/// One whole stream of brotli of a chunk, in one call. The window is no larger than the chunk needs: what it takes is memory of whoever opens it.
enum BrotliFrame {
    /// Room for the stream of so many bytes, whatever they are. brotli/encode.h promises it for `BrotliEncoderCompress` at every level.
    static func byteCountMax(_ byteCount: Int) -> Int { BrotliEncoderMaxCompressedSize(byteCount) }

    /// Writes the stream into `room`, which has `byteCountMax`; gives its length.
    static func encode(_ bytes: UnsafeRawBufferPointer, level: Int32, into room: UnsafeMutableRawBufferPointer) -> Int {
        var count = room.count
        let isDone = unsafe BrotliEncoderCompress(
            level, windowBits(bytes.count), BROTLI_MODE_GENERIC, bytes.count, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), &count,
            room.baseAddress?.assumingMemoryBound(to: UInt8.self))
        // With room for everything it fails only without memory.
        guard isDone != 0 else { fatalError("brotli cannot compress \(bytes.count) bytes") }
        return count
    }

    /// The smallest window that reaches over so many bytes, as its exponent: one of n bits has 2^n - 16 bytes, n from 10 to 24
    /// (RFC 7932, section 9.1).
    private static func windowBits(_ byteCount: Int) -> Int32 {
        let needed = Int.bitWidth - (byteCount + 15).leadingZeroBitCount
        return Int32(min(max(needed, 10), 24))
    }
}

/// One stream of brotli, with a window of 4 MiB at most.
@safe final class BrotliEncoder: FrameEncoder {
    private let state: OpaquePointer

    init(level: Int32) {
        guard let state = unsafe BrotliEncoderCreateInstance(nil, nil, nil) else {
            fatalError("no memory to compress with brotli")
        }
        unsafe self.state = unsafe state
        // brotli/encode.h: parameters are taken before the first byte; the window is the default of 2^22 bytes.
        let isTaken = unsafe BrotliEncoderSetParameter(state, BROTLI_PARAM_QUALITY, UInt32(level))
        precondition(isTaken != 0, "brotli takes its own parameters")
    }

    deinit { unsafe BrotliEncoderDestroyInstance(state) }

    func encode(
        _ input: UnsafeRawBufferPointer, into room: UnsafeMutableRawBufferPointer, isLast: Bool
    ) -> FrameStep {
        var inputLeft = input.count
        var roomLeft = room.count
        var next = unsafe input.baseAddress?.assumingMemoryBound(to: UInt8.self)
        var end = unsafe room.baseAddress?.assumingMemoryBound(to: UInt8.self)
        let operation = isLast ? BROTLI_OPERATION_FINISH : BROTLI_OPERATION_PROCESS
        guard unsafe BrotliEncoderCompressStream(state, operation, &inputLeft, &next, &roomLeft, &end, nil) != 0 else {
            fatalError("brotli cannot compress \(input.count) bytes")
        }
        return unsafe FrameStep(
            inputByteCount: input.count - inputLeft, outputByteCount: room.count - roomLeft,
            hasEnded: isLast && BrotliEncoderIsFinished(state) != 0)
    }
}
