import CBrotli

/// A stream of brotli (RFC 7932), with windows of up to 16 MiB as there; not the larger ones of the library's own
/// extension.
@safe final class BrotliDecoder: FrameDecoder {
    private let state: OpaquePointer
    let joining = FrameJoining.alone
    private let memoryByteCountMax: Int
    private var isBegun = false

    /// Windows above 4 MiB, of 2^23 and 2^24 bytes, count as needing all that the format may.
    private static let smallWindowBitsMax = 22

    /// - Parameter memoryByteCountMax: where it is less than the coding's own bound, streams with a window above 4 MiB are
    ///   refused.
    init(memoryByteCountMax: Int) {
        self.memoryByteCountMax = memoryByteCountMax
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
