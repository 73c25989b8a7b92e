import Crypto
import Encoding

/// A secret key as `nix-store --generate-binary-cache-key` writes it: `name:base64` of 64 bytes, the Ed25519 seed and
/// then the public key (nix/src/libutil/signature/local-keys.cc).
///
/// `description` shows the name only, so that a key does not end up in a log by accident.
package struct SigningKey: Sendable, CustomStringConvertible {
    package let name: String
    private let secret: Ed25519SecretKey

    /// A new key from the system's randomness.
    ///
    /// - Throws: where the name is empty or holds a colon, white space or control characters.
    package static func generate(name: String) throws(NixFormatError) -> SigningKey {
        try NamedKey.check(name, kind: "secret key")
        return SigningKey(name: name, secret: Ed25519SecretKey.generate())
    }

    private init(name: String, secret: Ed25519SecretKey) {
        self.name = name
        self.secret = secret
    }

    /// Reads `name:base64`.
    ///
    /// - Throws: with what is wrong; never with the text, which may be a secret.
    package init(parsing text: String) throws(NixFormatError) {
        let (name, bytes) = try NamedKey.parse(text, kind: "secret key", byteCount: 64)
        guard let secret = Ed25519SecretKey(seed: Array(bytes[..<32])) else {
            throw NixFormatError("secret key", "its first 32 bytes are not a seed")
        }
        if secret.publicKey.bytes != Array(bytes[32...]) {
            throw NixFormatError("secret key", "its public half does not belong to its secret half")
        }
        self.init(name: name, secret: secret)
    }

    /// `name:base64`, to be kept secret.
    package var rendered: String { "\(name):\(Base64.encode(secret.seed + secret.publicKey.bytes))" }

    package var publicKey: PublicKey { PublicKey(name: name, key: secret.publicKey) }

    /// `name:base64` of the 64 bytes that sign `message`.
    package func sign(_ message: [UInt8]) -> String { "\(name):\(Base64.encode(secret.sign(message)))" }

    package var description: String { "the secret key \(name)" }
}

/// A public key as `trusted-public-keys` has it: `name:base64` of 32 bytes.
package struct PublicKey: Hashable, Sendable, CustomStringConvertible {
    package let name: String
    private let key: Ed25519PublicKey

    init(name: String, key: Ed25519PublicKey) {
        self.name = name
        self.key = key
    }

    /// Reads `name:base64`.
    package init(parsing text: String) throws(NixFormatError) {
        let (name, bytes) = try NamedKey.parse(text, kind: "public key", byteCount: 32)
        guard let key = Ed25519PublicKey(bytes) else { throw NixFormatError("public key", "its bytes are not a key") }
        self.init(name: name, key: key)
    }

    /// `name:base64`
    package var rendered: String { "\(name):\(Base64.encode(key.bytes))" }

    package var description: String { rendered }

    /// Whether `text` is a signature by its form: `name:base64` of 64 bytes.
    package static func isSignature(_ text: String) -> Bool {
        (try? NamedKey.parse(text, kind: "signature", byteCount: 64)) != nil
    }

    /// Whether `signature` (`name:base64`) has this key's name and signs `message`; false for anything malformed.
    package func verifies(signature: String, message: [UInt8]) -> Bool {
        guard let (signer, bytes) = try? NamedKey.parse(signature, kind: "signature", byteCount: 64) else { return false }
        return signer == name && key.verify(signature: bytes, message: message)
    }
}

/// `name:base64`, the form of keys and signatures.
enum NamedKey {
    /// Splits at the first colon, and checks both parts.
    static func parse(_ text: String, kind: String, byteCount: Int) throws(NixFormatError) -> (name: String, bytes: [UInt8]) {
        guard let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")) else {
            throw NixFormatError(kind, "it has no colon; expected name:base64")
        }
        let name = String(text[..<colon])
        try check(name, kind: kind)
        guard let bytes = Base64.decode(String(text[text.utf8.index(after: colon)...])) else {
            throw NixFormatError(kind, "what follows \(quoted(name)) is not base 64")
        }
        if bytes.count != byteCount {
            throw NixFormatError(kind, "\(quoted(name)) has \(bytes.count) bytes where \(byteCount) are needed")
        }
        return (name, bytes)
    }

    /// A name may be anything but what would end it, or the line that it stands in.
    static func check(_ name: String, kind: String) throws(NixFormatError) {
        if name.isEmpty { throw NixFormatError(kind, "it has no name; expected name:base64") }
        for byte in name.utf8 where byte <= 0x20 || byte == 0x7f || byte == UInt8(ascii: ":") {
            throw NixFormatError(kind, "its name holds a colon, white space or a control character")
        }
    }
}
