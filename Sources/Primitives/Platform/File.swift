import CLinux
import Glibc

/// Files by path: open, read whole, write whole and durably, list, make, remove. Paths are strings in UTF-8.
/// Every failure is a `SystemError` that names the path.
package enum File {
    /// How a file is opened.
    package enum Access: Sendable {
        case read
        case readWrite
        /// Made new, or an error where it exists (O_EXCL).
        case create(permissions: UInt32)
        /// Made where it is not there.
        case openOrCreate(permissions: UInt32)
        /// A directory, to be listed or synced.
        case directory

        var flags: Int32 {
            switch self {
            case .read: O_RDONLY
            case .readWrite: O_RDWR
            case .create: O_RDWR | O_CREAT | O_EXCL
            case .openOrCreate: O_RDWR | O_CREAT
            case .directory: O_RDONLY | clinux_o_directory
            }
        }
        var permissions: UInt32 {
            switch self {
            case .create(let permissions), .openOrCreate(let permissions): permissions
            case .read, .readWrite, .directory: 0
            }
        }
    }

    package static func open(_ path: String, _ access: Access) throws(SystemError) -> FileDescriptor {
        let flags = access.flags
        let permissions = access.permissions
        do { try Faults.check(.open) } catch { throw SystemError("open", path, error) }
        let raw = try attempt("open", path) { unsafe clinux_openat(AT_FDCWD, path, flags, permissions) }
        return FileDescriptor(owning: raw)
    }

    /// The whole content of a file, refused above `byteCountMax`.
    package static func readAll(_ path: String, byteCountMax: Int = 64 << 20) throws(SystemError) -> [UInt8] {
        let file = try open(path, .read)
        do throws(Errno) {
            var bytes: [UInt8] = []
            // The size is a hint only: files below /proc say 0 and hold more.
            var room = max(Int(try file.status().byteCount) + 1, 4096)
            while true {
                if bytes.count > byteCountMax { throw Errno(EFBIG) }
                let start = bytes.count
                bytes.append(contentsOf: repeatElement(0, count: room))
                var span = bytes.mutableSpan
                let count = try unsafe span.withUnsafeMutableBytes { buffer throws(Errno) in
                    try unsafe file.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[start...]))
                }
                bytes.removeLast(room - count)
                if count == 0 { return bytes }
                room = 64 << 10
            }
        } catch { throw SystemError("read", path, error) }
    }

    /// The whole content as text; nil where it is not UTF-8.
    package static func readText(_ path: String) throws(SystemError) -> String? {
        String(validating: try readAll(path), as: UTF8.self)
    }

    /// Replaces a file's content so that a reader, or a crash, sees the old or the new whole: temporary file
    /// beside it, write, fsync, rename, fsync of the directory.
    package static func replace(_ path: String, with bytes: [UInt8], permissions: UInt32) throws(SystemError) {
        let temporary = path + ".new-\(getpid())"
        do throws(SystemError) {
            let file = try open(temporary, .create(permissions: permissions))
            do throws(Errno) {
                try unsafe bytes.span.withUnsafeBytes { buffer throws(Errno) in try unsafe file.writeAll(buffer) }
                // The mask of the process may have taken bits away; it never adds any, so 0600 was never wider.
                try retryingInterrupts { fchmod(file.rawValue, mode_t(permissions)) }
                try file.sync()
            } catch { throw SystemError("write", temporary, error) }
            try rename(temporary, to: path)
        } catch {
            _ = unsafe unlink(temporary)
            throw error
        }
        try syncDirectory(parent(of: path))
    }

    package static func rename(_ from: String, to: String) throws(SystemError) {
        do { try Faults.check(.rename) } catch { throw SystemError("rename", "\(from) to \(to)", error) }
        try attempt("rename", "\(from) to \(to)") { unsafe Glibc.rename(from, to) }
    }

    package static func remove(_ path: String) throws(SystemError) {
        do { try Faults.check(.remove) } catch { throw SystemError("remove", path, error) }
        try attempt("remove", path) { unsafe unlink(path) }
    }

    package static func status(_ path: String) throws(SystemError) -> FileStatus {
        var raw = stat()
        try attempt("look at", path) { unsafe stat(path, &raw) }
        return FileStatus(raw)
    }

    /// The status of the link itself where the path names a symbolic link.
    package static func linkStatus(_ path: String) throws(SystemError) -> FileStatus {
        var raw = stat()
        try attempt("look at", path) { unsafe lstat(path, &raw) }
        return FileStatus(raw)
    }

    /// From now on, whatever this process makes is readable by its user only (umask(2)).
    package static func keepToOwner() { umask(0o077) }

    package static func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

    /// Makes the names in a directory durable.
    package static func syncDirectory(_ path: String) throws(SystemError) {
        let directory = try open(path, .directory)
        do { try directory.sync() } catch { throw SystemError("sync", path, error) }
    }

    /// The path with every symbolic link resolved, as realpath(3).
    package static func resolve(_ path: String) throws(SystemError) -> String {
        guard let resolved = unsafe realpath(path, nil) else { throw SystemError("resolve", path, Errno.current) }
        defer { unsafe free(resolved) }
        return unsafe String(cString: resolved)
    }

    /// The directory part of a path: `/a/b` of `/a/b/c`, `.` of `c`, `/` of `/c`.
    package static func parent(of path: String) -> String {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}

/// Directories by path.
package enum Directory {
    /// Makes the directory and those above it, where they are not there.
    ///
    /// - Parameter isDurable: whether the names of those that were made survive a power cut. Where the directory above one may not be
    ///   read by us, its name does not wait for the disk.
    package static func make(_ path: String, permissions: UInt32 = 0o755, isDurable: Bool = false) throws(SystemError) {
        func made() { if isDurable { try? File.syncDirectory(File.parent(of: path)) } }
        if unsafe mkdir(path, mode_t(permissions)) == 0 { return made() }
        let cause = Errno.current
        switch cause {
        case .fileExists:
            guard (try? File.status(path).kind) == .directory else { throw SystemError("make directory", path, cause) }
        case .noSuchFile:
            let above = File.parent(of: path)
            if above == path || above == "." { throw SystemError("make directory", path, cause) }
            try make(above, permissions: permissions, isDurable: isDurable)
            if unsafe mkdir(path, mode_t(permissions)) == 0 { return made() }
            let second = Errno.current
            // Another process may have made it meanwhile. Where names cannot be made (/proc), it is missing for ever.
            guard second == .fileExists, (try? File.status(path).kind) == .directory else {
                throw SystemError("make directory", path, second)
            }
        default:
            throw SystemError("make directory", path, cause)
        }
    }

    /// The names in a directory, without `.` and `..`, sorted by their bytes.
    package static func names(_ path: String) throws(SystemError) -> [String] {
        guard let stream = unsafe opendir(path) else { throw SystemError("list", path, Errno.current) }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while let entry = unsafe readdir(stream) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    /// Removes an empty directory.
    package static func removeEmpty(_ path: String) throws(SystemError) {
        try attempt("remove directory", path) { unsafe rmdir(path) }
    }
}

/// Runs one system call on a path and names both in the error.
@discardableResult
func attempt<Result: FixedWidthInteger & SignedInteger>(
    _ operation: String, _ subject: String, _ call: () -> Result
) throws(SystemError) -> Result {
    do { return try retryingInterrupts(call) } catch { throw SystemError(operation, subject, error) }
}
