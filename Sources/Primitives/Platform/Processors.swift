import CLinux

/// The machine's processors.
package enum Processors {
    /// How many this process may run on at once; at least 1.
    package static var count: Int { max(1, Int(clinux_processor_count())) }
}
