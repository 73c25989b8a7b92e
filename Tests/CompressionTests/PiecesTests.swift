import Testing

@testable import Compression

/// Streams that are taken and handed on piece by piece.
@Suite struct PiecesTests {
    /// What comes out of `decoder` for parts of a stream, piece by piece, with a room of so many bytes.
    private func opened(_ decoder: StreamDecoder, _ parts: [[UInt8]], roomByteCount: Int) throws(CompressionError) -> [UInt8] {
        var output: [UInt8] = []
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: roomByteCount, alignment: 1)
        defer { unsafe room.deallocate() }
        for part in parts {
            try unsafe part.span.withUnsafeBytes { bytes throws(CompressionError) in
                try unsafe decoder.forEachPiece(of: bytes, through: room, failed: { $0 }) { piece throws(CompressionError) in
                    #expect((1...roomByteCount).contains(piece.count))
                    unsafe output.append(contentsOf: piece)
                }
            }
        }
        try decoder.finish()
        return output
    }

    /// What comes out of `encoder` for parts of a text, piece by piece.
    private func encoded(_ encoder: StreamEncoder, _ parts: [[UInt8]], roomByteCount: Int) -> [UInt8] {
        var output: [UInt8] = []
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: roomByteCount, alignment: 1)
        defer { unsafe room.deallocate() }
        func keep(_ piece: UnsafeRawBufferPointer) {
            #expect((1...roomByteCount).contains(piece.count))
            unsafe output.append(contentsOf: piece)
        }
        for part in parts {
            unsafe part.span.withUnsafeBytes { bytes in unsafe encoder.encode(bytes, through: room, keep) }
        }
        unsafe encoder.finish(through: room, keep)
        return output
    }

    @Test("Whole and byte by byte, what was compressed comes back", arguments: StreamCoding.allCases, [1, 7, 1600, 1601, 5000])
    func decoding(coding: StreamCoding, roomByteCount: Int) throws {
        let bytes = sample(1600)
        let stream = StreamEncoder.encode(bytes, coding)
        for parts in [[stream], stream.map { [$0] }] {
            #expect(try opened(StreamDecoder(coding, outputByteCountMax: 1600), parts, roomByteCount: roomByteCount) == bytes)
        }
    }

    @Test("Split at every place it is the same", arguments: StreamCoding.allCases)
    func decodingSplitEverywhere(coding: StreamCoding) throws {
        let bytes = sample(1600)
        let stream = StreamEncoder.encode(bytes, coding)
        for split in 0...stream.count {
            let parts = [Array(stream[..<split]), [], Array(stream[split...])]
            #expect(try opened(StreamDecoder(coding, outputByteCountMax: 1600), parts, roomByteCount: 500) == bytes)
        }
    }

    @Test("A frame that fills the room to its end is no standstill", arguments: CompressionKind.allCases, [1, 400, 800, 1600])
    func joinedFrames(kind: CompressionKind, roomByteCount: Int) throws {
        let chunks = [sample(800, seed: 1), sample(800, seed: 2), sample(1600, seed: 3)]
        let coding = kind.framesJoin ? kind.sentCoding : .brotli
        let frames = chunks.flatMap { StreamEncoder.encode($0, coding) }
        for parts in [[frames], frames.map { [$0] }] {
            let decoder = StreamDecoder(frames: kind, outputByteCountMax: 3200)
            #expect(try opened(decoder, parts, roomByteCount: roomByteCount) == chunks.flatMap(\.self))
        }
    }

    @Test("What a decoder refuses, and what its taker throws, end the pieces")
    func failures() throws {
        struct Enough: Error {}
        let bytes = StreamEncoder.encode(sample(1600), .zstd)
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 100, alignment: 1)
        defer { unsafe room.deallocate() }
        var count = 0
        #expect(throws: Enough.self) {
            try unsafe bytes.span.withUnsafeBytes { bytes in
                try unsafe StreamDecoder(.zstd, outputByteCountMax: 1600).forEachPiece(of: bytes, through: room, failed: { $0 as any Error }) { _ in
                    count += 1
                    throw Enough()
                }
            }
        }
        #expect(count == 1)
        #expect(throws: CompressionError.tooLarge(byteCountMax: 150)) {
            try opened(StreamDecoder(.zstd, outputByteCountMax: 150), [bytes], roomByteCount: 100)
        }
    }

    /// Opens nothing, and takes nothing.
    private final class Standstill: FrameDecoder {
        func begin() {}
        func decode(_ input: UnsafeRawBufferPointer, into room: UnsafeMutableRawBufferPointer) -> FrameStep {
            FrameStep(inputByteCount: 0, outputByteCount: 0, hasEnded: false)
        }
    }

    @Test("A decoder that does not go on is an error, and stays one")
    func standstill() {
        let decoder = StreamDecoder(Standstill(), outputByteCountMax: 100)
        for _ in 0..<2 {
            #expect(throws: CompressionError.corrupt(reason: "it does not go on")) { try opened(decoder, [[1, 2, 3]], roomByteCount: 10) }
        }
        #expect(throws: CompressionError.corrupt(reason: "it does not go on")) { try decoder.finish() }
        // Without input there is nothing that could go on.
        #expect(throws: CompressionError.truncated) { try opened(StreamDecoder(Standstill(), outputByteCountMax: 100), [[]], roomByteCount: 10) }
    }

    @Test("The parts that a text came in, and the room, do not show", arguments: StreamCoding.allCases, [1, 3, 100, 5000])
    func encoding(coding: StreamCoding, roomByteCount: Int) {
        let bytes = sample(1200)
        let whole = StreamEncoder.encode(bytes, coding)
        #expect(encoded(StreamEncoder(coding), [bytes], roomByteCount: roomByteCount) == whole)
        #expect(encoded(StreamEncoder(coding), bytes.map { [$0] }, roomByteCount: roomByteCount) == whole)
        for split in stride(from: 0, through: bytes.count, by: 37) {
            let parts = [Array(bytes[..<split]), [], Array(bytes[split...])]
            #expect(encoded(StreamEncoder(coding), parts, roomByteCount: roomByteCount) == whole)
        }
    }
}
