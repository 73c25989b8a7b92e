import COpenSSL

/// Why a text is no key of RSA that is taken here. The description never holds any of the text.
package enum RSAKeyError: Error, Hashable, Sendable, CustomStringConvertible {
    /// It is no PEM (RFC 7468) of the kind that is asked for, or a damaged one.
    case notAKey
    /// It is encrypted under a passphrase, which nobody is there to type.
    case encrypted
    /// It is a private key where a public one belongs.
    case isPrivate
    /// It is a public key where a private one belongs.
    case isPublic
    /// A key of another algorithm.
    case notRSA
    case wrongSize(bits: Int)
    /// Its numbers cannot be those of a key: the parts do not belong together, or the exponent is 1.
    case inconsistent

    package var description: String {
        switch self {
        case .notAKey: "this is no key of RSA in PEM"
        case .encrypted: "the key is encrypted under a passphrase, which nobody could type here"
        case .isPrivate: "this is a private key, and only the public one belongs here"
        case .isPublic: "this is a public key, and the private one belongs here"
        case .notRSA: "this is a key of another algorithm than RSA"
        case .wrongSize(let bits):
            "the key has \(bits) bits; it must have \(RSAPublicKey.bitsBounds.lowerBound) to \(RSAPublicKey.bitsBounds.upperBound)"
        case .inconsistent: "the numbers of the key do not make one"
        }
    }
}

/// A private key of RSA (RFC 8017), which signs with PKCS #1 v1.5 and SHA-256. Never printed.
package struct RSAPrivateKey: Sendable, Equatable, CustomStringConvertible {
    /// The text that it was read from, the secret itself.
    package let pem: [UInt8]
    package let publicKey: RSAPublicKey
    private let key: SharedKey

    /// Reads PEM: `RSA PRIVATE KEY` (PKCS #1, RFC 8017 appendix A.1.2) or `PRIVATE KEY` (PKCS #8, RFC 5208).
    package init(pem: [UInt8]) throws(RSAKeyError) {
        if PEM.mentions("ENCRYPTED", pem) { throw .encrypted }
        guard let key = unsafe PEM.read(pem, { bio in unsafe PEM_read_bio_PrivateKey(bio, nil, PEM.noPassphrase, nil) }) else {
            throw PEM.mentions("PUBLIC KEY", pem) ? .isPublic : .notAKey
        }
        let publicKey = try RSAPublicKey(key)
        self.key = key
        self.pem = pem
        self.publicKey = publicKey
        // Cheaper than proving primes, and it is what matters: what this signs is what that accepts.
        guard let probe = signature(of: []), publicKey.verify(signature: probe, message: []) else { throw .inconsistent }
    }

    /// The signature of `message` (RSASSA-PKCS1-v1_5, RFC 8017 section 8.2), as long as the key, the same at every call.
    package func sign(_ message: [UInt8]) -> [UInt8] {
        // One was made with this key when it was read.
        guard let signature = signature(of: message) else { fatalError("OpenSSL cannot sign with RSA: \(OpenSSL.lastError())") }
        return signature
    }

    private func signature(of message: [UInt8]) -> [UInt8]? {
        let context = DigestContext()
        var signature = [UInt8](repeating: 0, count: publicKey.signatureByteCount)
        var count = signature.count
        guard
            unsafe EVP_DigestSignInit(context.pointer, nil, EVP_sha256(), nil, key.handle.pointer) == 1,
            unsafe EVP_DigestSign(context.pointer, &signature, &count, message, message.count) == 1,
            count == signature.count
        else {
            ERR_clear_error()
            return nil
        }
        return signature
    }

    package static func == (left: RSAPrivateKey, right: RSAPrivateKey) -> Bool { left.pem == right.pem }
    package var description: String { "RSAPrivateKey(not shown)" }
}

