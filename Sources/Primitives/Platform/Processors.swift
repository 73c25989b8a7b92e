import Glibc

/// The machine's processors.
package enum Processors {
    /// How many this process may run on at once; at least 1.
    package static var count: Int {
        let online = sysconf(Int32(_SC_NPROCESSORS_ONLN))
        return max(1, Int(online))
    }
}
