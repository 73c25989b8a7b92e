import Crypto
import Encoding
import Testing

@Suite struct Ed25519Tests {
    @Test("The vectors of RFC 8032, section 7.1", arguments: [
        ("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"),
        ("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"),
        ("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"),
    ])
    func vectors(seed: String, publicKey: String, message: String, signature: String) throws {
        let seed = try #require(Hex.decode(seed))
        let secret = try #require(Ed25519SecretKey(seed: seed))
        let message = try #require(Hex.decode(message))
        #expect(Hex.encode(secret.publicKey.bytes) == publicKey)
        let made = secret.sign(message)
        #expect(Hex.encode(made) == signature)
        #expect(secret.publicKey.verify(signature: made, message: message))
        #expect(!secret.publicKey.verify(signature: made, message: message + [0]))
        #expect(!secret.publicKey.verify(signature: made.reversed(), message: message))
    }

    @Test func generatedKeysSignForThemselvesOnly() throws {
        let one = Ed25519SecretKey.generate()
        let other = Ed25519SecretKey.generate()
        let message = Array("1;/nix/store/…".utf8)
        let signature = one.sign(message)
        #expect(one.publicKey.verify(signature: signature, message: message))
        #expect(!other.publicKey.verify(signature: signature, message: message))
        #expect(Ed25519SecretKey(seed: one.seed)?.publicKey == one.publicKey)
        for index in signature.indices {
            var changed = signature
            changed[index] ^= 0x10
            #expect(!one.publicKey.verify(signature: changed, message: message))
        }
    }

    @Test func wrongLengthsAreRefused() {
        let key = Ed25519SecretKey.generate()
        #expect(Ed25519SecretKey(seed: [UInt8](repeating: 1, count: 64)) == nil)
        #expect(Ed25519PublicKey([1]) == nil)
        #expect(!key.publicKey.verify(signature: [], message: []))
        #expect(!key.publicKey.verify(signature: [UInt8](repeating: 0, count: 65), message: []))
        #expect(Ed25519PublicKey([UInt8](repeating: 0xff, count: 32))?.verify(signature: key.sign([]), message: []) == false)
    }

    @Test func aSecretKeyIsNotPrinted() {
        let key = Ed25519SecretKey.generate()
        #expect("\(key)" == "Ed25519SecretKey(not shown)")
    }
}
