import CLinux
import Glibc

/// Owns a descriptor and closes it once, when the owner goes away.
package struct FileDescriptor: ~Copyable, Sendable {
    package let rawValue: Int32

    /// Takes over an open descriptor.
    package init(owning rawValue: Int32) {
        precondition(rawValue >= 0, "a descriptor is never negative")
        self.rawValue = rawValue
    }

    deinit {
        // close(2): on Linux the descriptor is gone even where EINTR is returned; never retried.
        close(rawValue)
    }

    /// Gives the descriptor up without closing it.
    package consuming func release() -> Int32 {
        let value = rawValue
        discard self
        return value
    }

    // MARK: Bytes

    /// Reads at most `buffer.count` bytes at the descriptor's position; 0 at the end.
    package func read(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
        try retryingInterrupts { unsafe Glibc.read(rawValue, buffer.baseAddress, buffer.count) }
    }

    /// Reads at most `buffer.count` bytes at `offset`; 0 past the end.
    package func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
        try Faults.check(.read)
        return try retryingInterrupts { unsafe pread(rawValue, buffer.baseAddress, buffer.count, off_t(offset)) }
    }

    /// Fills `buffer` from `offset`; fewer bytes are returned only where the file ends.
    package func readFully(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
        var filled = 0
        while filled < buffer.count {
            let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])
            let count = try unsafe read(at: offset + Int64(filled), into: rest)
            if count == 0 { break }
            filled += count
        }
        return filled
    }

    /// Writes some of `bytes` at the descriptor's position; how many.
    package func write(_ bytes: UnsafeRawBufferPointer) throws(Errno) -> Int {
        try retryingInterrupts { unsafe Glibc.write(rawValue, bytes.baseAddress, bytes.count) }
    }

    /// Writes all of `bytes`, over as many calls as it takes.
    package func writeAll(_ bytes: UnsafeRawBufferPointer) throws(Errno) {
        var written = 0
        while written < bytes.count {
            written += try unsafe write(UnsafeRawBufferPointer(rebasing: bytes[written...]))
        }
    }

    /// Writes all of `bytes` at `offset`.
    package func writeAll(at offset: Int64, _ bytes: UnsafeRawBufferPointer) throws(Errno) {
        var written = 0
        while written < bytes.count {
            let end = written + (try Faults.limit(.write, rawValue, bytes.count - written))
            let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[written..<end])
            let position = off_t(offset + Int64(written))
            written += try retryingInterrupts { unsafe pwrite(rawValue, rest.baseAddress, rest.count, position) }
        }
    }

    // MARK: The file behind it

    /// Size, kind and links of the file behind the descriptor.
    package func status() throws(Errno) -> FileStatus {
        var raw = stat()
        try retryingInterrupts { unsafe fstat(rawValue, &raw) }
        return FileStatus(raw)
    }

    /// Makes the bytes durable (fdatasync(2): with the size, without the times).
    package func syncBytes() throws(Errno) {
        try Faults.check(.sync, rawValue)
        try retryingInterrupts { fdatasync(rawValue) }
    }

    /// Has the kernel begin to write a range to the disk, without waiting, so that `syncBytes` finds less to do
    /// (sync_file_range(2)). A hint: where the file system cannot, nothing happens.
    package func startWriteback(at offset: Int64, byteCount: Int64) {
        _ = clinux_start_writeback(rawValue, offset, byteCount)
    }

    /// Makes bytes and metadata durable (fsync(2)); on a directory, the names in it.
    package func sync() throws(Errno) {
        try Faults.check(.sync, rawValue)
        try retryingInterrupts { fsync(rawValue) }
    }

    /// Cuts the file off, or extends it with zeros.
    package func truncate(to byteCount: Int64) throws(Errno) {
        try Faults.check(.truncate, rawValue, byteCount: byteCount)
        try retryingInterrupts { ftruncate(rawValue, off_t(byteCount)) }
    }

    /// Gives the bytes of a range back to the file system; they read as zeros, the size stays (fallocate(2)).
    package func punchHole(at offset: Int64, byteCount: Int64) throws(Errno) {
        try Faults.check(.punch, rawValue)
        try retryingInterrupts { clinux_punch_hole(rawValue, offset, byteCount) }
    }

    /// Takes room for the file up to `byteCount` bytes, whose length stays as it is (fallocate(2)): what is written there later
    /// finds room also where nothing else does.
    package func reserve(byteCount: Int64) throws(Errno) {
        try Faults.check(.reserve)
        try retryingInterrupts { clinux_reserve(rawValue, 0, byteCount) }
    }

    /// The size in bytes of the file system that the file is on (fstatvfs(3)).
    package func fileSystemByteCount() throws(Errno) -> Int64 { try retryingInterrupts { clinux_file_system_size(rawValue) } }

    /// Tries once for the exclusive lock on the file (flock(2)): false where someone else has a lock. The lock
    /// ends with the last descriptor of this open file, so it cannot outlive the process.
    package func tryLockExclusive() throws(Errno) -> Bool { try locked(clinux_lock_exclusive(rawValue)) }

    /// Lets go of the lock.
    package func unlock() throws(Errno) { try retryingInterrupts { clinux_unlock(rawValue) } }

    private func locked(_ result: Int32) throws(Errno) -> Bool {
        if result == 0 { return true }
        let cause = Errno.current
        if cause == .wouldBlock { return false }
        throw cause
    }
}

/// What stat(2) says of a file, as far as anyone here asks.
package struct FileStatus: Hashable, Sendable {
    package enum Kind: Hashable, Sendable { case regular, directory, symbolicLink, other }
    package let kind: Kind
    package let byteCount: Int64
    /// Bytes that the file really takes on disk, holes left out.
    package let allocatedByteCount: Int64
    package let linkCount: Int
    /// Permission bits, as chmod(2) takes them.
    package let permissions: UInt32
    package let inode: UInt64
    package let isExecutableByOwner: Bool
    /// Whether it is a socket with a path (unix(7)).
    package let isSocket: Bool

    init(_ raw: stat) {
        kind = switch raw.st_mode & S_IFMT {
        case S_IFREG: .regular
        case S_IFDIR: .directory
        case S_IFLNK: .symbolicLink
        default: .other
        }
        byteCount = Int64(raw.st_size)
        allocatedByteCount = Int64(raw.st_blocks) * 512
        linkCount = Int(raw.st_nlink)
        permissions = UInt32(raw.st_mode & 0o7777)
        inode = UInt64(raw.st_ino)
        isExecutableByOwner = raw.st_mode & S_IXUSR != 0
        isSocket = raw.st_mode & S_IFMT == S_IFSOCK
    }
}
