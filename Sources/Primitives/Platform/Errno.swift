import Glibc

/// An error number of the kernel, as errno(3) names them.
package struct Errno: Error, Hashable, Sendable, CustomStringConvertible {
    package let code: Int32

    package init(_ code: Int32) { self.code = code }

    /// The number that the call just made left behind. Read it in the statement after the call, nothing between.
    package static var current: Errno { Errno(errno) }

    package static let noSuchFile = Errno(ENOENT)
    package static let fileExists = Errno(EEXIST)
    package static let interrupted = Errno(EINTR)
    package static let wouldBlock = Errno(EAGAIN)
    package static let noSpace = Errno(ENOSPC)
    package static let quotaExceeded = Errno(EDQUOT)
    package static let notPermitted = Errno(EPERM)
    package static let accessDenied = Errno(EACCES)
    package static let notDirectory = Errno(ENOTDIR)
    package static let inputOutput = Errno(EIO)
    package static let notSupported = Errno(EOPNOTSUPP)
    package static let brokenPipe = Errno(EPIPE)
    package static let connectionReset = Errno(ECONNRESET)
    package static let connectionRefused = Errno(ECONNREFUSED)
    package static let inProgress = Errno(EINPROGRESS)
    package static let timedOut = Errno(ETIMEDOUT)
    package static let addressInUse = Errno(EADDRINUSE)
    package static let addressNotAvailable = Errno(EADDRNOTAVAIL)
    package static let tooManyFiles = Errno(EMFILE)
    package static let tooManyFilesInSystem = Errno(ENFILE)
    package static let readOnlyFileSystem = Errno(EROFS)

    /// The kernel's sentence for it: `No such file or directory`.
    package var description: String {
        // The largest message of glibc is below 64 bytes; strerror_r is the form that threads may share.
        unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 128) { buffer in
            guard let base = buffer.baseAddress else { return "error \(code)" }
            let status = unsafe strerror_r(code, base, buffer.count)
            return status == 0 ? unsafe String(cString: base) : "error \(code)"
        }
    }
}

/// What the world did to a system call: what was tried, on what, and the cause.
package struct SystemError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What was tried, as a verb: `open`, `write`, `listen on`.
    package let operation: String
    /// On what: a path, an address. Empty where there is nothing to name.
    package let subject: String
    package let errno: Errno
    /// Why, in better words than the number's own; nil where there are none.
    private let cause: String?

    package init(_ operation: String, _ subject: String, _ errno: Errno, cause: String? = nil) {
        self.operation = operation
        self.subject = subject
        self.errno = errno
        self.cause = cause
    }

    /// `cannot open /etc/shadow: Permission denied`
    package var description: String {
        let cause = cause ?? errno.description
        return subject.isEmpty ? "cannot \(operation): \(cause)" : "cannot \(operation) \(subject): \(cause)"
    }
}

/// Runs a system call until it is not interrupted by a signal; the only EINTR loop there is.
///
/// - Parameter call: makes the call and returns its result, negative when it failed with errno set.
/// - Throws: the error number, of any failure but EINTR.
@discardableResult
package func retryingInterrupts<Result: FixedWidthInteger & SignedInteger>(_ call: () -> Result) throws(Errno) -> Result {
    while true {
        let result = call()
        if result >= 0 { return result }
        let cause = Errno.current
        if cause != .interrupted { throw cause }
    }
}
