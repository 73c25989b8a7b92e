import Compression

/// Compares a listing that comes in pieces with one that is kept, without opening more of that than the piece needs.
///
/// Thread: whichever has it, one at a time.
final class ListingComparison {
    private let frame: [UInt8]
    private let decoder: StreamDecoder
    /// How far the frame was read.
    private var position = 0
    /// What was opened, and not compared yet.
    private var expected: ArraySlice<UInt8> = []

    /// - Parameters:
    ///   - frame: the listing that is kept, in one frame of zstd.
    ///   - byteCount: of its text.
    init(frame: [UInt8], byteCount: Int64) {
        self.frame = frame
        decoder = StreamDecoder(.zstd, outputByteCountMax: Int(byteCount))
    }

    /// Where two listings part, each with some bytes from there on.
    struct Difference {
        /// Some bytes before it, in which both are the same.
        let context: ArraySlice<UInt8>
        let found: ArraySlice<UInt8>
        let expected: ArraySlice<UInt8>
    }

    /// Compares the next bytes; nil where they are the same.
    func take(_ text: [UInt8]) throws(CompressionError) -> Difference? {
        var rest = text[...]
        while !rest.isEmpty {
            if expected.isEmpty { try open() }
            let count = min(rest.count, expected.count)
            guard count > 0, rest.prefix(count) == expected.prefix(count) else {
                var same = 0
                while same < count, rest[rest.startIndex + same] == expected[expected.startIndex + same] { same += 1 }
                return Difference(
                    context: text[..<(rest.startIndex + same)].suffix(60), found: rest.dropFirst(same).prefix(40),
                    expected: expected.dropFirst(same).prefix(40))
            }
            rest = rest.dropFirst(count)
            expected = expected.dropFirst(count)
        }
        return nil
    }

    /// Opens some more of the frame: nothing at its end.
    private func open() throws(CompressionError) {
        var room = [UInt8](repeating: 0, count: 64 << 10)
        var count = 0
        let frame = frame
        while count == 0, position < frame.count {
            var output = room.mutableSpan
            let progress = try unsafe frame.span.withUnsafeBytes { input throws(CompressionError) in
                let rest = unsafe UnsafeRawBufferPointer(rebasing: input[position...])
                return try unsafe output.withUnsafeMutableBytes { output throws(CompressionError) in
                    try unsafe decoder.update(rest, into: output)
                }
            }
            position += progress.inputByteCount
            count = progress.outputByteCount
        }
        expected = room[..<count]
    }
}
