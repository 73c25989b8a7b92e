import CLinux
import Glibc

/// Walking a tree from an open directory: names are looked up in it and nowhere else, and links are not followed.
/// Names are C strings as the kernel gave them, so that nothing is copied or decoded on the way.
extension FileDescriptor {
    /// Opens a file of this directory for reading. A link is refused (ELOOP); a pipe is opened without waiting.
    package func openFile(named name: UnsafePointer<CChar>) throws(Errno) -> FileDescriptor {
        let flags = O_RDONLY | O_NONBLOCK | clinux_o_nofollow
        return FileDescriptor(owning: try retryingInterrupts { unsafe clinux_openat(rawValue, name, flags, 0) })
    }

    /// Opens a directory of this directory for listing. A link is refused (ENOTDIR).
    package func openDirectory(named name: UnsafePointer<CChar>) throws(Errno) -> FileDescriptor {
        let flags = O_RDONLY | clinux_o_directory | clinux_o_nofollow
        return FileDescriptor(owning: try retryingInterrupts { unsafe clinux_openat(rawValue, name, flags, 0) })
    }

    /// The next entries of this directory into `buffer`, as getdents64(2) lays them out; bytes filled, 0 at the end.
    package func readEntries(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
        try retryingInterrupts { unsafe clinux_getdents(rawValue, buffer.baseAddress, buffer.count) }
    }

    /// The target of a symbolic link of this directory into `buffer`; how many bytes of it fit.
    package func readLink(
        named name: UnsafePointer<CChar>, into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> Int {
        guard let base = buffer.baseAddress else { return 0 }
        let text = unsafe base.assumingMemoryBound(to: CChar.self)
        return try retryingInterrupts { unsafe readlinkat(rawValue, name, text, buffer.count) }
    }

    /// The file type bits (S_IFMT of st_mode) of what has that name in this directory; links are not followed.
    package func fileType(named name: UnsafePointer<CChar>) throws(Errno) -> UInt32 {
        var raw = stat()
        try retryingInterrupts { unsafe fstatat(rawValue, name, &raw, AT_SYMLINK_NOFOLLOW) }
        return UInt32(raw.st_mode & S_IFMT)
    }
}

extension File {
    /// The target of a symbolic link.
    package static func linkTarget(_ path: String) throws(SystemError) -> String {
        // One byte more than a target can have, so that a cut one would show.
        let byteCountMax = Int(PATH_MAX) + 1
        return unsafe try withUnsafeTemporaryAllocation(byteCount: byteCountMax, alignment: 1) { buffer throws(SystemError) in
            guard let base = buffer.baseAddress else { return "" }
            let text = unsafe base.assumingMemoryBound(to: CChar.self)
            let count = try attempt("read link", path) { unsafe readlink(path, text, buffer.count) }
            return unsafe String(decoding: buffer[..<count], as: UTF8.self)
        }
    }

    /// The directory that relative paths start from.
    package static func workingDirectory() throws(SystemError) -> String {
        guard let path = unsafe getcwd(nil, 0) else { throw SystemError("find", "the working directory", Errno.current) }
        defer { unsafe free(path) }
        return unsafe String(cString: path)
    }

    /// Whether this process may read and write what is there.
    package static func isReadableAndWritable(_ path: String) -> Bool { unsafe access(path, R_OK | W_OK) == 0 }

    /// Makes sure that this process may read and write what is there (access(2)), as neither permissions nor a file system that is mounted to
    /// be read may allow.
    package static func requireReadableAndWritable(_ path: String) throws(SystemError) {
        if unsafe access(path, R_OK | W_OK) != 0 { throw SystemError("read and write", path, Errno.current) }
    }

    /// Whether this process may read what is there.
    package static func isReadable(_ path: String) -> Bool { unsafe access(path, R_OK) == 0 }
}
