import Glibc

/// The environment variables of this process.
enum ProcessEnvironment {
    /// Nil where the variable is not set.
    static func value(_ name: String) -> String? {
        guard let value = unsafe getenv(name) else { return nil }
        return unsafe String(cString: value)
    }
}
