import CLinux
import Glibc

/// The memory of this process, which holds secrets.
package enum ProcessMemory {
    /// Set to anything, it has a process leave core files as the system would: to look into a crash.
    package static let coresVariable = "TETRYX_CORE_DUMPS"

    /// Leaves no core files, and has the kernel keep `/proc/PID/environ`, `/proc/PID/mem` and ptrace(2) from other processes of the
    /// same user (PR_SET_DUMPABLE of prctl(2)): a crash would write signing keys and the secret of all tokens to a place where
    /// nobody guards them. Root can read them as before. To be called before there is anything to keep.
    package static func keepToItself() {
        if unsafe getenv(coresVariable) != nil { return }
        var none = rlimit(rlim_cur: 0, rlim_max: 0)
        // Neither fails for what makes things tighter.
        unsafe setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &none)
        _ = clinux_set_dumpable(false)
    }
}

/// The arguments and variables that this process was started with, which others can read in `/proc/PID`: arguments everyone.
package enum ProcessArguments {
    /// Overwrites every argument that is `secret`, once it was read. Whoever looks in the moment before sees it.
    package static func hide(_ secret: String) {
        if secret.isEmpty { return }
        var index: Int32 = 0
        while let argument = unsafe clinux_argument(index) {
            if unsafe String(cString: argument) == secret { unsafe memset(argument, CInt(UInt8(ascii: "x")), strlen(argument)) }
            index += 1
        }
    }
}

extension Environment {
    /// Empties variables, once their values were read.
    package static func hide(_ names: [String]) {
        for name in names {
            if let value = unsafe getenv(name) { unsafe memset(value, 0, strlen(value)) }
        }
    }
}
