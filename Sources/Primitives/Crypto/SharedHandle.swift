import COpenSSL

/// The address of an OpenSSL object that never changes after it was made.
///
/// openssl-threads(7): fetched algorithms and keys that nobody modifies may be used by several threads at once; their
/// reference counts are atomic. Swift cannot know that of a pointer, so it is kept as a number, which any thread may
/// hold, and becomes a pointer again at the call. Contexts (`EVP_MD_CTX`) change all the time: never here.
struct SharedHandle: Sendable {
    private let address: UInt

    /// Traps where `pointer` is nil: OpenSSL is then out of memory, or was built without what everything here needs.
    init(_ pointer: OpaquePointer?, _ what: StaticString) {
        guard let pointer = unsafe pointer else { fatalError("OpenSSL has no \(what): \(OpenSSL.lastError())") }
        address = UInt(bitPattern: pointer)
    }

    /// For the duration of a call.
    var pointer: OpaquePointer? { unsafe OpaquePointer(bitPattern: address) }
}

/// What concerns OpenSSL as a whole.
enum OpenSSL {
    /// The sentence of the thread's oldest error; the queue is empty afterwards.
    static func lastError() -> String {
        let code = ERR_get_error()
        ERR_clear_error()
        guard code != 0 else { return "no reason given" }
        return unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
            guard let base = buffer.baseAddress else { return "error \(code)" }
            unsafe ERR_error_string_n(code, base, buffer.count)
            return unsafe String(cString: base)
        }
    }

    /// Traps with OpenSSL's reason where a call failed that fails only without memory or with a broken installation.
    static func require(_ status: Int32, _ what: StaticString) {
        if status != 1 { fatalError("OpenSSL cannot \(what): \(lastError())") }
    }
}
