import CLinux
import Glibc

/// The three standard streams, and what they are to the person at the other end.
extension Terminal {
    /// Columns and rows of a terminal.
    package struct Size: Hashable, Sendable {
        package let columns: Int
        package let rows: Int

        package init(columns: Int, rows: Int) {
            self.columns = columns
            self.rows = rows
        }
    }

    package static let standardInput: Int32 = STDIN_FILENO
    package static let standardOutput: Int32 = STDOUT_FILENO
    package static let standardError: Int32 = STDERR_FILENO

    /// Whether a person looks at it, as isatty(3) says.
    package static func isTerminal(_ descriptor: Int32) -> Bool { isatty(descriptor) == 1 }

    /// How large it is now; nil where it is no terminal, or does not know.
    package static func size(_ descriptor: Int32) -> Size? {
        var columns: Int32 = 0
        var rows: Int32 = 0
        guard unsafe clinux_terminal_size(descriptor, &columns, &rows) == 0, columns > 0, rows > 0 else { return nil }
        return Size(columns: Int(columns), rows: Int(rows))
    }

    /// Why results that were put on standard output are lost, as on a full disk; nil where they are not, or where their reader has gone, and
    /// wanted no more. Tools ask when they end: a script must not go on without what it asked for.
    package static var lostOutput: SystemError? {
        outputFailure.withLock { $0 }.map { SystemError("write", "standard output", $0) }
    }

    private static let outputFailure = Monitor<Errno?>(nil)

    /// Writes all of `text`. What cannot be written is dropped; of standard output `lostOutput` then says why.
    package static func put(_ text: String, on descriptor: Int32) {
        let bytes = Array(text.utf8)
        unsafe bytes.span.withUnsafeBytes { buffer in
            var written = 0
            while written < buffer.count {
                let rest = unsafe UnsafeRawBufferPointer(rebasing: buffer[written...])
                do throws(Errno) {
                    written += try retryingInterrupts { unsafe Glibc.write(descriptor, rest.baseAddress, rest.count) }
                } catch {
                    if descriptor == standardOutput && error != .brokenPipe { outputFailure.withLock { $0 = $0 ?? error } }
                    return
                }
            }
        }
    }

    /// All that can be read from a descriptor up to its end, refused above `byteCountMax`.
    package static func readAll(_ descriptor: Int32, named name: String, byteCountMax: Int) throws(SystemError) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            var span = buffer.mutableSpan
            let count: Int
            do throws(Errno) {
                count = try unsafe span.withUnsafeMutableBytes { room throws(Errno) in
                    try retryingInterrupts { unsafe Glibc.read(descriptor, room.baseAddress, room.count) }
                }
            } catch { throw SystemError("read", name, error) }
            if count == 0 { return bytes }
            bytes += buffer[..<count]
            if bytes.count > byteCountMax { throw SystemError("read", name, Errno(EFBIG)) }
        }
    }

    /// The next line, without its end; nil at the end of the input. Reads byte by byte, so that nothing behind the line
    /// is taken away from whoever reads next.
    package static func readLine(_ descriptor: Int32, byteCountMax: Int = 4096) -> String? {
        var bytes: [UInt8] = []
        var byte: UInt8 = 0
        while bytes.count < byteCountMax {
            guard (try? retryingInterrupts({ unsafe Glibc.read(descriptor, &byte, 1) })) == 1 else {
                return bytes.isEmpty ? nil : String(decoding: bytes, as: UTF8.self)
            }
            if byte == UInt8(ascii: "\n") { break }
            bytes.append(byte)
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
