import Compression
import Testing

/// Which frames are taken for frames of zstd: those of RFC 8878, and of the formats before it none, wherever they stand and however they come.
@Suite("Frames of zstd") struct ZstdFramesTests {
    /// One frame of "abc" in each of the older formats: a block of three bytes as they are, and the end. 0.1 alone had its magic number big-endian.
    private static let olderFrames = [
        "0.1": hex("fd2fb51e 400003616263 c00000"),
        "0.1 in the other byte order": hex("1eb52ffd 400003616263 c00000"),
        "0.2": hex("22b52ffd 400003616263 c00000"),
        "0.3": hex("23b52ffd 400003616263 c00000"),
        "0.4": hex("24b52ffd 00 400003616263 c00000"),
        "0.5": hex("25b52ffd 00 400003616263 c00000"),
        "0.6": hex("26b52ffd 00 400003616263 c00000"),
        "0.6, which promises 43 bytes and has none": hex("26b52ffd 59 2b f90000"),
        "0.7": hex("27b52ffd 0000 400003616263 c00000"),
        "0.7 without a window": hex("27b52ffd 2003 400003616263 c00000"),
    ]
    /// Frames of today: shorter than the longest head and longer, one whose head does not tell its size, one that is skipped.
    private static let frames = [
        StreamEncoder.encode(Array("abc".utf8), .zstd), StreamEncoder.encode(sample(500), .zstd), Compressor(.zstd, level: 1).compress(sample(40)),
        hex("28b52ffd 0000 010000"), hex("502a4d18 03000000 010203"),
    ]

    /// How bytes may come: whole, byte by byte, and in two pieces, cut at every place.
    private static func arrivals(of bytes: [UInt8]) -> [[[UInt8]]] {
        [[bytes], bytes.map { [$0] }] + (1..<bytes.count).map { [Array(bytes[..<$0]), Array(bytes[$0...])] }
    }

    private static func open(_ pieces: [[UInt8]], roomByteCount: Int = 20_000) throws(CompressionError) -> [UInt8] {
        try run(StreamDecoder(.zstd, outputByteCountMax: 20_000), pieces, roomByteCount: roomByteCount)
    }

    @Test("A frame of an older format is refused alone", arguments: olderFrames.keys.sorted(), [0, 100])
    func olderAlone(version: String, byteCountMax: Int) throws {
        let frame = try #require(Self.olderFrames[version])
        #expect(throws: CompressionError.otherFormat("zstd")) { try Decompressor(.zstd).decompress(frame: frame, byteCountMax: byteCountMax) }
    }

    @Test("A frame of an older format is refused in a stream, however it comes", arguments: olderFrames.keys.sorted())
    func olderInStreams(version: String) throws {
        let older = try #require(Self.olderFrames[version])
        for more in [[], [UInt8](repeating: 0, count: 30)] {
            for pieces in Self.arrivals(of: older + more) {
                #expect(throws: CompressionError.otherFormat("zstd"), "\(pieces)") { try Self.open(pieces) }
            }
            for frame in Self.frames {
                for pieces in Self.arrivals(of: frame + older + more) {
                    #expect(throws: CompressionError.bytesAfterEnd, "\(pieces)") { try Self.open(pieces) }
                }
            }
        }
    }

    @Test("A frame of an older format is refused behind the beginning of a frame of today, too", arguments: olderFrames.keys.sorted())
    func olderWithinHeads(version: String) throws {
        let older = try #require(Self.olderFrames[version])
        // The second tells its size in the older magic number's first byte.
        for head in [hex("28b52ffd"), hex("28b52ffd20"), hex("502a4d18")] {
            for count in 1...head.count {
                let begun = Array(head.prefix(count))
                for pieces in Self.arrivals(of: begun + older) + [begun.map { [$0] } + [older]] {
                    let refusal = #expect(throws: CompressionError.self, "\(pieces)") { try Self.open(pieces) }
                    // The third byte and 0.1's first are the end of today's magic number.
                    if count < 3 { #expect(refusal == .otherFormat("zstd")) }
                }
            }
        }
    }

    @Test("What looks like a frame in the head of another is not opened in its place, wherever the stream is cut")
    func framesWithinHeads() {
        // A window, a size of 12,469 bytes and a block of 1,055, of which three are there; from the window on they are an empty frame as well.
        let bytes = hex("28b52ffd 40 28b52ffd20 00010000")
        for pieces in Self.arrivals(of: bytes) { #expect(throws: CompressionError.truncated, "\(pieces)") { try Self.open(pieces) } }
    }

    @Test("Frames of today are opened one behind another, however they come", arguments: [1, 3, 20_000])
    func framesOfToday(roomByteCount: Int) throws {
        let expected = Array("abc".utf8) + sample(500) + sample(40)
        for bytes in [Self.frames.flatMap(\.self), Self.frames.flatMap { $0 + hex("5f2a4d18 00000000") }] {
            for pieces in Self.arrivals(of: bytes) { #expect(try Self.open(pieces, roomByteCount: roomByteCount) == expected, "\(pieces)") }
        }
    }

    @Test("A frame stands for nothing under each of sixteen magic numbers, and under no other", arguments: UInt8(0x4f)...0x60, [0, 1, 40])
    func skippable(first: UInt8, byteCount: Int) throws {
        let frame = [first, 0x2a, 0x4d, 0x18, UInt8(byteCount), 0, 0, 0] + [UInt8](repeating: 7, count: byteCount)
        if (0x50...0x5f).contains(first) {
            #expect(try Decompressor(.zstd).decompress(frame: frame, byteCountMax: 0).isEmpty)
            for pieces in Self.arrivals(of: frame) { #expect(try Self.open(pieces).isEmpty, "\(pieces)") }
        } else {
            #expect(throws: CompressionError.otherFormat("zstd")) { try Decompressor(.zstd).decompress(frame: frame, byteCountMax: 0) }
            for pieces in Self.arrivals(of: frame) { #expect(throws: CompressionError.otherFormat("zstd"), "\(pieces)") { try Self.open(pieces) } }
        }
    }

    @Test("The beginning of a magic number is truncated, and what is none is refused with its first byte")
    func beginnings() {
        for magic in [hex("28b52ffd"), hex("502a4d18")] {
            for count in 0..<4 {
                var bytes = Array(magic.prefix(count))
                #expect(throws: CompressionError.truncated) { try Decompressor(.zstd).decompress(frame: bytes, byteCountMax: 0) }
                #expect(throws: CompressionError.truncated) { try Self.open([bytes]) }
                bytes.append(magic[count] ^ 0x80)
                #expect(throws: CompressionError.otherFormat("zstd")) { try Decompressor(.zstd).decompress(frame: bytes, byteCountMax: 0) }
                #expect(throws: CompressionError.otherFormat("zstd")) { try Self.open([bytes]) }
            }
        }
    }

    // Without a checksum and with one; with two blocks.
    @Test(
        "A frame that stands for nothing, and does not say so, is opened where nothing is allowed",
        arguments: ["28b52ffd 0000 010000", "28b52ffd 0400 010000 99e9d851", "28b52ffd 0059 000000 010000"])
    func silentAndEmpty(digits: String) throws {
        let frame = hex(digits)
        #expect(try Decompressor(.zstd).decompress(frame: frame, byteCountMax: 0).isEmpty)
        for pieces in Self.arrivals(of: frame) {
            #expect(try run(StreamDecoder(.zstd, outputByteCountMax: 0), pieces, roomByteCount: 1).isEmpty, "\(pieces)")
        }
    }
}
