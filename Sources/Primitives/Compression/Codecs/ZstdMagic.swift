/// The first four bytes of a frame of zstd, as many as have come: frames of RFC 8878, sections 3.1.1 and 3.1.2 (skippable ones), and nothing else.
///
/// libzstd may be built to open the formats from before 0.8 as well (0xFD2FB51E to 0xFD2FB527; Debian's does from 0xFD2FB525 on), and no parameter
/// forbids it. Nobody has written them since 2016, their decoders were not hardened as today's was, and what strangers send is opened here.
struct ZstdMagic {
    static let byteCountMax = 4

    /// Little-endian, as in the file.
    private var value: UInt32 = 0
    private(set) var byteCount = 0

    /// Takes the next byte; says whether a frame may begin with what has come. What follows the four bytes may be anything.
    mutating func take(_ byte: UInt8) -> Bool {
        guard byteCount < Self.byteCountMax else { return true }
        value |= UInt32(byte) << (8 * byteCount)
        byteCount += 1
        let known = UInt32.max >> (8 * (Self.byteCountMax - byteCount))
        return (value ^ 0xFD2F_B528) & known == 0 || (value ^ 0x184D_2A50) & known & ~0xF == 0
    }

    /// Says whether a frame may begin with the first of `bytes`, of which there may be fewer than four.
    static func begins(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var magic = ZstdMagic()
        return unsafe bytes.prefix(byteCountMax).allSatisfy { magic.take($0) }
    }
}
