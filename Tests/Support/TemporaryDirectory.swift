import Glibc
import Platform

/// A directory of its own for one test, removed with everything in it when the test lets go.
package final class TemporaryDirectory: Sendable {
    package let path: String

    /// Makes the directory below `$TMPDIR`, else `/tmp`.
    package init() throws(SystemError) {
        let above = unsafe getenv("TMPDIR").map { unsafe String(cString: $0) } ?? "/tmp"
        guard let template = unsafe strdup("\(above)/tetryx-test-XXXXXX") else {
            throw SystemError("make directory", above, Errno.current)
        }
        defer { unsafe free(template) }
        guard let made = unsafe mkdtemp(template) else { throw SystemError("make directory", above, Errno.current) }
        path = unsafe String(cString: made)
    }

    deinit { Self.removeTree(path) }

    /// The path of `name` inside the directory.
    package func file(_ name: String) -> String { "\(path)/\(name)" }

    private static func removeTree(_ path: String) {
        // Trees copied from the Nix store have directories without the write bit.
        _ = unsafe chmod(path, 0o700)
        for name in (try? Directory.names(path)) ?? [] {
            let entry = "\(path)/\(name)"
            if (try? File.linkStatus(entry).kind) == .directory { removeTree(entry) } else { try? File.remove(entry) }
        }
        try? Directory.removeEmpty(path)
    }
}
