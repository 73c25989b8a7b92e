import Platform
import Support
import Testing

@Suite struct DirectoryTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    @Test("A directory is made with all that are missing above it, and again changes nothing")
    func make() throws {
        let path = directory.file("a/b/c")
        try Directory.make(path, permissions: 0o700)
        #expect(try File.status(path).permissions == 0o700)
        #expect(try File.status(directory.file("a")).permissions == 0o700)
        try Directory.make(path)
    }

    @Test("Where nothing can be made the error names what could not be", arguments: ["/proc/none", "/proc/none/a/b"])
    func impossible(path: String) {
        let error = #expect(throws: SystemError.self) { try Directory.make(path) }
        #expect(error?.operation == "make directory")
        #expect(error?.subject == "/proc/none")
    }

    @Test("Below a file nothing can be made, and a file is no directory")
    func file() throws {
        try directory.write("file", text: "")
        #expect(throws: SystemError("make directory", directory.file("file/a"), .notDirectory)) {
            try Directory.make(directory.file("file/a"))
        }
        #expect(throws: SystemError("make directory", directory.file("file"), .fileExists)) {
            try Directory.make(directory.file("file"))
        }
    }
}
