import COpenSSL

/// Random bytes that nobody can guess: for keys, secrets, names that must not meet.
package enum SecureRandom {
    /// `count` bytes of OpenSSL's generator. Traps where the system gives no entropy: nothing safe can follow.
    package static func bytes(_ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        unsafe OpenSSL.require(RAND_bytes(&bytes, Int32(count)), "make random bytes")
        return bytes
    }
}
