import Crypto
import Encoding
import Testing

@testable import Nix

@Test("A key that Nix made is read and rendered, and knows its public half")
func nixKey() throws {
    let key = try SigningKey(parsing: NixVectors.secretKey)
    #expect(key.name == "test-1")
    #expect(key.rendered == NixVectors.secretKey)
    #expect(key.publicKey.rendered == NixVectors.publicKey)
    #expect(try PublicKey(parsing: NixVectors.publicKey) == key.publicKey)
    #expect(!"\(key)".contains("YB/c"))
}

@Test("A new key signs what its public half verifies, and nothing else does")
func newKey() throws {
    let key = try SigningKey.generate(name: "cache.example.org-1")
    let message = Array("1;/nix/store/x".utf8)
    let signature = key.sign(message)
    #expect(key.publicKey.verifies(signature: signature, message: message))
    #expect(try SigningKey(parsing: key.rendered).sign(message) == signature)
    #expect(!key.publicKey.verifies(signature: signature, message: message + [0]))
    #expect(!key.publicKey.verifies(signature: "other-1:\(signature.dropFirst("cache.example.org-1:".count))", message: message))
    #expect(!key.publicKey.verifies(signature: "cache.example.org-1:AAAA", message: message))
    #expect(!key.publicKey.verifies(signature: "nonsense", message: message))
    #expect(!(try SigningKey.generate(name: "cache.example.org-1")).publicKey.verifies(signature: signature, message: message))
}

@Test(
    "Keys with a flaw are refused without showing them",
    arguments: ["", "x", ":AAAA", "x:", "x:!!!!", "x:AAAA", "a b:AAAA", "x:\(Base64.encode([UInt8](repeating: 7, count: 64)))"])
func keyFlaws(_ text: String) {
    #expect(throws: NixFormatError.self) { try SigningKey(parsing: text) }
    #expect(throws: NixFormatError.self) { try PublicKey(parsing: text) }
}

@Test("A key's name cannot be empty or break a line", arguments: ["", "a:b", "a b", "a\nb"])
func keyNames(_ name: String) {
    #expect(throws: NixFormatError.self) { try SigningKey.generate(name: name) }
}

@Test("A hash is read in all of Nix's forms and written in three")
func hashForms() throws {
    let digest = SHA256.digest(of: Array("abc".utf8))
    let hash = NixHash(digest)
    #expect(hash.typedHex == "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    #expect(hash.typedBase32 == "sha256:1b8m03r63zqhnjf7l5wnldhh7c134ap5vpj0850ymkq1iyzicy5s")
    #expect(hash.sri == "sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=")
    for text in [hash.typedHex, hash.typedBase32, hash.sri, "sha256:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="] {
        #expect(try NixHash(parsing: text) == hash)
    }
}

@Test(
    "What is no SHA-256 is refused",
    arguments: [
        "", "sha256", "sha256:", "sha256-", "sha256:ba78", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "md5:900150983cd24fb0d6963f7d28e17f72", "sha256-ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "sha256:zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", "sha512:1b8m03r63zqhnjf7l5wnldhh7c134ap5vpj0850ymkq1iyzicy5s",
        "sha256:ga7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    ])
func hashFlaws(_ text: String) {
    #expect(throws: NixFormatError.self) { try NixHash(parsing: text) }
}
