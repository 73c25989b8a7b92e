import Compression
import Testing

@Suite struct StreamEncoderTests {
    @Test("What was compressed comes back", arguments: StreamCoding.allCases, [0, 1, 63, 1000, 300_000])
    func bothWays(coding: StreamCoding, count: Int) throws {
        let bytes = sample(count)
        let stream = StreamEncoder.encode(bytes, coding)
        #expect(try StreamDecoder.decode(stream, coding, outputByteCountMax: count) == bytes)
        if coding != .none, count == 300_000 { #expect(stream.count < count * 3 / 5) }
    }

    @Test("The pieces that it came in, and the room, do not show", arguments: StreamCoding.allCases)
    func splits(coding: StreamCoding) {
        let bytes = sample(1200)
        let whole = StreamEncoder.encode(bytes, coding)
        #expect(run(StreamEncoder(coding), bytes.map { [$0] }, roomByteCount: 3) == whole)
        for split in stride(from: 0, through: bytes.count, by: 37) {
            #expect(run(StreamEncoder(coding), [Array(bytes[..<split]), [], Array(bytes[split...])], roomByteCount: 100) == whole)
        }
    }

    @Test("Every level makes streams", arguments: StreamCoding.allCases)
    func levels(coding: StreamCoding) throws {
        let bytes = sample(5000)
        // The slowest of xz and zstd want hundreds of megabytes.
        for level in max(coding.levels.lowerBound, -3)...min(coding.levels.upperBound, coding == .xz ? 6 : 12) {
            let stream = StreamEncoder.encode(bytes, coding, level: level)
            #expect(try StreamDecoder.decode(stream, coding, outputByteCountMax: 5000) == bytes)
        }
        #expect(coding.levels.contains(coding.quickLevel))
    }

    @Test func afterItsEndItHasNothingMore() {
        for coding in StreamCoding.allCases {
            let encoder = StreamEncoder(coding)
            let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 1000, alignment: 1)
            defer { unsafe room.deallocate() }
            while unsafe !encoder.finish(into: room).isLast {}
            let again = unsafe encoder.finish(into: room)
            #expect(again.outputByteCount == 0 && again.isLast)
        }
    }
}
