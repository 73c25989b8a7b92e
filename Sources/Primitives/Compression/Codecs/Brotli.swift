import CBrotli

/// A stream of brotli (RFC 7932), with windows of up to 16 MiB as there; not the larger ones of the library's own
/// extension.
@safe final class BrotliDecoder: FrameDecoder {
    private let state: OpaquePointer

    init() {
        guard let state = unsafe BrotliDecoderCreateInstance(nil, nil, nil) else {
            fatalError("no memory to decompress with brotli")
        }
        unsafe self.state = unsafe state
    }

    deinit { unsafe BrotliDecoderDestroyInstance(state) }

    // There is one frame only.
    func begin() {}

    func decode(
        _ input: UnsafeRawBufferPointer, into room: UnsafeMutableRawBufferPointer
    ) throws(CompressionError) -> FrameStep {
        var inputLeft = input.count
        var roomLeft = room.count
        var next = unsafe input.baseAddress?.assumingMemoryBound(to: UInt8.self)
        var end = unsafe room.baseAddress?.assumingMemoryBound(to: UInt8.self)
        let result = unsafe BrotliDecoderDecompressStream(state, &inputLeft, &next, &roomLeft, &end, nil)
        if result == BROTLI_DECODER_RESULT_ERROR {
            let reason = unsafe String(cString: BrotliDecoderErrorString(BrotliDecoderGetErrorCode(state)))
            throw .corrupt(reason: "the brotli data is damaged (\(reason))")
        }
        return FrameStep(
            inputByteCount: input.count - inputLeft, outputByteCount: room.count - roomLeft,
            hasEnded: result == BROTLI_DECODER_RESULT_SUCCESS)
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
