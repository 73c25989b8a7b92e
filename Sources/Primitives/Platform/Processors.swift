import Glibc

/// The machine's processors.
package enum Processors {
    /// How many are at work; at least 1.
    package static var count: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }
}
