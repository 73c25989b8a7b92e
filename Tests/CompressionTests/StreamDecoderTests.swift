import Testing

@testable import Compression

/// The NAR of a file with the bytes "hello\n", as `nix copy --to 'file://…?compression=…'` of Nix 2.8 wrote it.
private let nar = hex("""
    0d000000000000006e69782d617263686976652d3100000001000000000000002800000000000000040000000000000074797065000000000700000000000000
    726567756c6172000800000000000000636f6e74656e7473060000000000000068656c6c6f0a000001000000000000002900000000000000
    """)
private let narOfNix: [StreamCoding: [UInt8]] = [
    .none: nar,
    .xz: hex("""
        fd377a585a000004e6d6b4460200210116000000742fe5a3e0007700425d000680361fefa6cebf76ba1a7a4f2beaa45324eda1230471ff5bbf9769baf329be24
        49a4705d8f300b47281333bd17b3b33cae387d94ec46a6fb1c1f66e4d82a01c97c00000057256c680ff3aa9f00015e78ff3c605a1fb6f37d010000000004595a
        """),
    .zstd: hex("""
        28b52ffd005895020042040f1880d51903818594dbd2c97ed9476484dc93500ee0963d4a01ff7f6234c45b0fcde66d3675b1267496d389ff6302bb3072f02be8
        1eb694260460f911080053d8050c040602038181c1c0c008036803
        """),
    .gzip: hex("""
        1f8b0800a263036b0003e3658080bccc0addc4a2e48cccb2545d43209f112aae01a559a0744965412a886687f28b52d34b73128b1838a0fce4fcbc92d4bc9262
        36283f233527279f0b619e269406006889066b78000000
        """),
    .brotli: hex("1b77000086206ff7db0f45e9840f6a54645dd02ebe681436c6c6730b453b4ec0bbbf445f1d04600112d014a103b2ae0118401ae0335b046003"),
]

@Suite struct StreamDecoderTests {
    /// Several frames where the coding has that, and what they stand for.
    private static func joined(_ coding: StreamCoding) -> (bytes: [UInt8], expected: [UInt8]) {
        let chunks = coding == .brotli ? [sample(1601)] : [sample(700, seed: 1), [], sample(1, seed: 2), sample(900, seed: 3)]
        // xz: with padding behind each, of which there may be none.
        let paddings = coding == .xz ? [4, 0, 8, 12] : [0, 0, 0, 0]
        let bytes = zip(chunks, paddings).flatMap { StreamEncoder.encode($0, coding) + [UInt8](repeating: 0, count: $1) }
        return (bytes, chunks.flatMap(\.self))
    }

    @Test("A NAR comes out as Nix put it in, whole and byte by byte", arguments: StreamCoding.allCases)
    func asNixWritesIt(coding: StreamCoding) throws {
        let bytes = try #require(narOfNix[coding])
        #expect(try StreamDecoder.decode(bytes, coding, outputByteCountMax: nar.count) == nar)
        #expect(try run(StreamDecoder(coding, outputByteCountMax: nar.count), bytes.map { [$0] }, roomByteCount: 1) == nar)
    }

    @Test("Joined frames are one stream, whole and byte by byte", arguments: StreamCoding.allCases, [1, 7, 1601, 5000])
    func joinedFrames(coding: StreamCoding, roomByteCount: Int) throws {
        let (bytes, expected) = Self.joined(coding)
        let whole = try run(StreamDecoder(coding, outputByteCountMax: 1601), [bytes], roomByteCount: roomByteCount)
        #expect(whole == expected)
        let single = try run(StreamDecoder(coding, outputByteCountMax: 1601), bytes.map { [$0] }, roomByteCount: roomByteCount)
        #expect(single == expected)
    }

    @Test("Split at every place it is the same", arguments: StreamCoding.allCases)
    func splitEverywhere(coding: StreamCoding) throws {
        let (bytes, expected) = Self.joined(coding)
        for split in 0...bytes.count {
            let pieces = [Array(bytes[..<split]), Array(bytes[split...])]
            #expect(try run(StreamDecoder(coding, outputByteCountMax: 1601), pieces, roomByteCount: 500) == expected)
        }
    }

