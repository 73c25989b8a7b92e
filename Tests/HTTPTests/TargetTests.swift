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
        let head = try RequestHead(parsing: "GET /a%20b?c HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(unsafe head.withPath { unsafe Array($0) } == Array("/a%20b".utf8))
        let target = head.target
        #expect(target.description == "/a%20b?c")
        #expect(try target == Target("/a%20b?c"))
        #expect(try target != Target("/a%20b"))
    }

    @Test("from text are checked as those from the wire are", arguments: ["", "a", "/..", "/a b", "*"])
    func refuses(text: String) { #expect(throws: ParseError.self) { try Target(text) } }

    @Test("are judged byte by byte wherever a byte stands")
    func everyByteEverywhere() {
        for byte in UInt8.min ... .max {
            for position in 1..<20 {
                var bytes = [UInt8](repeating: UInt8(ascii: "a"), count: 20)
                bytes[0] = UInt8(ascii: "/")
                bytes[position] = byte
                let target = try? Target(String(decoding: bytes, as: UTF8.self))
                let isAllowed = byte > 0x20 && byte < 0x7f && byte != UInt8(ascii: "#") && byte != UInt8(ascii: "%")
                #expect((target != nil) == isAllowed, "byte \(byte) at \(position)")
                if byte == UInt8(ascii: "?") { #expect(target?.path.utf8.count == position) }
            }
        }
    }

    @Test("have no dot segments wherever those stand", arguments: ["/./", "/../"])
    func dotSegmentsEverywhere(segment: String) {
        for length in 0..<20 {
            let before = length == 0 ? "" : "/" + String(repeating: "b", count: length)
            #expect(throws: ParseError.malformedTarget(.dotSegment)) { try Target("\(before)\(segment)aaaaaaaaaaaaaaaaaaaa") }
            #expect(throws: ParseError.malformedTarget(.dotSegment)) { try Target("\(before)\(segment.dropLast())") }
            #expect((try? Target("\(before)\(segment.dropLast())a/aaaaaaaaaaaaaaaaaaaaa")) != nil)
        }
    }
}
