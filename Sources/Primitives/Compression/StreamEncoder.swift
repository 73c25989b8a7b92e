/// Compresses a stream of any length that comes in pieces, into one frame. What it writes depends on the library's
/// version, and on nothing else but the bytes and the level.
///
/// The caller lends both sides: piece by piece (`encode`, and when no input is left `finish(through:_:)`), or step by step (`update`
/// and `finish(into:)`) where each step has its own room.
///
/// Thread: whichever has it, one at a time.
package final class StreamEncoder {
    package let coding: StreamCoding
    /// Nil for no compression.
    private let frame: (any FrameEncoder)?
    private var hasEnded = false

    /// Traps without memory.
    ///
    /// - Parameter level: one of `coding.levels`, traps otherwise; nil for the quick one.
    package init(_ coding: StreamCoding, level: Int32? = nil) {
        self.coding = coding
        let level = level ?? coding.quickLevel
        precondition(coding.levels.contains(level), "\(coding.rawValue) has no level \(level)")
        switch coding {
        case .none: frame = nil
        case .zstd: frame = ZstdEncoder(level: level)
        case .xz: frame = XzEncoder(level: level)
        case .gzip: frame = GzipEncoder(level: level)
        case .brotli: frame = BrotliEncoder(level: level)
        }
    }

    /// Takes what it can of `input` and writes what it can to `room`, which must not be empty. It keeps some of what it
    /// took until `finish`.
    package func update(
        _ input: UnsafeRawBufferPointer, into room: UnsafeMutableRawBufferPointer
    ) -> StreamProgress {
        unsafe precondition(!room.isEmpty, "an encoder needs room to write to")
        precondition(!hasEnded, "the stream has ended")
        guard let frame else {
            let count = min(input.count, room.count)
            unsafe room.copyMemory(from: UnsafeRawBufferPointer(rebasing: input[..<count]))
            return StreamProgress(inputByteCount: count, outputByteCount: count)
        }
        // Nothing to do: two such calls in a row are an error to some of the libraries.
        if unsafe input.isEmpty { return StreamProgress(inputByteCount: 0, outputByteCount: 0) }
        let step = unsafe frame.encode(input, into: room, isLast: false)
        return StreamProgress(inputByteCount: step.inputByteCount, outputByteCount: step.outputByteCount)
    }

    /// Writes what is left, the stream's end last; call until that was written.
    package func finish(into room: UnsafeMutableRawBufferPointer) -> (outputByteCount: Int, isLast: Bool) {
        unsafe precondition(!room.isEmpty, "an encoder needs room to write to")
        guard let frame, !hasEnded else { return (0, true) }
        let step = unsafe frame.encode(UnsafeRawBufferPointer(start: nil, count: 0), into: room, isLast: true)
        hasEnded = step.hasEnded
        return (step.outputByteCount, step.hasEnded)
    }

    /// Takes all of `input`, and hands on what comes of it by now, in pieces as long as `room` at most; no piece is empty.
    ///
    /// - Parameter room: not empty; each piece lies in it until `take` returns.
    /// - Throws: what `take` throws.
    package func encode<Failure: Error>(
        _ input: UnsafeRawBufferPointer, through room: UnsafeMutableRawBufferPointer,
        _ take: (UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        var rest = unsafe input
        while unsafe !rest.isEmpty {
            let progress = unsafe update(rest, into: room)
            if progress.outputByteCount > 0 {
                try unsafe take(UnsafeRawBufferPointer(rebasing: room[..<progress.outputByteCount]))
            }
            unsafe rest = UnsafeRawBufferPointer(rebasing: rest[progress.inputByteCount...])
        }
    }

    /// Ends the stream, and hands on what is left of it; as `encode`.
    package func finish<Failure: Error>(
        through room: UnsafeMutableRawBufferPointer, _ take: (UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        var isLast = false
        while !isLast {
            let end = unsafe finish(into: room)
            isLast = end.isLast
            if end.outputByteCount > 0 { try unsafe take(UnsafeRawBufferPointer(rebasing: room[..<end.outputByteCount])) }
        }
    }

    /// The whole stream that stands for `bytes`.
    package static func encode(_ bytes: [UInt8], _ coding: StreamCoding, level: Int32? = nil) -> [UInt8] {
        unsafe bytes.span.withUnsafeBytes { unsafe encode($0, coding, level: level) }
    }

    /// The same of bytes that are lent.
    package static func encode(
        _ bytes: UnsafeRawBufferPointer, _ coding: StreamCoding, level: Int32? = nil
    ) -> [UInt8] {
        let encoder = StreamEncoder(coding, level: level)
        var output: [UInt8] = []
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
        defer { unsafe room.deallocate() }
        unsafe encoder.encode(bytes, through: room) { unsafe output.append(contentsOf: $0) }
        unsafe encoder.finish(through: room) { unsafe output.append(contentsOf: $0) }
        return output
    }
}

/// One library's way of making a frame.
protocol FrameEncoder: AnyObject {
    /// Makes what it can of the frame; its end where `isLast`, after which nothing but that may come. `room` is not
    /// empty, and `input` is empty exactly where `isLast`.
    func encode(
        _ input: UnsafeRawBufferPointer, into room: UnsafeMutableRawBufferPointer, isLast: Bool
    ) -> FrameStep
}
