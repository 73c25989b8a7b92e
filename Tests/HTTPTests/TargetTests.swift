import HTTP
import Testing

@Suite("Targets") struct TargetTests {
    @Test("are split into decoded segments", arguments: [
        ("/", []),
        ("/a", ["a"]),
        ("/a/", ["a", ""]),
        ("//a", ["", "a"]),
        ("/a/b%20c/%C3%A9", ["a", "b c", "é"]),
        ("/cache/nar/0a.nar.zst?x=/y/z", ["cache", "nar", "0a.nar.zst"]),
        ("/.hidden/...", [".hidden", "..."]),
        ("/a+b/c:d;e=f", ["a+b", "c:d;e=f"]),
        ("/a%25b", ["a%b"]),
        ("/%5C..", ["\\.."]),
        ("http://h", []),
        ("http://h/x", ["x"]),
    ])
    func segments(text: String, expected: [String]) throws {
        #expect(try Target(text).segments == expected)
    }

    @Test("lend the path's bytes as they were sent")
    func path() throws {
        let target = try Target("/a%20b?c")
        #expect(unsafe target.withPath { unsafe Array($0) } == Array("/a%20b".utf8))
        #expect(target.description == "/a%20b?c")
        #expect(try target == Target("/a%20b?c"))
        #expect(try target != Target("/a%20b"))
    }

    @Test("from text are checked as those from the wire are", arguments: ["", "a", "/..", "/a b", "*"])
    func refuses(text: String) { #expect(throws: ParseError.self) { try Target(text) } }
}
