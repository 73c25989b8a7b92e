import Compression

/// Bytes that compress by about half, the same on every run.
func sample(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
    var state = seed
    return (0..<count).map { index in
        if index % 64 < 32 { return UInt8(truncatingIfNeeded: index / 64 % 7) }
        state = state &* 6364136223846793005 &+ 1442695040888963407
        return UInt8(truncatingIfNeeded: state >> 56)
    }
}

extension StreamCoding {
    /// Those that really compress.
    static let compressing = allCases.filter { $0 != .none }
}

/// The bytes that a text of hexadecimal digits stands for; blanks and line ends are skipped.
func hex(_ text: String) -> [UInt8] {
    let digits = text.compactMap(\.hexDigitValue)
    return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}

/// What comes out of `decoder` for `pieces`, with a room of so many bytes.
func run(_ decoder: StreamDecoder, _ pieces: [[UInt8]], roomByteCount: Int) throws(CompressionError) -> [UInt8] {
    var output: [UInt8] = []
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: roomByteCount, alignment: 1)
    defer { unsafe room.deallocate() }
    for piece in pieces {
        var start = 0
        while true {
            let progress = try unsafe piece.span.withUnsafeBytes { (bytes) throws(CompressionError) in
                try unsafe decoder.update(UnsafeRawBufferPointer(rebasing: bytes[start...]), into: room)
            }
            unsafe output.append(contentsOf: room[..<progress.outputByteCount])
            start += progress.inputByteCount
            if start == piece.count, progress.outputByteCount < roomByteCount { break }
        }
    }
    try decoder.finish()
    return output
}

/// What comes out of `encoder` for `pieces`, with a room of so many bytes.
func run(_ encoder: StreamEncoder, _ pieces: [[UInt8]], roomByteCount: Int) -> [UInt8] {
    var output: [UInt8] = []
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: roomByteCount, alignment: 1)
    defer { unsafe room.deallocate() }
    for piece in pieces {
        var start = 0
        while start < piece.count {
            let progress = unsafe piece.span.withUnsafeBytes { bytes in
                unsafe encoder.update(UnsafeRawBufferPointer(rebasing: bytes[start...]), into: room)
            }
            unsafe output.append(contentsOf: room[..<progress.outputByteCount])
            start += progress.inputByteCount
        }
    }
    while true {
        let end = unsafe encoder.finish(into: room)
        unsafe output.append(contentsOf: room[..<end.outputByteCount])
        if end.isLast { return output }
    }
}
