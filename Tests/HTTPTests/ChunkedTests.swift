import HTTP
import Testing

@Suite("Chunked bodies") struct ChunkedTests {
    static let good: [(String, String)] = [
        ("0\r\n\r\n", ""),
        ("5\r\nhello\r\n0\r\n\r\n", "hello"),
        ("5\r\nhello\r\n0006\r\n world\r\n000\r\n\r\n", "hello world"),
        ("a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789"),
        ("5;name=value;x=\"y z\"\r\nhello\r\n0;last\r\n\r\n", "hello"),
        ("5 ; a\r\nhello\r\n0\r\n\r\n", "hello"),
        ("2\r\n\r\n\r\n0\r\n\r\n", "\r\n"),
        ("1\r\nx\r\n0\r\nTrailer: a\r\nOther: b\r\n\r\n", "x"),
    ]

    @Test("decode alike however they arrive", arguments: good)
    func decodes(text: String, expected: String) throws {
        let bytes = Array((text + "GET /").utf8)
        for steps in arrivals(of: bytes.count) {
            let decoded = try #require(try decodeChunked(bytes, arriving: steps))
            #expect(String(decoding: decoded.body, as: UTF8.self) == expected)
            #expect(decoded.byteCount == text.utf8.count)
        }
        let cut = Array(text.utf8.dropLast())
        for steps in arrivals(of: cut.count) { #expect(try decodeChunked(cut, arriving: steps) == nil) }
    }

    static let hostile: [(String, ChunkedError)] = [
        ("\r\n", .malformedSize),
        ("g\r\n", .malformedSize),
        ("-1\r\n", .malformedSize),
        ("0x5\r\n", .malformedSize),
        (" 5\r\n", .malformedSize),
        ("5 \r\nhello", .malformedSize),
        ("5 5\r\nhello", .malformedSize),
        ("5\nhello", .missingLineEnd),
        ("5\rhello", .missingLineEnd),
        ("5\r\nhelloo\r\n", .missingLineEnd),
        ("5\r\nhello\n0\r\n\r\n", .missingLineEnd),
        ("5\r\nhello\r0\r\n\r\n", .missingLineEnd),
        ("5;a\n\r\n", .missingLineEnd),
        ("5;a\rb\r\n", .missingLineEnd),
        ("5;a\0\r\n", .controlCharacter),
        ("8000000000000000\r\n", .sizeTooLarge),
        ("fffffffffffffffff\r\n", .sizeTooLarge),
        ("00000000000000005\r\n", .sizeTooLarge),
        ("0\r\nA: b\n\r\n", .missingLineEnd),
        ("0\r\nA: b\r\r\n", .missingLineEnd),
        ("0\r\nA: \u{1}\r\n\r\n", .controlCharacter),
        ("0\r\n\rx", .missingLineEnd),
        ("0\r\n\n", .missingLineEnd),
        ("0\r\nGET / HTTP/1.1\r\n\r\n", .malformedTrailer),
        ("0\r\nA: b\r\n c\r\n\r\n", .malformedTrailer),
        ("0\r\n: b\r\n\r\n", .malformedTrailer),
        ("0\r\nA\r\n\r\n", .malformedTrailer),
    ]

    @Test("that are hostile are refused alike however they arrive", arguments: hostile)
    func refuses(text: String, expected: ChunkedError) {
        let bytes = Array(text.utf8)
        for steps in arrivals(of: bytes.count) {
            #expect(throws: expected) { _ = try decodeChunked(bytes, arriving: steps) }
        }
    }

    @Test("may announce the largest chunk that fits")
    func largest() throws {
        let bytes = Array("7fffffffffffffff\r\nabc".utf8)
        #expect(try decodeChunked(bytes, arriving: [bytes.count]) == nil)
    }

    @Test("have bounded extensions and trailers")
    func bounds() throws {
        let decoder = ChunkedDecoder(extensionBytesMax: 4, trailerBytesMax: 6)
        let fits = Array("1;a\r\nx\r\n1;b\r\nx\r\n0\r\nA: b\r\n\r\n".utf8)
        #expect(try decodeChunked(fits, arriving: [fits.count], decoder: decoder)?.body == Array("xx".utf8))
        #expect(throws: ChunkedError.extensionsTooLong(byteCountMax: 4)) {
            let bytes = Array("1;a\r\nx\r\n1;bc\r\nx\r\n0\r\n\r\n".utf8)
            _ = try decodeChunked(bytes, arriving: [bytes.count], decoder: decoder)
        }
        #expect(throws: ChunkedError.trailersTooLong(byteCountMax: 6)) {
            let bytes = Array("0\r\nA: b\r\nB: c\r\n\r\n".utf8)
            _ = try decodeChunked(bytes, arriving: [bytes.count], decoder: decoder)
        }
    }

    @Test("come back from the encoder as they went in")
    func roundTrip() throws {
        let pieces: [[UInt8]] = [Array("hello".utf8), [], Array(repeating: 7, count: 300), [13, 10]]
        let bytes = pieces.flatMap(ChunkedEncoder.encode) + ChunkedEncoder.end
        let decoded = try #require(try decodeChunked(bytes, arriving: [bytes.count]))
        #expect(decoded.body == pieces.flatMap(\.self))
        #expect(decoded.byteCount == bytes.count)
    }
}
