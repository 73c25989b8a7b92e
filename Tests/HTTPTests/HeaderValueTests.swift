import HTTP
import Testing

@Suite("Header values") struct HeaderValueTests {
    @Test("that ask for a range are understood", arguments: [
        (nil, 100, ByteRange.whole),
        ("bytes=0-0", 100, .partial(0..<1)),
        ("bytes=0-499", 100, .partial(0..<100)),
        ("bytes=99-", 100, .partial(99..<100)),
        ("bytes=100-", 100, .unsatisfiable),
        ("bytes=100-200", 100, .unsatisfiable),
        ("bytes=-1", 100, .partial(99..<100)),
        ("bytes=-1000", 100, .partial(0..<100)),
        ("bytes=-0", 100, .unsatisfiable),
        ("bytes=0-", 0, .unsatisfiable),
        ("bytes=-5", 0, .whole),
        ("BYTES= 1-2 ", 100, .partial(1..<3)),
        ("bytes=5-4", 100, .whole),
        ("bytes=0-1,3-4", 100, .whole),
        ("bytes=0-1-2", 100, .whole),
        ("bytes=-", 100, .whole),
        ("bytes=", 100, .whole),
        ("bytes=a-b", 100, .whole),
        ("bytes=--1", 100, .whole),
        ("items=0-1", 100, .whole),
        ("bytes=0-99999999999999999999999", 100, .partial(0..<100)),
        ("bytes=99999999999999999999999-", 100, .unsatisfiable),
        ("bytes=-99999999999999999999999", 100, .partial(0..<100)),
    ] as [(String?, Int64, ByteRange)])
    func range(header: String?, byteCount: Int64, expected: ByteRange) {
        #expect(ByteRange(header, byteCount: byteCount) == expected)
    }

    @Test("say which range an answer has")
    func contentRange() {
        #expect(ByteRange.partial(1..<3).contentRange(byteCount: 10) == "bytes 1-2/10")
        #expect(ByteRange.unsatisfiable.contentRange(byteCount: 10) == "bytes */10")
        #expect(ByteRange.whole.contentRange(byteCount: 10) == nil)
    }

    @Test("with entity tags match as the standard has it", arguments: [
        ("*", true, true),
        ("\"a\"", true, true),
        ("W/\"a\"", true, false),
        ("\"b\", \"a\"", true, true),
        (" , \"b\" ,W/\"a\",", true, false),
        ("\"b\"", false, false),
        ("\"A\"", false, false),
        ("\"b,a\"", false, false),
    ])
    func tags(header: String, weakly: Bool, strongly: Bool) throws {
        let list = try #require(ETagList(header))
        #expect(list.matchesWeakly(EntityTag("a")) == weakly)
        #expect(list.matchesStrongly(EntityTag("a")) == strongly)
    }

    @Test("with malformed entity tags are refused", arguments: ["", ",", "a", "\"a", "\"a\" \"b\"", "w/\"a\"", "\"a\",*", "\"a\u{1}\""])
    func malformedTags(header: String) { #expect(ETagList(header) == nil) }

    @Test("of If-Range allow a part only with the same strong tag")
    func ifRange() {
        let current = EntityTag("a")
        #expect(EntityTag.ifRange(nil, matches: current))
        #expect(EntityTag.ifRange("\"a\"", matches: current))
        #expect(!EntityTag.ifRange("W/\"a\"", matches: current))
        #expect(!EntityTag.ifRange("\"b\"", matches: current))
        #expect(!EntityTag.ifRange("Sun, 06 Nov 1994 08:49:37 GMT", matches: current))
        #expect(EntityTag("x", isWeak: true).description == "W/\"x\"")
    }

    @Test("with dates are rendered", arguments: [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
        (1_709_251_199, "Thu, 29 Feb 2024 23:59:59 GMT"),
        (1_709_251_200, "Fri, 01 Mar 2024 00:00:00 GMT"),
        (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"),
        (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
        (-1, "Wed, 31 Dec 1969 23:59:59 GMT"),
        (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
    ] as [(Int64, String)])
    func date(seconds: Int64, expected: String) {
        #expect(HTTPDate.render(secondsSince1970: seconds) == expected)
        #expect(HTTPDate.parse(expected) == seconds)
    }

    @Test("are read back, whatever day it is")
    func readBack() {
        // Every three weeks from 1896 to 2104, with the centuries that are leap years and those that are not.
        for seconds in stride(from: Int64(-2_335_219_200), through: 4_228_900_000, by: 46_800 * 41) {
            #expect(HTTPDate.parse(HTTPDate.render(secondsSince1970: seconds)) == seconds)
        }
    }

    @Test("that are none are told from others", arguments: [
        "", "Sun, 06 Nov 1994 08:49:37 UTC", "Mon, 06 Nov 1994 08:49:37 GMT", "Sun, 6 Nov 1994 08:49:37 GMT ", "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994", "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Nov -994 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT", "Sun, +6 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:60 GMT", "Sun, 00 Nov 1994 08:49:37 GMT",
    ])
    func none(text: String) { #expect(HTTPDate.parse(text) == nil) }
}

@Suite("Written heads") struct HeadWriterTests {
    @Test("are what goes over the wire")
    func exact() {
        var writer = HeadWriter(.notFound)
        writer.add("Content-Length", 21)
        writer.add("X-Text", "a\tb é")
        writer.add(rendered: Array("Date: x\r\n".utf8))
        #expect(String(decoding: writer.finish(), as: UTF8.self)
            == "HTTP/1.1 404 Not Found\r\nContent-Length: 21\r\nX-Text: a\tb é\r\nDate: x\r\n\r\n")
        var request = HeadWriter(.put, target: "/a%20b?c")
        request.add("Host", "h:80")
        #expect(String(decoding: request.finish(), as: UTF8.self) == "PUT /a%20b?c HTTP/1.1\r\nHost: h:80\r\n\r\n")
    }

    @Test("let no value begin a line of its own")
    func injection() throws {
        var writer = HeadWriter(.ok)
        writer.add("X-Name", "a\r\nSet-Cookie: b\0c\u{7F}")
        let bytes = writer.finish()
        let parsed = try #require(try parseResponse(bytes, arriving: [bytes.count]))
        #expect(parsed.head.header("X-Name") == "a  Set-Cookie: b c")
        #expect(parsed.head.header("Set-Cookie") == nil)
    }
}
