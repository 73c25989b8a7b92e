import Compression

extension FuzzTarget {
    /// Streams of every coding that is read from strangers, single frames of zstd as chunks are stored in, and what is compressed here.
    static let compressions =
        [StreamCoding.zstd, .xz, .gzip, .brotli].map { coding in
            FuzzTarget(coding == .brotli ? "brotli" : coding.rawValue, byteCountMax: 1024) { try checkStream($0, coding) }
        } + [
            FuzzTarget("bzip2", byteCountMax: 1024) { try checkStream($0, nil) },
            FuzzTarget("zstd-frame", byteCountMax: 1024) { try checkFrame($0) },
            FuzzTarget("stored-brotli", byteCountMax: 1024) { try checkStored($0) },
            FuzzTarget("recode", byteCountMax: 1024) { try checkRecoding($0) },
        ]

    /// What a stream may stand for here, in bytes: a few blocks of every coding.
    fileprivate static let outputByteCountMax = 64 << 10
    /// What opening one may take: far below what the server allows, so that a run notices what takes more than it was given.
    fileprivate static let memoryByteCountMax = 16 << 20
}

/// How a stream was opened, as far as it went.
private struct Opened: Equatable {
    var bytes: [UInt8] = []
    var isWhole = false
}

/// - Parameter coding: nil for bzip2.
private func checkStream(_ bytes: [UInt8], _ coding: StreamCoding?) throws {
    let ways = zip(arrivals(of: bytes), [16 << 10, 4096, 333])
    var first: Opened?
    for (ends, room) in ways {
        let opened = try open(pieces(of: bytes, endingAt: ends), coding, roomByteCount: room)
        if let first {
            // libzstd compares a frame's size with what its head promised, but not where the last block is empty and comes alone: who
            // needs the size compares it himself, as NARs are by their hash.
            if coding != .zstd { try same(opened.isWhole, first.isWhole, "a stream is opened alike however it comes") }
            // Where it fails, how much of it has been given out before may differ.
            let count = min(opened.bytes.count, first.bytes.count)
            try rule(opened.bytes.prefix(count) == first.bytes.prefix(count), "what a stream stands for, however it comes")
            if opened.isWhole && first.isWhole { try same(opened.bytes.count, first.bytes.count, "bytes of a stream, however it comes") }
        }
        first = first ?? opened
    }
}

private func open(_ pieces: [[UInt8]], _ coding: StreamCoding?, roomByteCount: Int) throws -> Opened {
    let decoder = coding.map {
        StreamDecoder($0, outputByteCountMax: FuzzTarget.outputByteCountMax, memoryByteCountMax: FuzzTarget.memoryByteCountMax)
    } ?? StreamDecoder.bzip2(outputByteCountMax: FuzzTarget.outputByteCountMax)
    return try open(pieces, by: decoder, roomByteCount: roomByteCount)
}

private func open(_ pieces: [[UInt8]], by decoder: StreamDecoder, roomByteCount: Int) throws -> Opened {
    var opened = Opened()
    var room = [UInt8](repeating: 0, count: roomByteCount)
    do throws(CompressionError) {
        for piece in pieces { try feed(piece, to: decoder, &room, into: &opened.bytes) }
        try decoder.finish()
        opened.isWhole = true
    } catch { try readable(error) }
    try rule(opened.bytes.count <= FuzzTarget.outputByteCountMax, "no more is given out than was allowed")
    return opened
}

