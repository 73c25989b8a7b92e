import Glibc

/// The signals that end a server, taken by one thread that waits for them instead of by handlers.
package enum Signals {
    /// What a waiting main thread can be told.
    package enum Received: Hashable, Sendable {
        /// SIGTERM, SIGINT: finish and end.
        case terminate(number: Int32)
        /// SIGHUP: read the configuration again, or end where there is nothing to read.
        case hangUp
    }

    /// Keeps SIGTERM, SIGINT and SIGHUP from interrupting anyone, and ignores SIGPIPE (a write to a closed peer is an
    /// error number here). Called by main before the first thread starts: threads inherit the mask.
    package static func block() {
        signal(SIGPIPE, SIG_IGN)
        var set = waited
        let code = unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
        precondition(code == 0, "cannot block signals: \(Errno(code))")
    }

    /// Keeps SIGPIPE from the calling thread: sendfile(2) to a closed peer raises it, and has no flag against that.
    package static func blockBrokenPipes() {
        var set = sigset_t()
        unsafe sigemptyset(&set)
        unsafe sigaddset(&set, SIGPIPE)
        unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// Sleeps until one of the blocked signals arrives.
    package static func wait() -> Received {
        var set = waited
        var number: Int32 = 0
        let code = unsafe sigwait(&set, &number)
        precondition(code == 0, "cannot wait for signals: \(Errno(code))")
        return number == SIGHUP ? .hangUp : .terminate(number: number)
    }

    /// As `wait`, for at most so long; nil where none came.
    package static func wait(atMost duration: Duration) -> Received? {
        let deadline = MonotonicTime.now + duration
        while true {
            let left = max(0, (deadline - .now).wholeNanoseconds)
            var set = waited
            var limit = timespec(tv_sec: Int(left / 1_000_000_000), tv_nsec: Int(left % 1_000_000_000))
            let number = unsafe sigtimedwait(&set, nil, &limit)
            if number > 0 { return number == SIGHUP ? .hangUp : .terminate(number: number) }
            // EINTR: a signal that is not waited for.
            if Errno.current == .wouldBlock { return nil }
        }
    }

    private static var waited: sigset_t {
        var set = sigset_t()
        unsafe sigemptyset(&set)
        for number in [SIGTERM, SIGINT, SIGHUP] { unsafe sigaddset(&set, number) }
        return set
    }
}
