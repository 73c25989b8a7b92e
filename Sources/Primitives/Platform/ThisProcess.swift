import Glibc

/// This process, as somebody on another machine is to find it.
package enum ThisProcess {
    /// `process 1234 on cache1`.
    package static let name: String = {
        var bytes = [CChar](repeating: 0, count: 256)
        // gethostname(2): whether a name that was cut off ends with a zero byte is left open.
        let isKnown = unsafe gethostname(&bytes, bytes.count - 1) == 0
        let host = String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return "process \(getpid())" + (isKnown && !host.isEmpty ? " on \(host)" : "")
    }()
}
