import COpenSSL

/// Message authentication with a hash (RFC 2104).
package enum HMAC {
    /// HMAC-SHA256 of `message`: 32 bytes. Compare it with `ConstantTime.equal` only.
    package static func sha256(key: [UInt8], message: [UInt8]) -> [UInt8] {
        var code = [UInt8](repeating: 0, count: SHA256Digest.byteCount)
        let result = unsafe COpenSSL.HMAC(EVP_sha256(), key, Int32(key.count), message, message.count, &code, nil)
        unsafe OpenSSL.require(result == nil ? 0 : 1, "compute HMAC-SHA256")
        return code
    }
}
