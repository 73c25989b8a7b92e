import Glibc

extension WallTime {
    /// The moment in UTC, to the second: `2026-11-22T17:23:35Z` (RFC 3339).
    package var text: String {
        var seconds = time_t(seconds)
        var parts = unsafe tm()
        unsafe gmtime_r(&seconds, &parts)
        return unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 32) { buffer in
            guard let base = buffer.baseAddress else { return "" }
            let count = unsafe strftime(base, buffer.count, "%Y-%m-%dT%H:%M:%SZ", &parts)
            return unsafe String(decoding: UnsafeRawBufferPointer(start: base, count: count), as: UTF8.self)
        }
    }
}
