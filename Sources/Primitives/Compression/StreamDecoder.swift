/// Decompresses a stream of any length that comes in pieces: one frame or several, one after another. zstd's word
/// *frame* stands for what xz calls a stream and gzip a member; xz's may have padding after them. brotli has no such
/// thing: one stream is all, but for frames that were stored here (`init(frames:outputByteCountMax:)`).
///
/// The caller lends both sides, so nothing is copied twice and nothing grows: piece by piece (`forEachPiece`), or step by step
/// (`update`) where each step has its own room. When no input is left, `finish`.
///
/// Thread: whichever has it, one at a time.
package final class StreamDecoder {
    private let outputByteCountMax: Int
    /// Nil for no compression.
    private let frames: (any FrameDecoder)?
    private var outputByteCount = 0
    private var isInFrame = false
    /// Frames that ended and are written out.
    private var frameCount = 0
    /// Zeros since the last frame.
    private var paddingByteCount = 0
    /// A stream that was refused stays refused.
    private var failure: CompressionError?

    /// Traps without memory.
    ///
    /// - Parameters:
    ///   - outputByteCountMax: the most that the whole stream may stand for.
    ///   - memoryByteCountMax: streams that need more than that to be opened are refused; nil for the coding's own bound. gzip never
    ///     needs more than its own.
    package convenience init(_ coding: StreamCoding, outputByteCountMax: Int, memoryByteCountMax: Int? = nil) {
        let memory = memoryByteCountMax ?? coding.decoderByteCountMax
        let frames: (any FrameDecoder)? = switch coding {
        case .none: nil
        case .zstd: ZstdDecoder(memoryByteCountMax: memory)
        case .xz: XzDecoder(memoryByteCountMax: memory)
        case .gzip: GzipDecoder()
        case .brotli: BrotliDecoder(memoryByteCountMax: memory)
        }
        self.init(frames, outputByteCountMax: outputByteCountMax)
    }

    /// For the frames of stored chunks, end to end; of every kind, also where other decoders take them for no stream.
    ///
    /// - Parameter outputByteCountMax: the most that all of them may stand for.
    package convenience init(frames kind: CompressionKind, outputByteCountMax: Int) {
        if kind.framesJoin {
            self.init(kind.sentCoding, outputByteCountMax: outputByteCountMax)
        } else {
            let brotli = BrotliDecoder(memoryByteCountMax: StreamCoding.brotli.decoderByteCountMax, joining: .joined)
            self.init(brotli, outputByteCountMax: outputByteCountMax)
        }
    }

    /// - Parameter frames: the library's way of opening a frame; nil for no compression.
    init(_ frames: (any FrameDecoder)?, outputByteCountMax: Int) {
        self.frames = frames
        self.outputByteCountMax = outputByteCountMax
    }

    /// For bzip2, in which nothing is sent, but which Nix keeps build logs in.
    package static func bzip2(outputByteCountMax: Int) -> StreamDecoder {
        StreamDecoder(Bzip2Decoder(), outputByteCountMax: outputByteCountMax)
    }

    /// Takes what it can of `input` and writes what it can to `room`, which must not be empty. A room that comes back
    /// filled to its end may leave more behind: call again, also with empty input.
    ///
    /// - Throws: what refuses the stream, at every call from then on; `.corrupt` also where there is input, and it does not go on.
    package func update(
        _ input: UnsafeRawBufferPointer, into room: UnsafeMutableRawBufferPointer
    ) throws(CompressionError) -> StreamProgress {
        unsafe precondition(!room.isEmpty, "a decoder needs room to write to")
        if let failure { throw failure }
        do throws(CompressionError) {
            let before = frameCount
            let progress = try unsafe step(input, into: room)
            // The end of a frame may show only when its bytes were taken and written.
            guard unsafe input.isEmpty || progress.inputByteCount + progress.outputByteCount > 0 || frameCount > before else {
                throw .corrupt(reason: "it does not go on")
            }
            outputByteCount += progress.outputByteCount
            if outputByteCount > outputByteCountMax { throw .tooLarge(byteCountMax: outputByteCountMax) }
            return progress
        } catch {
            failure = error
            throw error
        }
    }

    /// Hands on all that `input` stands for, in pieces as long as `room` at most; no piece is empty.
    ///
    /// - Parameters:
    ///   - room: not empty; each piece lies in it until `take` returns.
    ///   - failed: says for what refuses the stream, as with `update`, what is to be thrown.
    /// - Throws: what `failed` gives, or `take` throws.
    package func forEachPiece<Failure: Error>(
        of input: UnsafeRawBufferPointer, through room: UnsafeMutableRawBufferPointer, failed: (CompressionError) -> Failure,
        _ take: (UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        var rest = unsafe input
        while true {
            let progress: StreamProgress
            do throws(CompressionError) { progress = try unsafe update(rest, into: room) } catch { throw failed(error) }
            if progress.outputByteCount > 0 {
                try unsafe take(UnsafeRawBufferPointer(rebasing: room[..<progress.outputByteCount]))
            }
            unsafe rest = UnsafeRawBufferPointer(rebasing: rest[progress.inputByteCount...])
            if unsafe rest.isEmpty, progress.outputByteCount < room.count { return }
        }
    }

    /// Says whether the stream ended where a frame ends. A compressed stream without any frame is truncated too.
    package func finish() throws(CompressionError) {
        if let failure { throw failure }
        if frames == nil { return }
        guard !isInFrame, frameCount > 0 else { throw .truncated }
        try checkPadding()
    }

    /// All that the bytes of a whole stream stand for.
    package static func decode(
        _ bytes: [UInt8], _ coding: StreamCoding, outputByteCountMax: Int
    ) throws(CompressionError) -> [UInt8] {
        try unsafe bytes.span.withUnsafeBytes { (bytes) throws(CompressionError) in
            try unsafe decode(bytes, coding, outputByteCountMax: outputByteCountMax)
        }
    }

    /// The same of bytes that are lent.
    package static func decode(
        _ bytes: UnsafeRawBufferPointer, _ coding: StreamCoding, outputByteCountMax: Int
    ) throws(CompressionError) -> [UInt8] {
        let decoder = StreamDecoder(coding, outputByteCountMax: outputByteCountMax)
        var output: [UInt8] = []
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
        defer { unsafe room.deallocate() }
        try unsafe decoder.forEachPiece(of: bytes, through: room, failed: { $0 }) { piece throws(CompressionError) in
            unsafe output.append(contentsOf: piece)
        }
        try decoder.finish()
        return output
    }

    private func step(
        _ input: UnsafeRawBufferPointer, into room: UnsafeMutableRawBufferPointer
    ) throws(CompressionError) -> StreamProgress {
        guard let frames else {
            let count = min(input.count, room.count)
            unsafe room.copyMemory(from: UnsafeRawBufferPointer(rebasing: input[..<count]))
            return StreamProgress(inputByteCount: count, outputByteCount: count)
        }
        var skipped = 0
        if !isInFrame {
            if frames.joining == .padded, frameCount > 0 {
                skipped = unsafe input.firstIndex { $0 != 0 } ?? input.count
                paddingByteCount += skipped
            }
            guard skipped < input.count else { return StreamProgress(inputByteCount: skipped, outputByteCount: 0) }
            if frames.joining == .alone, frameCount > 0 { throw .bytesAfterEnd }
            try checkPadding()
            paddingByteCount = 0
            try frames.begin()
            isInFrame = true
        }
        let step: FrameStep
        do throws(CompressionError) {
            step = try unsafe frames.decode(UnsafeRawBufferPointer(rebasing: input[skipped...]), into: room)
        } catch {
            if frameCount > 0, case .otherFormat = error { throw .bytesAfterEnd }
            throw error
        }
        if step.hasEnded {
            isInFrame = false
            frameCount += 1
        }
        return StreamProgress(inputByteCount: skipped + step.inputByteCount, outputByteCount: step.outputByteCount)
    }

    /// The .xz file format, section 2.2: the size of stream padding is a multiple of four bytes.
    private func checkPadding() throws(CompressionError) {
        guard paddingByteCount % 4 == 0 else { throw .bytesAfterEnd }
    }
}

/// How far one step came on both sides.
package struct StreamProgress: Equatable, Sendable {
    package let inputByteCount: Int
    package let outputByteCount: Int
}

/// What may follow a frame.
enum FrameJoining {
    /// The next one.
    case joined
    /// The next one, with zeros between.
    case padded
    /// Nothing.
    case alone
}

/// One library's way of opening frames, one after another.
protocol FrameDecoder: AnyObject {
    var joining: FrameJoining { get }

    /// Makes ready for the first byte of a frame.
    func begin() throws(CompressionError)

    /// Opens what it can, to the end of the frame at most, and says `otherFormat` where a frame does not begin as it
    /// should. `room` is not empty; `input` may be.
    func decode(
        _ input: UnsafeRawBufferPointer, into room: UnsafeMutableRawBufferPointer
    ) throws(CompressionError) -> FrameStep
}

extension FrameDecoder {
    var joining: FrameJoining { .joined }
}

/// How far one step of a frame came; whether that was the frame's last.
struct FrameStep {
    let inputByteCount: Int
    let outputByteCount: Int
    let hasEnded: Bool
}
