import Glibc

/// Where a program talks to people: standard error. Results go to standard output by `print`.
package enum Terminal {
    /// Writes one or more whole lines in one call, so that threads never mix theirs.
    package static func say(_ text: String) { write(Array((text + "\n").utf8)) }

    /// Writes whole lines as they are.
    package static func write(_ lines: [UInt8]) {
        unsafe lines.span.withUnsafeBytes { bytes in
            var rest = unsafe bytes
            while rest.count > 0 {
                let count = unsafe Glibc.write(STDERR_FILENO, rest.baseAddress, rest.count)
                // Nobody reads: there is nobody to tell.
                if count <= 0 { return }
                unsafe rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            }
        }
    }
}

/// The process's environment.
package enum Environment {
    /// Every variable; the first of two of the same name counts, as in getenv(3).
    package static var all: [String: String] {
        var variables: [String: String] = [:]
        var entry = unsafe environ
        while let text = unsafe entry.pointee {
            let pair = unsafe String(cString: text)
            if let equals = pair.utf8.firstIndex(of: UInt8(ascii: "=")) {
                let name = String(pair[..<equals])
                if variables[name] == nil { variables[name] = String(pair[pair.utf8.index(after: equals)...]) }
            }
            unsafe entry += 1
        }
        return variables
    }
}
