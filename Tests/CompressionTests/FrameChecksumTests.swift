import Compression
import Testing

@Suite("Checksums of stored frames") struct FrameChecksumTests {
    @Test("are the CRC-64 of the .xz file format: its check value")
    func checkValue() {
        #expect(FrameChecksum.of(Array("123456789".utf8)) == 0x995D_C9BB_DF19_39FA)
        #expect(FrameChecksum.of([]) == 0)
    }

    @Test("tell every change of one bit, and bytes that are missing")
    func changes() {
        let frame = Compressor(.zstd, level: 1).compress(sample(900, seed: 5))
        let checksum = FrameChecksum.of(frame)
        for bit in 0..<(frame.count * 8) {
            var changed = frame
            changed[bit / 8] ^= 1 << (bit % 8)
            #expect(FrameChecksum.of(changed) != checksum)
        }
        for count in 0..<frame.count { #expect(FrameChecksum.of(Array(frame[..<count])) != checksum) }
    }
}
