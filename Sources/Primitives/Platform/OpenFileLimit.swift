import Glibc

/// How many descriptors this process may have open (getrlimit(2), RLIMIT_NOFILE).
package enum OpenFileLimit {
    /// Raises the limit as far as an ordinary process may: the soft limit, 1024 on many systems for the sake of programs
    /// that use select(2), to the hard one. Where the kernel refuses, it stays as it was.
    ///
    /// - Returns: the limit from now on.
    package static func raise() -> Int {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return fallback }
        if limit.rlim_cur < limit.rlim_max {
            var raised = limit
            raised.rlim_cur = limit.rlim_max
            if unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &raised) == 0 { limit = raised }
        }
        return Int(clamping: limit.rlim_cur)
    }

    /// What POSIX systems give at least in practice.
    private static let fallback = 1024
}