private func feed(
    _ piece: [UInt8], to decoder: StreamDecoder, _ room: inout [UInt8], into output: inout [UInt8]
) throws(CompressionError) {
    var start = 0
    var stalls = 0
    while true {
        var span = room.mutableSpan
        let rest = piece.span.extracting(start...)
        let progress = try unsafe rest.withUnsafeBytes { input throws(CompressionError) in
            try unsafe span.withUnsafeMutableBytes { room throws(CompressionError) in try unsafe decoder.update(input, into: room) }
        }
        start += progress.inputByteCount
        output += room.prefix(progress.outputByteCount)
        if start == piece.count, progress.outputByteCount < room.count { return }
        stalls = progress.inputByteCount == 0 && progress.outputByteCount == 0 ? stalls + 1 : 0
        // Whoever drives a decoder goes on as long as there is input: one that takes none and gives none would hang it.
        precondition(stalls < 3, "a decoder neither takes nor gives anything")
    }
}

/// A frame alone, as the store reads its chunks, stands for what the same bytes stand for as a stream.
private func checkFrame(_ bytes: [UInt8]) throws {
    let decompressor = Decompressor(.zstd)
    let alone: [UInt8]
    do throws(CompressionError) { alone = try decompressor.decompress(frame: bytes, byteCountMax: FuzzTarget.outputByteCountMax) } catch {
        return try readable(error)
    }
    try rule(alone.count <= FuzzTarget.outputByteCountMax, "no more is given out than was allowed")
    try rule(bytes[0] == 0x28 || bytes[0] >> 4 == 5, "what is opened is a frame of RFC 8878, and of no older format")
    do {
        let streamed = try StreamDecoder.decode(bytes, .zstd, outputByteCountMax: FuzzTarget.outputByteCountMax)
        try same(streamed, alone, "a frame as a stream")
    } catch {
        if error is BrokenRule { throw error }
        // A stream needs its window; a frame whose size is known does not.
        if case .needsTooMuchMemory? = error as? CompressionError { return }
        throw BrokenRule("a frame that is opened alone is refused as a stream: \(error)")
    }
    try same(try decompressor.decompress(frame: bytes, byteCountMax: alone.count), alone, "a bound of just as many bytes is enough")
    if !alone.isEmpty, (try? decompressor.decompress(frame: bytes, byteCountMax: alone.count - 1)) != nil {
        throw BrokenRule("a bound of one byte less is not kept")
    }
}

/// Frames of brotli end to end, as a NAR of them is read, stand for what each of them stands for alone, however they come.
private func checkStored(_ bytes: [UInt8]) throws {
    var first: Opened?
    for (ends, room) in zip(arrivals(of: bytes), [16 << 10, 4096, 333]) {
        let decoder = StreamDecoder(frames: .brotli, outputByteCountMax: FuzzTarget.outputByteCountMax)
        let opened = try open(pieces(of: bytes, endingAt: ends), by: decoder, roomByteCount: room)
        if let first {
            try same(opened.isWhole, first.isWhole, "frames are opened alike however they come")
            if opened.isWhole { try same(opened.bytes, first.bytes, "what frames stand for, however they come") }
        }
        first = first ?? opened
    }
    let alone: [UInt8]
    do throws(CompressionError) {
        alone = try Decompressor(.brotli).decompress(frame: bytes, byteCountMax: FuzzTarget.outputByteCountMax)
    } catch { return try readable(error) }
    try rule(first?.isWhole == true, "what is a frame alone is one among others")
    try same(first?.bytes ?? [], alone, "a frame alone")
}

/// Bytes that are compressed are the same when they are opened; the first of them says how.
private func checkRecoding(_ bytes: [UInt8]) throws {
    let coding = StreamCoding.allCases[Int(bytes.first ?? 0) % StreamCoding.allCases.count]
    let packed = StreamEncoder.encode(bytes, coding)
    try same(try StreamDecoder.decode(packed, coding, outputByteCountMax: bytes.count), bytes, "what is compressed with \(coding)")
    let frame = Array(bytes.prefix(bytes.count / 2))
    let joined = StreamEncoder.encode(frame, .zstd) + StreamEncoder.encode(Array(bytes[frame.count...]), .zstd)
    try same(try StreamDecoder.decode(joined, .zstd, outputByteCountMax: bytes.count), bytes, "frames that are joined")
}