/// A public key of RSA (RFC 8017), which checks signatures of PKCS #1 v1.5 with SHA-256.
package struct RSAPublicKey: Sendable, Equatable {
    /// In bits of the modulus. RFC 7518, section 3.3: 2048 or larger MUST be used with RS256. Above 8192 one check takes a
    /// millisecond and more, and anyone may ask for checks.
    package static let bitsBounds = 2048...8192

    package let signatureByteCount: Int
    private let key: SharedKey

    /// Reads PEM: `PUBLIC KEY` (RFC 5280 section 4.1.2.7) or `RSA PUBLIC KEY` (PKCS #1, RFC 8017 appendix A.1.1).
    package init(pem: [UInt8]) throws(RSAKeyError) {
        if PEM.mentions("PRIVATE KEY", pem) { throw .isPrivate }
        guard let key = unsafe PEM.read(pem, { bio in unsafe PEM_read_bio_PUBKEY(bio, nil, PEM.noPassphrase, nil) }) else {
            throw .notAKey
        }
        try self.init(key)
    }

    /// The public part of a key; a key that is too small or none is refused.
    fileprivate init(_ key: SharedKey) throws(RSAKeyError) {
        guard unsafe EVP_PKEY_is_a(key.handle.pointer, "RSA") == 1 else { throw .notRSA }
        let bits = unsafe Int(EVP_PKEY_get_bits(key.handle.pointer))
        guard Self.bitsBounds.contains(bits) else { throw .wrongSize(bits: bits) }
        guard Self.isConsistent(key) else { throw .inconsistent }
        signatureByteCount = unsafe Int(EVP_PKEY_get_size(key.handle.pointer))
        self.key = key
    }

    /// EVP_PKEY_public_check(3): for RSA an odd exponent above 1, and a modulus that is odd and has no small factor. With an exponent
    /// of 1 a padded digest would be its own signature.
    private static func isConsistent(_ key: SharedKey) -> Bool {
        guard let context = unsafe EVP_PKEY_CTX_new_from_pkey(nil, key.handle.pointer, nil) else { fatalError("no memory for a key's check") }
        defer { unsafe EVP_PKEY_CTX_free(context) }
        let status = unsafe EVP_PKEY_public_check(context)
        ERR_clear_error()
        return status == 1
    }

    /// Whether `signature` is this key's signature of `message`.
    package func verify(signature: [UInt8], message: [UInt8]) -> Bool {
        guard signature.count == signatureByteCount else { return false }
        let context = DigestContext()
        unsafe OpenSSL.require(
            EVP_DigestVerifyInit(context.pointer, nil, EVP_sha256(), nil, key.handle.pointer), "begin to verify with RSA")
        let status = unsafe EVP_DigestVerify(context.pointer, signature, signature.count, message, message.count)
        // A wrong signature leaves its reason behind, which must not be taken for that of a later call.
        if status != 1 { ERR_clear_error() }
        return status == 1
    }

    /// EVP_PKEY_eq(3) compares public parts.
    package static func == (left: RSAPublicKey, right: RSAPublicKey) -> Bool {
        let status = unsafe EVP_PKEY_eq(left.key.handle.pointer, right.key.handle.pointer)
        ERR_clear_error()
        return status == 1
    }

    /// `PUBLIC KEY` in PEM, from which the same key is read.
    package var pem: [UInt8] {
        guard let bio = unsafe BIO_new(BIO_s_mem()) else { fatalError("no memory for a key's text") }
        defer { unsafe BIO_free_all(bio) }
        unsafe OpenSSL.require(PEM_write_bio_PUBKEY(bio, key.handle.pointer), "write a public key")
        // A modulus of 8192 bits is some 1,500 characters.
        var text = [UInt8](repeating: 0, count: 4096)
        let count = unsafe BIO_read(bio, &text, Int32(text.count))
        return Array(text.prefix(Int(max(count, 0))))
    }
}

/// Keys in the text form of RFC 7468.
private enum PEM {
    /// Without it OpenSSL asks at the terminal.
    static let noPassphrase: @convention(c) (UnsafeMutablePointer<CChar>?, Int32, Int32, UnsafeMutableRawPointer?) -> Int32 = { _, _, _, _ in -1 }

    static func read(_ text: [UInt8], _ reader: (OpaquePointer) -> OpaquePointer?) -> SharedKey? {
        guard let bio = unsafe BIO_new(BIO_s_mem()) else { fatalError("no memory for a key's text") }
        defer { unsafe BIO_free_all(bio) }
        guard let count = Int32(exactly: text.count), unsafe BIO_write(bio, text, count) == count else { return nil }
        let key = unsafe reader(bio)
        ERR_clear_error()
        guard let key = unsafe key else { return nil }
        return unsafe SharedKey(key, "key of RSA")
    }

    /// Whether a label names this.
    static func mentions(_ word: String, _ text: [UInt8]) -> Bool {
        String(decoding: text, as: UTF8.self).split(whereSeparator: \.isNewline).contains { $0.hasPrefix("-----BEGIN ") && $0.contains(word) || $0.hasPrefix("Proc-Type:") && $0.contains(word) }
    }
}
