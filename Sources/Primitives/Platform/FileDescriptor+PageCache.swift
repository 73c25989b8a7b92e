import CLinux
import Glibc

/// Files and the page cache: what of them can be had without waiting for the disk.
extension FileDescriptor {
    /// Whether a stretch of a file is in memory, so that sending it does not wait for the disk. Never waits itself, and takes
    /// well below a microsecond. Memory may run short the next moment: it is a hint.
    ///
    /// - Returns: true also where the kernel or the file system cannot say.
    package func isInMemory(at offset: Int64, byteCount: Int64) -> Bool {
        guard byteCount > 0 else { return true }
        let last = offset + byteCount - 1
        let cached = clinux_cached_pages(rawValue, offset, byteCount)
        if cached >= 0 {
            let page = Self.pageBytes
            if cached < last / page - offset / page + 1 { return false }
        } else if !isReadable(at: offset) {
            // An older kernel, or one that does not tell us: first and last byte stand for all.
            return false
        }
        // A page counts as cached while it is still being read. Reading ahead goes upwards, so the last one says it for all.
        return isReadable(at: last)
    }

    /// Whether a byte can be read without waiting.
    private func isReadable(at offset: Int64) -> Bool {
        if clinux_read_without_waiting(rawValue, offset) >= 0 { return true }
        let cause = Errno.current
        return cause != .wouldBlock
    }

    /// Asks the kernel to begin reading a stretch of a file (posix_fadvise(2)); may wait for the disk's queue.
    package func willNeed(at offset: Int64, byteCount: Int64) { _ = clinux_will_need(rawValue, offset, byteCount) }

    private static let pageBytes = Int64(sysconf(Int32(_SC_PAGESIZE)))
}
