import Compression
import Testing

/// The frames of a NAR's chunks end to end, as the store has them: of every kind they can be opened as one, also where other decoders refuse that.
@Suite("Stored frames end to end") struct StoredFramesTests {
    private static let chunks = [sample(700, seed: 1), [], sample(1, seed: 2), sample(900, seed: 3)]
    private static let expected = chunks.flatMap(\.self)

    private static func frames(_ kind: CompressionKind) -> [[UInt8]] {
        let compressor = Compressor(kind, level: kind.levelDefault)
        return chunks.map { compressor.compress($0) }
    }

    @Test("are opened as one, whole and byte by byte", arguments: CompressionKind.allCases, [1, 7, 700, 5000])
    func joined(kind: CompressionKind, roomByteCount: Int) throws {
        let bytes = Self.frames(kind).flatMap(\.self)
        #expect(try run(StreamDecoder(frames: kind, outputByteCountMax: 1601), [bytes], roomByteCount: roomByteCount) == Self.expected)
        #expect(try run(StreamDecoder(frames: kind, outputByteCountMax: 1601), bytes.map { [$0] }, roomByteCount: roomByteCount) == Self.expected)
    }

    @Test("are the same wherever they are split", arguments: CompressionKind.allCases)
    func splitEverywhere(kind: CompressionKind) throws {
        let bytes = Self.frames(kind).flatMap(\.self)
        for split in 0...bytes.count {
            let pieces = [Array(bytes[..<split]), Array(bytes[split...])]
            #expect(try run(StreamDecoder(frames: kind, outputByteCountMax: 1601), pieces, roomByteCount: 500) == Self.expected)
        }
    }

    @Test("are truncated anywhere but between two of them", arguments: CompressionKind.allCases.filter { $0 != .none })
    func truncated(kind: CompressionKind) throws {
        let frames = Self.frames(kind)
        let bytes = frames.flatMap(\.self)
        var ends: [Int] = []
        for count in 0..<bytes.count {
            do throws(CompressionError) {
                _ = try run(StreamDecoder(frames: kind, outputByteCountMax: 1601), [Array(bytes[..<count])], roomByteCount: 5000)
                ends.append(count)
            } catch { #expect(error == .truncated) }
        }
        #expect(ends == (1..<frames.count).map { count in frames[..<count].reduce(0) { $0 + $1.count } })
    }

    @Test("are bounded, all together", arguments: CompressionKind.allCases)
    func bounded(kind: CompressionKind) {
        let bytes = Self.frames(kind).flatMap(\.self)
        #expect(throws: CompressionError.tooLarge(byteCountMax: 1600)) {
            try run(StreamDecoder(frames: kind, outputByteCountMax: 1600), [bytes], roomByteCount: 64)
        }
    }

    @Test("Damage in one of them is noticed or harmless, and never ends another early", arguments: CompressionKind.allCases.filter { $0 != .none })
    func damage(kind: CompressionKind) {
        let bytes = Self.frames(kind).flatMap(\.self)
        for index in bytes.indices {
            var changed = bytes
            changed[index] ^= 0x24
            let opened = try? run(StreamDecoder(frames: kind, outputByteCountMax: 1601), [changed], roomByteCount: 333)
            #expect(opened?.count ?? 0 <= 1601)
        }
    }

    @Test("Only frames that join are one stream to others", arguments: CompressionKind.allCases)
    func asOthersSeeThem(kind: CompressionKind) throws {
        let bytes = Self.frames(kind).flatMap(\.self)
        guard kind.framesJoin else {
            #expect(kind.sentCoding == .none)
            #expect(throws: CompressionError.bytesAfterEnd) { try StreamDecoder.decode(bytes, .brotli, outputByteCountMax: 1601) }
            return
        }
        #expect(try StreamDecoder.decode(bytes, kind.sentCoding, outputByteCountMax: 1601) == Self.expected)
    }
}
