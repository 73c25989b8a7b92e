import COpenSSL

/// A secret key of Ed25519 (RFC 8032), as Nix signs with. Never printed.
package struct Ed25519SecretKey: Sendable, CustomStringConvertible {
    /// What everything else is derived from: 32 bytes. The secret itself.
    package let seed: [UInt8]
    package let publicKey: Ed25519PublicKey
    private let key: SharedKey

    /// A new key that nobody has seen.
    package static func generate() -> Ed25519SecretKey {
        guard let key = Ed25519SecretKey(seed: SecureRandom.bytes(Ed25519PublicKey.byteCount)) else {
            preconditionFailure("every 32 bytes are a seed of Ed25519")
        }
        return key
    }

    /// Nil where `seed` has not exactly 32 bytes.
    package init?(seed: [UInt8]) {
        guard seed.count == Ed25519PublicKey.byteCount else { return nil }
        let key = unsafe SharedKey(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nil, seed, seed.count), "key of Ed25519")
        var publicBytes = [UInt8](repeating: 0, count: Ed25519PublicKey.byteCount)
        var count = publicBytes.count
        unsafe OpenSSL.require(
            EVP_PKEY_get_raw_public_key(key.handle.pointer, &publicBytes, &count), "derive an Ed25519 public key")
        guard let publicKey = Ed25519PublicKey(publicBytes) else { return nil }
        self.seed = seed
        self.publicKey = publicKey
        self.key = key
    }

    /// The signature of `message`: 64 bytes, the same at every call.
    package func sign(_ message: [UInt8]) -> [UInt8] {
        let context = DigestContext()
        var signature = [UInt8](repeating: 0, count: Ed25519PublicKey.signatureByteCount)
        var count = signature.count
        unsafe OpenSSL.require(
            EVP_DigestSignInit(context.pointer, nil, nil, nil, key.handle.pointer), "begin to sign with Ed25519")
        unsafe OpenSSL.require(
            EVP_DigestSign(context.pointer, &signature, &count, message, message.count), "sign with Ed25519")
        return signature
    }

    package var description: String { "Ed25519SecretKey(not shown)" }
}

/// A public key of Ed25519 (RFC 8032).
package struct Ed25519PublicKey: Sendable, Hashable {
    package static let byteCount = 32
    package static let signatureByteCount = 64

    package let bytes: [UInt8]

    /// Nil where `bytes` are not exactly 32. Whether they are a point of the curve shows when a signature is checked.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count == Self.byteCount else { return nil }
        self.bytes = bytes
    }

    /// Whether `signature` is this key's signature of `message`.
    package func verify(signature: [UInt8], message: [UInt8]) -> Bool {
        guard signature.count == Self.signatureByteCount else { return false }
        let key = unsafe SharedKey(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nil, bytes, bytes.count), "key of Ed25519")
        let context = DigestContext()
        unsafe OpenSSL.require(
            EVP_DigestVerifyInit(context.pointer, nil, nil, nil, key.handle.pointer), "begin to verify with Ed25519")
        let status = unsafe EVP_DigestVerify(context.pointer, signature, signature.count, message, message.count)
        // A wrong signature leaves its reason behind, which must not be taken for that of a later call.
        if status != 1 { ERR_clear_error() }
        return status == 1
    }
}
