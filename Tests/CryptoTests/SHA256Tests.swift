import Crypto
import Encoding
import Testing

@Suite struct SHA256Tests {
    @Test("The vectors of FIPS 180-2 and the empty string", arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"),
    ])
    func vectors(message: String, hex: String) {
        let bytes = Array(message.utf8)
        let borrowed = unsafe bytes.span.withUnsafeBytes { unsafe SHA256.digest(of: $0) }
        #expect(SHA256.digest(of: bytes).hex == hex)
        #expect(borrowed.hex == hex)
    }

    @Test func aHashTakesPiecesAndIsReusable() {
        let message = (0..<1000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let whole = SHA256.digest(of: message)
        var hash = SHA256()
        for split in stride(from: 0, through: message.count, by: 37) {
            hash.update(Array(message[..<split]))
            hash.update([])
            hash.update(Array(message[split...]))
            let digest = hash.finish()
            #expect(digest == whole)
        }
        let empty = hash.finish()
        #expect(empty == SHA256.digest(of: []))
    }

    @Test func digestsComeFromExactly32Bytes() throws {
        let bytes = (0..<32).map { UInt8($0 * 8) }
        let digest = try #require(SHA256Digest(bytes))
        #expect(digest.bytes == bytes)
        #expect(digest.hex == Hex.encode(bytes))
        #expect(digest.base32 == NixBase32.encode(bytes))
        #expect(SHA256Digest(bytes.dropLast()) == nil)
        #expect(SHA256Digest(bytes + [0]) == nil)
        #expect(SHA256Digest([UInt8]()) == nil)
    }

    @Test func digestsAreOrderedByTheirBytes() throws {
        for index in 0..<31 {
            var low = [UInt8](repeating: 7, count: 32)
            var high = low
            low[index + 1] = 0xff
            high[index] = 0x80
            let lower = try #require(SHA256Digest(low))
            let higher = try #require(SHA256Digest(high))
            #expect(lower < higher)
            #expect(lower != higher)
        }
    }
}