    @Test("A stream that ends early is truncated", arguments: StreamCoding.compressing)
    func truncated(coding: StreamCoding) throws {
        let (bytes, _) = Self.joined(coding)
        var ends = 0
        for count in 0..<bytes.count {
            let decoder = StreamDecoder(coding, outputByteCountMax: 1601)
            do throws(CompressionError) {
                _ = try run(decoder, [Array(bytes.prefix(count))], roomByteCount: 5000)
                ends += 1
            } catch {
                // In the middle of padding it is not quite over.
                #expect(error == .truncated || coding == .xz && error == .bytesAfterEnd)
            }
        }
        // Between the four frames; with xz also at each of the six places where padding may end.
        #expect(ends == (coding == .brotli ? 0 : coding == .xz ? 3 + 1 + 2 + 3 : 3))
    }

    @Test("Something else behind the end is refused", arguments: StreamCoding.compressing)
    func trailing(coding: StreamCoding) throws {
        let bytes = StreamEncoder.encode(sample(500), coding)
        for other in [Array("something else".utf8), [UInt8](repeating: 1, count: 100)] {
            #expect(throws: CompressionError.bytesAfterEnd) {
                try StreamDecoder.decode(bytes + other, coding, outputByteCountMax: 500)
            }
            #expect(throws: CompressionError.bytesAfterEnd) {
                try run(StreamDecoder(coding, outputByteCountMax: 500), (bytes + other).map { [$0] }, roomByteCount: 10)
            }
        }
    }

    @Test func onlyXzHasPaddingAndOnlyByFours() throws {
        for coding in StreamCoding.compressing {
            for count in 1...8 {
                let bytes = StreamEncoder.encode(sample(500), coding) + [UInt8](repeating: 0, count: count)
                let isFine = coding == .xz && count % 4 == 0
                let output = try? StreamDecoder.decode(bytes, coding, outputByteCountMax: 500)
                #expect((output == nil) == !isFine, "\(count) bytes behind \(coding)")
            }
        }
        let frame = StreamEncoder.encode(sample(500), .xz)
        #expect(throws: CompressionError.bytesAfterEnd) {
            try StreamDecoder.decode(frame + [0, 0, 0] + frame, .xz, outputByteCountMax: 1000)
        }
    }

    @Test("A stream is bounded, and stays refused", arguments: StreamCoding.allCases)
    func bounded(coding: StreamCoding) {
        let (bytes, _) = Self.joined(coding)
        let decoder = StreamDecoder(coding, outputByteCountMax: 1600)
        #expect(throws: CompressionError.tooLarge(byteCountMax: 1600)) { try run(decoder, [bytes], roomByteCount: 64) }
        #expect(throws: CompressionError.tooLarge(byteCountMax: 1600)) { try decoder.finish() }
    }

    @Test("A bomb is refused as soon as it has given too much", arguments: StreamCoding.compressing)
    func bomb(coding: StreamCoding) {
        let bytes = StreamEncoder.encode([UInt8](repeating: 0, count: 4 << 20), coding)
        #expect(bytes.count < 8192)
        let decoder = StreamDecoder(coding, outputByteCountMax: 10_000)
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 1)
        defer { unsafe room.deallocate() }
        var rest = bytes[...]
        var output = 0
        #expect(throws: CompressionError.tooLarge(byteCountMax: 10_000)) {
            while output <= 20_000 {
                let progress = try unsafe Array(rest).span.withUnsafeBytes { (input) throws(CompressionError) in
                    try unsafe decoder.update(input, into: room)
                }
                output += progress.outputByteCount
                rest = rest.dropFirst(progress.inputByteCount)
            }
        }
        #expect(output <= 10_000)
    }

    @Test("What is something else is told apart from what is damaged", arguments: StreamCoding.compressing)
    func somethingElse(coding: StreamCoding) throws {
        let text = Array("not a frame at all, and this goes on for a while, so that nobody takes it for one".utf8)
        do throws(CompressionError) {
            _ = try StreamDecoder.decode(text, coding, outputByteCountMax: 1600)
            Issue.record("took a text for \(coding)")
        } catch {
            // brotli has no magic number.
            if coding != .brotli { #expect(error == .otherFormat(coding.rawValue)) }
        }
    }

    @Test("Damage is noticed or harmless", arguments: StreamCoding.compressing)
    func damage(coding: StreamCoding) {
        let bytes = sample(1000)
        let stream = StreamEncoder.encode(bytes, coding)
        for index in stream.indices {
            var changed = stream
            changed[index] ^= 0x41
            let output = try? StreamDecoder.decode(changed, coding, outputByteCountMax: 1000)
            #expect(output?.count ?? 0 <= 1000)
            // These two carry a checksum. What it does not cover is gzip's header.
            if coding == .xz { #expect(output == nil, "byte \(index)") }
            if coding == .gzip, let output { #expect(output == bytes && index < 10, "byte \(index)") }
        }
    }

    @Test func whatNeedsTooMuchMemoryIsRefused() throws {
        // A window of 2^24 bytes: exponent 14 in the upper five bits.
        let wide: [UInt8] = [0x28, 0xb5, 0x2f, 0xfd, 0b0000_0000, 14 << 3, 0x03, 0, 0, 0x61]
        #expect(throws: CompressionError.needsTooMuchMemory(byteCountMax: 1 << 24 - 1)) {
            try run(StreamDecoder(.zstd, outputByteCountMax: 1600, memoryByteCountMax: 1 << 24 - 1), [wide], roomByteCount: 64)
        }
        // And one of 2^28, beyond what is taken without being asked.
        let wider: [UInt8] = [0x28, 0xb5, 0x2f, 0xfd, 0b0000_0000, 18 << 3, 0x03, 0, 0, 0x61]
        #expect(throws: CompressionError.needsTooMuchMemory(byteCountMax: 1 << 27)) {
            try StreamDecoder.decode(wider, .zstd, outputByteCountMax: 1600)
        }
        // What xz -9 makes of "hello\n"; its dictionary is 64 MiB.
        let stream = hex("fd377a585a000004e6d6b446020021011c00000010cf58cc01000568656c6c6f0a000000a56097f194f6fde000011e06c12fa41d1fb6f37d010000000004595a")
        #expect(try StreamDecoder.decode(stream, .xz, outputByteCountMax: 6) == Array("hello\n".utf8))
        #expect(throws: CompressionError.needsTooMuchMemory(byteCountMax: 64 << 20)) {
            try run(StreamDecoder(.xz, outputByteCountMax: 6, memoryByteCountMax: 64 << 20), [stream], roomByteCount: 64)
        }
        // Streams of brotli without a byte: windows of 2^22 and 2^23.
        let little = StreamCoding.brotli.decoderByteCountMax - 1
        #expect(try run(StreamDecoder(.brotli, outputByteCountMax: 1, memoryByteCountMax: little), [[0x3b]], roomByteCount: 64).isEmpty)
        #expect(throws: CompressionError.needsTooMuchMemory(byteCountMax: little)) {
            try run(StreamDecoder(.brotli, outputByteCountMax: 1, memoryByteCountMax: little), [[0x3d]], roomByteCount: 64)
        }
        #expect(try StreamDecoder.decode([0x3f], .brotli, outputByteCountMax: 1).isEmpty)
        // brotli's own extension for windows beyond 16 MiB begins with these bits.
        #expect(throws: CompressionError.self) {
            try StreamDecoder.decode([0x11, 30, 0, 0, 0, 0, 0, 0], .brotli, outputByteCountMax: 1000)
        }
    }

    @Test("Memory that is not to be had ends the stream that asks for it, and not the program")
    func noMemory() {
        // lzma/base.h: LZMA_MEM_ERROR is 5.
        #expect(XzDecoder.failure(5, memoryByteCountMax: 7) == .needsTooMuchMemory(byteCountMax: 7))
        #expect(XzDecoder.failure(0, memoryByteCountMax: 7) == nil)
    }

    @Test func skippableFramesOfZstdStandForNothing() throws {
        let skippable: [UInt8] = [0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]
        let bytes = skippable + StreamEncoder.encode(sample(500), .zstd) + skippable
        #expect(try StreamDecoder.decode(bytes, .zstd, outputByteCountMax: 500) == sample(500))
    }

    @Test func aCodingIsKnownByEachOfItsNames() {
        #expect(StreamCoding.allCases.map(\.rawValue) == ["none", "zstd", "xz", "gzip", "br"])
        #expect(StreamCoding.allCases.map(\.fileSuffix) == ["", ".zst", ".xz", "", ".br"])
        for coding in StreamCoding.allCases { #expect(StreamCoding(contentCoding: coding.rawValue) == coding) }
        #expect(StreamCoding(contentCoding: "X-GZIP") == .gzip && StreamCoding(contentCoding: "identity") == StreamCoding.none)
        #expect(StreamCoding(contentCoding: "compress") == nil && StreamCoding(contentCoding: "gzip, br") == nil)
        #expect(StreamCoding(unnamed: nar) == .none && StreamCoding(unnamed: [0x1f]) == .none && StreamCoding(unnamed: []) == .none)
        #expect(StreamCoding(unnamed: narOfNix[.gzip] ?? []) == .gzip)
    }
}
