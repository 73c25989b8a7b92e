import COpenSSL

/// MD5 (RFC 1321), for what is defined by it: the gear table of FastCDC. Never for anything that must be hard to forge.
package enum MD5 {
    /// The 16 bytes of the digest of `bytes`.
    package static func digest(of bytes: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 16)
        unsafe OpenSSL.require(EVP_Digest(bytes, bytes.count, &digest, nil, EVP_md5(), nil), "compute MD5")
        return digest
    }
}
