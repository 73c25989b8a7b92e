import Encoding
import Testing

@Suite struct NixBase32Tests {
    @Test("Hashes that nix-hash --to-base32 prints", arguments: [
        ("", ""),
        ("00", "00"),
        ("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73"),
        ("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            "1b8m03r63zqhnjf7l5wnldhh7c134ap5vpj0850ymkq1iyzicy5s"),
        ("a9993e364706816aba3e25717850c26c9cd0d89d", "kpcd173cq987hw957sx6m0868wv3x6d9"),
    ])
    func vectors(hex: String, base32: String) throws {
        let bytes = try #require(Hex.decode(hex))
        #expect(NixBase32.encode(bytes) == base32)
        #expect(NixBase32.encodeUTF8(bytes) == Array(base32.utf8))
        #expect(NixBase32.decode(base32) == bytes)
    }

    @Test func everyLengthComesBack() {
        for count in 0...64 {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 91 &+ count &* 7) }
            let text = NixBase32.encode(bytes)
            #expect(text.utf8.count == NixBase32.characterCount(ofByteCount: count))
            #expect(NixBase32.decode(text) == bytes)
        }
    }

    @Test("What stands for no bytes is refused", arguments: [
        "0", "000", "e0", "o0", "t0", "u0", "A0", "-0", "0é", "00 ",
        // 256 bits and one that has no place.
        "2mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73",
        "0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c7",
        "0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c7333",
    ])
    func refuses(text: String) {
        #expect(NixBase32.decode(text) == nil)
    }

    @Test func exactlyThirtyTwoCharactersAreOfTheAlphabet() {
        let characters = (0...255).map { UInt8($0) }.filter(NixBase32.isCharacter)
        #expect(String(decoding: characters, as: UTF8.self) == "0123456789abcdfghijklmnpqrsvwxyz")
    }
}
