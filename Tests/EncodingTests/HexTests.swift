import Encoding
import Testing

@Suite struct HexTests {
    @Test("Hex is written in lower case, two characters a byte", arguments: [
        ([], ""), ([0x00], "00"), ([0xde, 0xad, 0xbe, 0xef], "deadbeef"), ([0x01, 0x9a, 0xff], "019aff"),
    ] as [([UInt8], String)])
    func encodes(bytes: [UInt8], text: String) {
        #expect(Hex.encode(bytes) == text)
        #expect(Hex.encode(bytes.lazy.map { $0 }) == text)
        #expect(Hex.decode(text) == bytes)
        #expect(Hex.decode(text.uppercased()) == bytes)
    }

    @Test("What is not hex is refused", arguments: ["0", "0g", "g0", "0x", " 0", "00 ", "é", "/0", ":0", "@0", "`0"])
    func refuses(text: String) {
        #expect(Hex.decode(text) == nil)
    }

    @Test func everyByteComesBack() {
        let bytes = (0...255).map { UInt8($0) }
        #expect(Hex.decode(Hex.encode(bytes)) == bytes)
    }
}
