import Platform

extension TemporaryDirectory {
    /// Writes a file into the directory (directories in `name` are made), and gives its path.
    @discardableResult
    package func write(_ name: String, _ bytes: [UInt8]) throws(SystemError) -> String {
        let path = file(name)
        try Directory.make(File.parent(of: path))
        let descriptor = try File.open(path, .openOrCreate(permissions: 0o644))
        do throws(Errno) {
            try descriptor.truncate(to: 0)
            try unsafe bytes.span.withUnsafeBytes { buffer throws(Errno) in try unsafe descriptor.writeAll(buffer) }
        } catch { throw SystemError("write", path, error) }
        return path
    }

    /// As `write`, with text.
    @discardableResult
    package func write(_ name: String, text: String) throws(SystemError) -> String { try write(name, Array(text.utf8)) }
}
