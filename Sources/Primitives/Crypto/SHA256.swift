import COpenSSL

/// Computes SHA-256 of bytes that come in pieces, by OpenSSL. One context, reused from digest to digest: hashing many
/// small things, keep one of these rather than calling `digest(of:)` for each.
///
/// Thread: whichever has it, one at a time.
@safe package struct SHA256: ~Copyable {
    private let context: OpaquePointer

    /// Fetched once: a look-up by name on every use costs as much as hashing 200 bytes.
    private static let algorithm = unsafe SharedHandle(EVP_MD_fetch(nil, "SHA256", nil), "SHA256")

    /// Ready to take the first bytes. Traps without memory.
    package init() {
        guard let context = unsafe EVP_MD_CTX_new() else { fatalError("no memory for a digest context") }
        unsafe self.context = unsafe context
        unsafe OpenSSL.require(EVP_DigestInit_ex2(context, Self.algorithm.pointer, nil), "begin SHA-256")
    }

    deinit { unsafe EVP_MD_CTX_free(context) }

    /// Takes the next bytes.
    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        unsafe OpenSSL.require(EVP_DigestUpdate(context, bytes.baseAddress, bytes.count), "update SHA-256")
    }

    /// Takes the next bytes.
    package mutating func update(_ bytes: [UInt8]) {
        unsafe bytes.span.withUnsafeBytes { unsafe update($0) }
    }

    /// The digest of all bytes taken; the next bytes begin a new one.
    package mutating func finish() -> SHA256Digest {
        let digest = unsafe withUnsafeTemporaryAllocation(byteCount: SHA256Digest.byteCount, alignment: 8) { buffer in
            unsafe OpenSSL.require(
                EVP_DigestFinal_ex(context, buffer.baseAddress?.assumingMemoryBound(to: UInt8.self), nil), "finish SHA-256")
            return unsafe SHA256Digest(exactly: UnsafeRawBufferPointer(buffer))
        }
        // EVP_DigestInit(3): with a type of NULL the context keeps its algorithm and begins anew.
        unsafe OpenSSL.require(EVP_DigestInit_ex2(context, nil, nil), "begin SHA-256 again")
        return digest
    }

    /// The digest of `bytes`.
    package static func digest(of bytes: UnsafeRawBufferPointer) -> SHA256Digest {
        var hash = SHA256()
        unsafe hash.update(bytes)
        return hash.finish()
    }

    /// The digest of `bytes`.
    package static func digest(of bytes: [UInt8]) -> SHA256Digest {
        var hash = SHA256()
        hash.update(bytes)
        return hash.finish()
    }
}
