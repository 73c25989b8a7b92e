import Glibc
import Nix
import Platform

/// Writes the NAR of a tree in the file system; the same bytes as `nix-store --dump`.
///
/// Files are read straight into the buffer that is handed on, names stay in one arena, and each directory is opened once
/// from its parent: no string and no lookup of a whole path for any file (`NarTreeWalk`). Of a large tree several threads read
/// ahead (`NarReadAhead`).
package enum NarDump {
    /// Bytes that are handed on at once.
    package static let bufferByteCount = 256 << 10
    /// Files and directories that a dump has open at once at most, while threads read ahead.
    package static let openFilesMax = NarReadAhead.openFilesMax + NarTreeWalk.openLevelCountMax + 2

    /// Dumps what is at `path`: a directory, a regular file or a symbolic link (which is not followed).
    ///
    /// - Parameters:
    ///   - bufferByteCount: how many bytes at most `sink` is given at once; at least 4 KiB.
    ///   - readers: threads that read ahead of `sink`, in `NarReadAhead`'s memory, 8 at most; with 0 the caller reads, a file at a time.
    ///   - files: takes the contents of a larger file as the next bytes: so many from its beginning, by whatever way is the
    ///     cheapest (`sendfile`); it returns how many there were. Nil has them read and given to `sink`.
    ///   - sink: takes the next bytes, lent for the call.
    /// - Throws: `.tree` where the tree cannot be dumped, `.sink` with what `sink` threw. What came out before is not
    ///   a NAR then.
    package static func dump<Failure: Error>(
        path: String, bufferByteCount: Int = NarDump.bufferByteCount, readers: Int = 0,
        files: ((borrowing FileDescriptor, Int64) throws(Failure) -> Int64)? = nil,
        into sink: (UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(NarDumpFailure<Failure>) {
        var failure: Failure?
        let fileSink: NarSender.FileSink? = files.map { files in
            { file, byteCount in
                do throws(Failure) { return try files(file, byteCount) } catch {
                    failure = error
                    return nil
                }
            }
        }
        var sender = NarSender(bufferByteCount: bufferByteCount, files: fileSink)
        // What sends is not generic, so that it is compiled once.
        let boundSink: NarSender.Sink = { bytes in
            do throws(Failure) {
                try unsafe sink(bytes)
                return true
            } catch {
                failure = error
                return false
            }
        }
        do throws(NarSender.Stop) {
            if readers > 0 {
                try unsafe sender.send(path, readers: readers, to: boundSink)
            } else {
                try unsafe sender.send(path, to: boundSink)
            }
        } catch {
            if let failure { throw .sink(failure) }
            switch error {
            case .tree(let error): throw .tree(error)
            case .sink: preconditionFailure("a sink stopped without a failure")
            }
        }
    }
}

/// Why a dump stopped: the tree, or who was to take it.
package enum NarDumpFailure<SinkFailure: Error>: Error {
    case tree(NarDumpError)
    case sink(SinkFailure)
}

extension NarDumpFailure: CustomStringConvertible {
    package var description: String {
        switch self {
        case .tree(let error): error.description
        case .sink(let error): "\(error)"
        }
    }
}

/// Why a tree has no NAR.
package enum NarDumpError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A file cannot be opened, read or listed.
    case system(SystemError)
    /// Something that is no regular file, directory or symbolic link.
    case unsupportedKind(path: String, kind: String)
    /// A file became longer, shorter or something else while it was dumped.
    case changed(path: String, how: String)
    /// More directories within one another than a NAR may have here.
    case tooDeep(path: String, max: Int)

    package var description: String {
        switch self {
        case .system(let error): "\(error)"
        case .unsupportedKind(let path, let kind):
            "cannot archive \(path): it is \(kind), and a NAR holds only files, directories and symbolic links"
        case .changed(let path, let how): "cannot archive \(path): it \(how) while it was read; try again"
        case .tooDeep(let path, let max): "cannot archive \(path): more than \(max) directories within one another"
        }
    }
}

extension NarDumpError {
    /// What could not be opened: where it was listed as a file or a directory and is a link by now, it has changed.
    init(opening path: String, _ errno: Errno) {
        if errno.code == ELOOP || errno == .notDirectory {
            self = .changed(path: path, how: "became something else")
        } else {
            self = .system(SystemError("open", path, errno))
        }
    }
}
