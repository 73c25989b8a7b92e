import HTTP
import Testing

@Suite("Response heads") struct ResponseParserTests {
    static let good: [(String, Int, ResponseFraming, Bool)] = [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 200, .contentLength(5), true),
        ("HTTP/1.1 200\r\nContent-Length: 5\r\n\r\n", 200, .contentLength(5), true),
        ("HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n", 200, .chunked, true),
        ("HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n", 404, .untilClose, false),
        ("HTTP/1.0 200 OK\r\n\r\n", 200, .untilClose, false),
        ("HTTP/1.1 100 Continue\r\n\r\n", 100, .none, true),
        ("HTTP/1.1 204 No Content\r\n\r\n", 204, .none, true),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", 304, .none, true),
        ("HTTP/1.1 599 Wei\u{DF} nicht\r\nContent-Length: 0\r\n\r\n", 599, .contentLength(0), true),
    ]

    @Test("are read alike however they arrive", arguments: good)
    func arrives(text: String, code: Int, framing: ResponseFraming, keepsAlive: Bool) throws {
        let bytes = Array((text + "body").utf8)
        for steps in arrivals(of: bytes.count) {
            let parsed = try #require(try parseResponse(bytes, arriving: steps))
            #expect(parsed.byteCount == text.utf8.count)
            #expect(parsed.head.status.code == code)
            #expect(parsed.head.bodyFraming(answering: .get) == framing)
            #expect(parsed.head.bodyFraming(answering: .head) == .none)
            #expect(parsed.head.keepsAlive == keepsAlive)
        }
    }

    static let hostile: [(String, ParseError)] = [
        ("HTTP/1.1 20 OK\r\n\r\n", .malformedStartLine(at: 11)),
        ("HTTP/1.1 2000 OK\r\n\r\n", .malformedStartLine(at: 12)),
        ("HTTP/1.1 099 OK\r\n\r\n", .malformedStartLine(at: 9)),
        ("HTTP/1.1  200 OK\r\n\r\n", .malformedStartLine(at: 9)),
        ("HTTP/1.1 200 O\u{1}K\r\n\r\n", .malformedStartLine(at: 14)),
        ("HTTP/2.0 200 OK\r\n\r\n", .unsupportedVersion),
        ("HTTP/1.1\r\n\r\n", .malformedStartLine(at: 0)),
        ("ICY 200 OK\r\n\r\n", .malformedStartLine(at: 0)),
        ("HTTP/1.1 200 OK\n\n", .malformedField(.bareLineFeed, at: 15)),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", .ambiguousFraming(.repeatedLength)),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", .ambiguousFraming(.lengthAndCoding)),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", .unknownTransferCoding),
        ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", .ambiguousFraming(.codingInOldVersion)),
    ]

    @Test("that are hostile are refused alike however they arrive", arguments: hostile)
    func refuses(text: String, expected: ParseError) {
        let bytes = Array(text.utf8)
        for steps in arrivals(of: bytes.count) {
            #expect(throws: expected) { _ = try parseResponse(bytes, arriving: steps) }
        }
    }

    @Test("that are interim are followed by the final one")
    func interim() throws {
        let bytes = Array("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\nETag: \"x\"\r\n\r\n".utf8)
        let first = try #require(try parseResponse(bytes, arriving: [bytes.count]))
        #expect(first.head.status.isInterim)
        let rest = Array(bytes[first.byteCount...])
        let second = try #require(try parseResponse(rest, arriving: [rest.count]))
        #expect(second.head.status == .ok)
        #expect(second.head.reason == "OK")
        #expect(second.head.header("etag") == "\"x\"")
    }
}
