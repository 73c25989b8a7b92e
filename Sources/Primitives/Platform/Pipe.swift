import CLinux

/// A pipe(2); neither end is handed on to programs that are started.
package struct Pipe: ~Copyable {
    package let readEnd: FileDescriptor
    package let writeEnd: FileDescriptor

    package init() throws(SystemError) {
        var ends: [Int32] = [0, 0]
        try attempt("make", "a pipe") { unsafe clinux_pipe(&ends) }
        readEnd = FileDescriptor(owning: ends[0])
        writeEnd = FileDescriptor(owning: ends[1])
    }

    /// Keeps one end and closes the other.
    package consuming func takeReadEnd() -> FileDescriptor { readEnd }
    package consuming func takeWriteEnd() -> FileDescriptor { writeEnd }
}
