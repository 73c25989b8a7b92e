import COpenSSL

/// Owns an `EVP_PKEY`, which nobody changes after it was made.
final class SharedKey: Sendable {
    let handle: SharedHandle

    /// Traps where `key` is nil.
    init(_ key: OpaquePointer?, _ what: StaticString) { unsafe handle = SharedHandle(key, what) }

    deinit { unsafe EVP_PKEY_free(handle.pointer) }
}

/// Owns an `EVP_MD_CTX` for one signature. Making it is a hundredth of the work that follows.
@safe struct DigestContext: ~Copyable {
    let pointer: OpaquePointer

    init() {
        guard let pointer = unsafe EVP_MD_CTX_new() else { fatalError("no memory for a signature context") }
        unsafe self.pointer = unsafe pointer
    }

    deinit { unsafe EVP_MD_CTX_free(pointer) }
}
