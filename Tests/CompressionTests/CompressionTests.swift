import Compression
import Testing

@Suite struct CompressionTests {
    @Test("What was compressed comes back", arguments: CompressionKind.allCases, [0, 1, 63, 1000, 100_000])
    func bothWays(kind: CompressionKind, count: Int) throws {
        let compressor = Compressor(kind, level: kind == .zstd ? 3 : 0)
        let decompressor = Decompressor(kind)
        for seed in 1...3 {
            let bytes = sample(count, seed: UInt64(seed))
            let frame = compressor.compress(bytes)
            #expect(try decompressor.decompress(frame: frame, byteCountMax: count) == bytes)
            if count > 0 {
                #expect(throws: CompressionError.tooLarge(byteCountMax: count - 1)) {
                    try decompressor.decompress(frame: frame, byteCountMax: count - 1)
                }
            }
        }
    }

    @Test("Every level makes frames", arguments: [-5, 1, 3, 8, 19])
    func levels(level: Int32) throws {
        let bytes = sample(20_000)
        let frame = Compressor(.zstd, level: level).compress(bytes)
        #expect(frame.count < bytes.count * 3 / 4)
        #expect(try Decompressor(.zstd).decompress(frame: frame, byteCountMax: 20_000) == bytes)
        #expect(CompressionKind.zstd.levels.contains(level))
    }

    @Test("Every level of brotli makes frames of every size", arguments: CompressionKind.brotli.levels, [0, 1, 15, 1009, 65_536])
    func brotliLevels(level: Int32, count: Int) throws {
        let bytes = sample(count)
        let frame = Compressor(.brotli, level: level).compress(bytes)
        #expect(count < 1000 || frame.count < count * 3 / 4)
        #expect(try Decompressor(.brotli).decompress(frame: frame, byteCountMax: count) == bytes)
        // Of bytes that do not compress it is hardly longer.
        var state: UInt64 = 88172645463325252
        let noise = (0..<count).map { _ in
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return UInt8(truncatingIfNeeded: state >> 32)
        }
        let noisy = Compressor(.brotli, level: level).compress(noise)
        #expect(noisy.count <= count + 64)
        #expect(try Decompressor(.brotli).decompress(frame: noisy, byteCountMax: count) == noise)
    }

    @Test("A frame of brotli has a window that just reaches over its chunk", arguments: [(1008, 10), (1009, 11), (65_520, 16), (65_521, 17), (262_128, 18), (262_129, 19)])
    func brotliWindow(count: Int, bits: Int) throws {
        let first = try #require(Compressor(.brotli, level: 5).compress(sample(count)).first)
        // RFC 7932, section 9.1.
        let codes: [Int: (code: UInt8, bitCount: UInt8)] = [10: (0b010_0001, 7), 11: (0b011_0001, 7), 16: (0, 1), 17: (0b1, 7), 18: (0b0011, 4), 19: (0b0101, 4)]
        let (code, bitCount) = try #require(codes[bits])
        #expect(first & (1 << bitCount - 1) == code)
    }

    @Test("A frame of brotli that is cut, or has something behind it, is refused; other damage is noticed or harmless")
    func brotliDamage() throws {
        let bytes = sample(3000)
        let decompressor = Decompressor(.brotli)
        let frame = Compressor(.brotli, level: 5).compress(bytes)
        for count in 0..<frame.count {
            #expect(throws: CompressionError.truncated) { try decompressor.decompress(frame: Array(frame.prefix(count)), byteCountMax: 3000) }
        }
        for more in [[0], frame] {
            #expect(throws: CompressionError.bytesAfterEnd) { try decompressor.decompress(frame: frame + more, byteCountMax: 6000) }
        }
        for index in frame.indices {
            var changed = frame
            changed[index] ^= 0x41
            let result = try? decompressor.decompress(frame: changed, byteCountMax: 3000)
            #expect(result?.count ?? 0 <= 3000)
        }
        #expect(try decompressor.decompress(frame: frame, byteCountMax: 3000) == bytes)
        let bomb = Compressor(.brotli, level: 5).compress([UInt8](repeating: 0, count: 4 << 20))
        #expect(bomb.count < 100)
        #expect(throws: CompressionError.tooLarge(byteCountMax: 65_536)) { try decompressor.decompress(frame: bomb, byteCountMax: 65_536) }
    }

    @Test func aFrameTellsItsSizeAndHasNoChecksum() {
        let frame = Compressor(.zstd, level: 3).compress(sample(1000))
        #expect(Array(frame.prefix(4)) == [0x28, 0xb5, 0x2f, 0xfd])
        // RFC 8878, section 3.1.1.1.1: bits 7-6 and 5 tell of the content size, bit 2 of a checksum.
        #expect(frame[4] & 0b0110_0000 != 0)
        #expect(frame[4] & 0b0000_0100 == 0)
    }

    @Test func damageIsNoticedOrHarmless() throws {
        let bytes = sample(3000)
        let decompressor = Decompressor(.zstd)
        let frame = Compressor(.zstd, level: 3).compress(bytes)
        for count in 0..<frame.count {
            #expect(throws: CompressionError.self) {
                try decompressor.decompress(frame: Array(frame.prefix(count)), byteCountMax: 3000)
            }
        }
        #expect(throws: CompressionError.bytesAfterFrame(byteCount: 1)) {
            try decompressor.decompress(frame: frame + [0], byteCountMax: 3000)
        }
        #expect(throws: CompressionError.bytesAfterFrame(byteCount: frame.count)) {
            try decompressor.decompress(frame: frame + frame, byteCountMax: 6000)
        }
        for index in frame.indices {
            var changed = frame
            changed[index] ^= 0x41
            // Without a checksum a change may go unseen here; the chunk's hash finds it. It never reads past the bound.
            let result = try? decompressor.decompress(frame: changed, byteCountMax: 3000)
            #expect(result?.count ?? 0 <= 3000)
        }
        #expect(try decompressor.decompress(frame: frame, byteCountMax: 3000) == bytes)
    }

    @Test func aHeaderThatPromisesAWorldTakesNoMemory() {
        // Single segment, 8 bytes of content size: 2^62.
        let bomb: [UInt8] = [0x28, 0xb5, 0x2f, 0xfd, 0b1110_0000, 0, 0, 0, 0, 0, 0, 0, 0x40, 0x01, 0, 0]
        #expect(throws: CompressionError.tooLarge(byteCountMax: 1 << 20)) {
            try Decompressor(.zstd).decompress(frame: bomb, byteCountMax: 1 << 20)
        }
    }

    @Test func aFrameThatDoesNotTellItsSizeIsOpenedWithinTheBound() throws {
        // One block of a byte repeated 100,000 times, with a window and without a content size.
        let header: [UInt8] = [0x28, 0xb5, 0x2f, 0xfd, 0b0000_0000, 0x40]
        let block = UInt32(100_000) << 3 | 0b011
        let frame = header + [UInt8(truncatingIfNeeded: block), UInt8(truncatingIfNeeded: block >> 8), UInt8(block >> 16), 0x61]
        #expect(try Decompressor(.zstd).decompress(frame: frame, byteCountMax: 100_000) == [UInt8](repeating: 0x61, count: 100_000))
        #expect(throws: CompressionError.tooLarge(byteCountMax: 99_999)) {
            try Decompressor(.zstd).decompress(frame: frame, byteCountMax: 99_999)
        }
    }
}
