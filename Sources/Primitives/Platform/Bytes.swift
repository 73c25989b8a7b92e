import Glibc

/// Stretches of memory, compared.
package enum Bytes {
    /// Whether both hold the same bytes. Not for secrets: the time it takes tells how far they agree.
    package static func equal(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
        guard left.count == right.count else { return false }
        guard let first = left.baseAddress, let second = right.baseAddress else { return true }
        return unsafe memcmp(first, second, left.count) == 0
    }
}
