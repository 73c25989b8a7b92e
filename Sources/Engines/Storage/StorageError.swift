import Platform

/// What went wrong with stored bytes: what was tried, on what, and the cause.
package struct StorageError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The causes that a caller tells apart.
    package enum Cause: Hashable, Sendable {
        /// The pack is not there: its file was removed, or its bucket lost it.
        case missing(PackName)
        /// The pack ends inside the extent: only `found` of its bytes are there.
        case short(Extent, found: Int64)
        /// No space or no quota is left (ENOSPC, EDQUOT).
        case full
        /// The file system cannot do it (EOPNOTSUPP); nothing was changed and nothing is wrong with the bytes.
        case unsupported
        /// Another server has the storage directory.
        case inUse
        /// The directory says that another layout lies in it; what its VERSION file says.
        case unknownVersion(String)
        /// The bucket did not answer, or not well, however often it was asked; in words. It says nothing of the bytes.
        case unreachable(String)
        /// The bucket answered that it will not; in words, with what to do.
        case refused(String)
        /// The caller's own check threw, in words.
        case checkFailed(String)
        /// Anything else that the system refused.
        case system(SystemError)
    }

    /// What was tried, as a verb: `append to`, `read`.
    package let operation: String
    /// On what: a path, or a pack's name.
    package let subject: String
    package let cause: Cause

    package init(_ operation: String, _ subject: String, _ cause: Cause) {
        self.operation = operation
        self.subject = subject
        self.cause = cause
    }

    /// Sorts a system call's failure into the causes.
    package init(_ error: SystemError) {
        let cause: Cause = switch error.errno {
        case .noSpace, .quotaExceeded: .full
        case .notSupported: .unsupported
        default: .system(error)
        }
        self.init(error.operation, error.subject, cause)
    }

    /// `cannot append to /srv/packs/ab/….pack: no space is left; …`
    package var description: String {
        let reason = switch cause {
        case .missing(let pack): "pack \(pack) is not there"
        case .short(let extent, let found):
            "pack \(extent.pack) ends inside the extent of \(extent.byteCount) bytes at \(extent.offset): \(found) are there"
        case .full: "no space is left, or the quota is used up; free some, or collect garbage"
        case .unsupported: "the file system does not support it"
        case .inUse:
            "another server has it open; stop that one, or give this one a storage path of its own"
        case .unknownVersion(let found):
            "its VERSION file says \"\(found)\", and this server knows only \"\(StorageVersion.current)\"; "
                + "run the server that wrote it, or choose another storage path"
        case .checkFailed(let sentence), .unreachable(let sentence), .refused(let sentence): sentence
        case .system(let error): "\(error.errno)"
        }
        return "cannot \(operation) \(subject): \(reason)"
    }
}

/// Runs calls to the system and sorts their failure into a `StorageError`.
func sorted<Result>(_ body: () throws(SystemError) -> Result) throws(StorageError) -> Result {
    do { return try body() } catch { throw StorageError(error) }
}
