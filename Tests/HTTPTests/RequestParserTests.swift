import HTTP
import Testing

@Suite("Request heads") struct RequestParserTests {
    struct Good: Sendable, CustomTestStringConvertible {
        let text: String
        var method = Method.get
        var path = "/"
        var query: String?
        var framing = BodyFraming.none
        var keepsAlive = true
        var expectsContinue = false
        var authority: String? = "h"
        var testDescription: String { text.debugDescription }
    }

    static let good: [Good] = [
        Good(text: "GET / HTTP/1.1\r\nHost: h\r\n\r\n"),
        Good(text: "\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"),
        Good(text: "GET / HTTP/1.1\r\nHOST:h\r\n\r\n"),
        Good(text: "GET / HTTP/1.1\r\nHost: \t h \t\r\n\r\n"),
        Good(text: "HEAD /a/b?c=d&e HTTP/1.1\r\nHost: h\r\n\r\n", method: .head, path: "/a/b", query: "c=d&e"),
        Good(text: "GET /? HTTP/1.1\r\nHost: h\r\n\r\n", query: ""),
        Good(text: "GET /?a?b/../c HTTP/1.1\r\nHost: h\r\n\r\n", query: "a?b/../c"),
        Good(text: "PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 12\r\n\r\n", method: .put, path: "/x", framing: .contentLength(12)),
        Good(text: "PUT /x HTTP/1.1\r\nHost: h\r\ncontent-length:0\r\n\r\n", method: .put, path: "/x", framing: .contentLength(0)),
        Good(
            text: "PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 9223372036854775807\r\n\r\n", method: .put, path: "/x",
            framing: .contentLength(.max)),
        Good(text: "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", method: .post, path: "/x", framing: .chunked),
        Good(text: "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\tCHUNKED \r\n\r\n", method: .post, path: "/x", framing: .chunked),
        Good(
            text: "PATCH /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nExpect: 100-Continue\r\n\r\n", method: .patch,
            path: "/x", framing: .chunked, expectsContinue: true),
        Good(text: "GET / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\r\n"),
        Good(text: "DELETE / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", method: .delete, keepsAlive: false),
        Good(text: "GET / HTTP/1.1\r\nHost: h\r\nConnection: x, Close\r\n\r\n", keepsAlive: false),
        Good(text: "GET / HTTP/1.0\r\n\r\n", keepsAlive: false, authority: nil),
        Good(text: "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", authority: nil),
        Good(
            text: "PUT / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n", method: .put,
            framing: .contentLength(3), keepsAlive: false, authority: nil),
        Good(text: "GET / HTTP/1.7\r\nHost: h\r\n\r\n"),
        Good(text: "GET / HTTP/1.1\r\nHost:\r\n\r\n", authority: nil),
        Good(text: "GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", authority: "[::1]:8080"),
        Good(text: "GET / HTTP/1.1\r\nHost: [::ffff:1.2.3.4]\r\n\r\n", authority: "[::ffff:1.2.3.4]"),
        Good(text: "GET / HTTP/1.1\r\nHost: a_b.c-d.:65535\r\n\r\n", authority: "a_b.c-d.:65535"),
        Good(text: "GET http://other:80/a HTTP/1.1\r\nHost: h\r\n\r\n", path: "/a", authority: "other:80"),
        Good(text: "GET HTTPS://other?q HTTP/1.1\r\nHost: h\r\n\r\n", query: "q", authority: "other"),
        Good(text: "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", method: .options, path: "*"),
        Good(text: "get / HTTP/1.1\r\nHost: h\r\n\r\n", method: .other),
        Good(text: "GET / HTTP/1.1\r\nHost: h\r\nX-Empty:\r\nX-Text: a\tb \u{E9}\r\n\r\n"),
    ]

    @Test("are read alike however they arrive", arguments: good)
    func arrives(good: Good) throws {
        let head = Array(good.text.utf8)
        // What follows belongs to someone else and must not matter.
        let bytes = head + Array("more\n".utf8)
        for steps in arrivals(of: bytes.count) {
            let parsed = try #require(try parseRequest(bytes, arriving: steps))
            #expect(parsed.byteCount == head.count)
            #expect(parsed.head.method == good.method)
            #expect(parsed.head.target.path == good.path)
            #expect(parsed.head.target.query == good.query)
            #expect(parsed.head.bodyFraming == good.framing)
            #expect(parsed.head.keepsAlive == good.keepsAlive)
            #expect(parsed.head.expectsContinue == good.expectsContinue)
            #expect(parsed.head.authority == good.authority)
        }
    }

    @Test("wait while a byte is missing", arguments: good)
    func waits(good: Good) throws {
        let bytes = Array(good.text.utf8.dropLast())
        for steps in arrivals(of: bytes.count) { #expect(try parseRequest(bytes, arriving: steps) == nil) }
    }

    static let hostile: [(String, ParseError)] = [
        (" GET / HTTP/1.1\r\nHost: h\r\n\r\n", .malformedStartLine(at: 0)),
        ("GET / HTTP/1.1 \r\nHost: h\r\n\r\n", .malformedStartLine(at: 15)),
        ("GET  / HTTP/1.1\r\nHost: h\r\n\r\n", .malformedTarget(.unknownForm)),
        ("GET /  HTTP/1.1\r\nHost: h\r\n\r\n", .malformedTarget(.forbiddenByte)),
        ("GET /\r\n\r\n", .malformedStartLine(at: 5)),
        ("GET\r\n\r\n", .malformedStartLine(at: 3)),
        ("G\u{7F}T / HTTP/1.1\r\n\r\n", .malformedStartLine(at: 1)),
        ("GET / http/1.1\r\n\r\n", .malformedStartLine(at: 6)),
        ("GET / HTTP/11\r\n\r\n", .malformedStartLine(at: 13)),
        ("GET / HTTP/2.0\r\n\r\n", .unsupportedVersion),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", .unsupportedVersion),
        ("GET / HTTP/0.9\r\n\r\n", .unsupportedVersion),
        ("GET * HTTP/1.1\r\nHost: h\r\n\r\n", .malformedTarget(.unknownForm)),
        ("CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n", .malformedTarget(.unknownForm)),
        ("GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n", .malformedTarget(.unknownForm)),
        ("GET http:///a HTTP/1.1\r\nHost: h\r\n\r\n", .malformedTarget(.badAuthority)),
        ("GET http://u@h/a HTTP/1.1\r\nHost: h\r\n\r\n", .malformedTarget(.badAuthority)),
        ("GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n", .malformedTarget(.forbiddenByte)),
        ("GET /\u{E9} HTTP/1.1\r\nHost: h\r\n\r\n", .malformedTarget(.forbiddenByte)),
        ("GET /a/../b HTTP/1.1\r\nHost: h\r\n\r\n", .malformedTarget(.dotSegment)),
        ("GET /. HTTP/1.1\r\nHost: h\r\n\r\n", .malformedTarget(.dotSegment)),
        ("GET /a/%2e%2E HTTP/1.1\r\nHost: h\r\n\r\n", .malformedTarget(.dotSegment)),
        ("GET /a/.%2e/b HTTP/1.1\r\nHost: h\r\n\r\n", .malformedTarget(.dotSegment)),
        ("GET http://h/a/.. HTTP/1.1\r\nHost: h\r\n\r\n", .malformedTarget(.dotSegment)),
        ("GET /a%2Fb HTTP/1.1\r\nHost: h\r\n\r\n", .malformedTarget(.forbiddenEscape)),
        ("GET /a%00 HTTP/1.1\r\nHost: h\r\n\r\n", .malformedTarget(.forbiddenEscape)),
        ("GET /a%0d%0aX HTTP/1.1\r\nHost: h\r\n\r\n", .malformedTarget(.forbiddenEscape)),
        ("GET /a%4 HTTP/1.1\r\nHost: h\r\n\r\n", .malformedTarget(.badEscape)),
        ("GET /a%4/b HTTP/1.1\r\nHost: h\r\n\r\n", .malformedTarget(.badEscape)),
        ("GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n", .malformedTarget(.badEscape)),
        ("GET /% HTTP/1.1\r\nHost: h\r\n\r\n", .malformedTarget(.badEscape)),
        ("GET /%ff HTTP/1.1\r\nHost: h\r\n\r\n", .malformedTarget(.notUnicode)),
        ("GET /%c0%ae HTTP/1.1\r\nHost: h\r\n\r\n", .malformedTarget(.notUnicode)),
        ("GET / HTTP/1.1\n\n", .malformedField(.bareLineFeed, at: 14)),
        ("\n", .malformedField(.bareLineFeed, at: 0)),
        ("GET / HTTP/1.1\r\nHost: h\n\r\n", .malformedField(.bareLineFeed, at: 23)),
        ("GET / HTTP/1.1\r\nHost: h\r\n\n", .malformedField(.bareLineFeed, at: 25)),
        ("GET / HTTP/1.1\r\nHost: h\rX: y\r\n\r\n", .malformedField(.controlCharacter, at: 23)),
        ("GET / HTTP/1.1\r\nHost: h\r\nA: b\r\r\n\r\n", .malformedField(.controlCharacter, at: 29)),
        ("GET / HTTP/1.1\r\nHost: h\r\nA: b\0c\r\n\r\n", .malformedField(.controlCharacter, at: 29)),
        ("GET / HTTP/1.1\r\nHost: h\r\nA: 1234567890\u{7F}c\r\n\r\n", .malformedField(.controlCharacter, at: 38)),
        ("GET / HTTP/1.1\r\nHost: h\r\n folded: x\r\n\r\n", .malformedField(.foldedLine, at: 25)),
        ("GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n\tc\r\n\r\n", .malformedField(.foldedLine, at: 31)),
        ("GET / HTTP/1.1\r\nHost : h\r\n\r\n", .malformedField(.spaceBeforeColon, at: 20)),
        ("GET / HTTP/1.1\r\nHost: h\r\n: x\r\n\r\n", .malformedField(.badName, at: 25)),
        ("GET / HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n", .malformedField(.spaceBeforeColon, at: 27)),
        ("GET / HTTP/1.1\r\nHost: h\r\nnocolon\r\n\r\n", .malformedField(.badName, at: 32)),
        ("GET / HTTP/1.1\r\nHost: h\r\nA(b): c\r\n\r\n", .malformedField(.badName, at: 26)),
        ("GET / HTTP/1.1\r\n\r\n", .missingHost),
        ("GET / HTTP/1.1\r\nHost: h\r\nhost: h\r\n\r\n", .repeatedHost),
        ("GET / HTTP/1.0\r\nHost: h\r\nhost: h\r\n\r\n", .repeatedHost),
        ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", .malformedHost),
        ("GET / HTTP/1.1\r\nHost: u@h\r\n\r\n", .malformedHost),
        ("GET / HTTP/1.1\r\nHost: h,i\r\n\r\n", .malformedHost),
        ("GET / HTTP/1.1\r\nHost: :80\r\n\r\n", .malformedHost),
        ("GET / HTTP/1.1\r\nHost: h:65536\r\n\r\n", .malformedHost),
        ("GET / HTTP/1.1\r\nHost: h:000080\r\n\r\n", .malformedHost),
        ("GET / HTTP/1.1\r\nHost: h:8o\r\n\r\n", .malformedHost),
        ("GET / HTTP/1.1\r\nHost: a:1:2\r\n\r\n", .malformedHost),
        ("GET / HTTP/1.1\r\nHost: ::1\r\n\r\n", .malformedHost),
        ("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", .malformedHost),
        ("GET / HTTP/1.1\r\nHost: []\r\n\r\n", .malformedHost),
        ("GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n", .malformedHost),
        ("GET http://a,b/ HTTP/1.1\r\nHost: h\r\n\r\n", .malformedTarget(.badAuthority)),
        ("GET / HTTP/1.1\r\nHost: h\r\nAuthorization: a\r\nauthorization: a\r\n\r\n", .repeatedCredentials),
        ("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: , chunked\r\n\r\n", .ambiguousFraming(.malformedCoding)),
        ("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked,\r\n\r\n", .ambiguousFraming(.malformedCoding)),
        ("GET / HTTP/1.1\r\nHost: h/x\r\n\r\n", .malformedHost),
        ("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", .ambiguousFraming(.lengthAndCoding)),
        ("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: x\r\nContent-Length: 1\r\n\r\n", .ambiguousFraming(.lengthAndCoding)),
        ("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", .ambiguousFraming(.repeatedLength)),
        ("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", .ambiguousFraming(.repeatedLength)),
        ("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1, 1\r\n\r\n", .ambiguousFraming(.repeatedLength)),
        ("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\n", .ambiguousFraming(.malformedLength)),
        ("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", .ambiguousFraming(.malformedLength)),
        ("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 0x1\r\n\r\n", .ambiguousFraming(.malformedLength)),
        ("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1 2\r\n\r\n", .ambiguousFraming(.malformedLength)),
        ("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length:\r\n\r\n", .ambiguousFraming(.malformedLength)),
        ("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 9223372036854775808\r\n\r\n", .ambiguousFraming(.malformedLength)),
        ("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", .unknownTransferCoding),
        ("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: identity\r\n\r\n", .unknownTransferCoding),
        ("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked;q=1\r\n\r\n", .unknownTransferCoding),
        ("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n", .unknownTransferCoding),
        ("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, chunked\r\n\r\n", .ambiguousFraming(.malformedCoding)),
        ("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", .ambiguousFraming(.malformedCoding)),
        ("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\r\n\r\n", .ambiguousFraming(.malformedCoding)),
        ("PUT / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", .ambiguousFraming(.codingInOldVersion)),
    ]

    @Test("that are hostile are refused alike however they arrive", arguments: hostile)
    func refuses(text: String, expected: ParseError) {
        let bytes = Array(text.utf8)
        for steps in arrivals(of: bytes.count) {
            #expect(throws: expected) { _ = try parseRequest(bytes, arriving: steps) }
        }
    }

    @Test("of TLS are refused at the first byte")
    func refusesTLS() {
        #expect(throws: ParseError.malformedStartLine(at: 0)) {
            _ = try parseRequest([0x16, 0x03, 0x01], arriving: [1, 2, 3])
        }
    }

    @Test("above the limits are refused, and those that just fit are not")
    func limits() throws {
        let text = "GET /0123456789 HTTP/1.1\r\nHost: h\r\nA: b\r\n\r\n"
        let bytes = Array(text.utf8)
        let exact = HeadLimits(headBytesMax: bytes.count, headerCountMax: 2)
        let short = HeadLimits(headBytesMax: bytes.count - 1, headerCountMax: 2)
        let tiny = HeadLimits(headBytesMax: 20, headerCountMax: 2)
        let few = HeadLimits(headBytesMax: 1000, headerCountMax: 1)
        for steps in arrivals(of: bytes.count) {
            #expect(try parseRequest(bytes, arriving: steps, limits: exact) != nil)
            #expect(throws: ParseError.headTooLarge(byteCountMax: bytes.count - 1)) {
                _ = try parseRequest(bytes, arriving: steps, limits: short)
            }
            #expect(throws: ParseError.startLineTooLong(byteCountMax: 20)) {
                _ = try parseRequest(bytes, arriving: steps, limits: tiny)
            }
            #expect(throws: ParseError.tooManyFields(countMax: 1)) {
                _ = try parseRequest(bytes, arriving: steps, limits: few)
            }
        }
        #expect(ParseError.headTooLarge(byteCountMax: 1).status.code == 431)
        #expect(ParseError.startLineTooLong(byteCountMax: 1).status.code == 414)
        #expect(ParseError.unknownTransferCoding.status.code == 501)
        #expect(ParseError.unsupportedVersion.status.code == 505)
    }

    @Test("that follow one another are read by one parser")
    func pipelined() throws {
        let bytes = Array("GET /a HTTP/1.1\r\nHost: h\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\nX: y\r\n\r\n".utf8)
        var parser = RequestParser(limits: .standard)
        var paths: [String] = []
        var start = 0
        while start < bytes.count {
            let outcome = try unsafe bytes.span.extracting(start..<bytes.count).withUnsafeBytes { seen throws(ParseError) in
                try unsafe parser.parse(seen)
            }
            guard case .head(let head, let byteCount) = outcome else { break }
            paths.append(head.target.path)
            start += byteCount
        }
        #expect(paths == ["/a", "/b"])
        #expect(start == bytes.count)
    }

    @Test("give headers by name in any case, joined where they are repeated")
    func lookup() throws {
        let head = try RequestHead(
            parsing: "BREW /a HTTP/1.1\r\nHost: h\r\nX-One: 1\r\nx-one:  2 \r\nAuthorization: Bearer abc\r\nX-Empty:\r\n\r\n")
        #expect(head.methodName == "BREW")
        #expect(head.header("AUTHORIZATION") == "Bearer abc")
        #expect(head.header("x-One") == "1, 2")
        #expect(head.headerValues("X-ONE") == ["1", "2"])
        #expect(head.header("X-Empty") == "")
        #expect(head.header("X-On") == nil)
        #expect(head.hasHeader("host"))
        #expect(unsafe head.withHeader("authorization") { unsafe Array($0) } == Array("Bearer abc".utf8))
        #expect(head.headers.map(\.name) == ["Host", "X-One", "x-one", "Authorization", "X-Empty"])
        #expect(head.headers.map(\.value) == ["h", "1", "2", "Bearer abc", ""])
    }

    @Test("judge names byte by byte wherever a byte stands")
    func everyByteOfAName() throws {
        let others = Array("!#$%&'*+-.^_`|~".utf8)
        for byte in UInt8.min ... .max where byte != UInt8(ascii: ":") {
            let isToken = (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte) || others.contains(byte)
            for position in 0..<19 {
                var name = [UInt8](repeating: position % 2 == 0 ? UInt8(ascii: "b") : UInt8(ascii: "Z"), count: 19)
                name[position] = byte
                let bytes = Array("GET / HTTP/1.1\r\nHost: h\r\n".utf8) + name + Array(": v\r\n\r\n".utf8)
                var parser = RequestParser(limits: .standard)
                let outcome = try? unsafe bytes.withUnsafeBytes { try unsafe parser.parse($0) }
                if case .head(let head, _) = outcome {
                    #expect(isToken && head.headerValues(String(decoding: name, as: UTF8.self)) == ["v"], "byte \(byte) at \(position)")
                } else {
                    #expect(!isToken, "byte \(byte) at \(position)")
                }
            }
        }
    }

    @Test("judge values byte by byte wherever a byte stands", arguments: [1, 7, 8, 9, 15, 16, 19])
    func everyByteOfAValue(byteCount: Int) {
        for byte in UInt8.min ... .max {
            let isAllowed = byte >= 0x20 && byte != 0x7f || byte == 0x09
            for position in 0..<byteCount {
                var value = [UInt8](repeating: UInt8(ascii: "b"), count: byteCount)
                value[position] = byte
                let bytes = Array("GET / HTTP/1.1\r\nHost: h\r\nX:".utf8) + value + Array("\r\n\r\n".utf8)
                var parser = RequestParser(limits: .standard)
                let outcome = try? unsafe bytes.withUnsafeBytes { try unsafe parser.parse($0) }
                #expect((outcome != nil) == isAllowed, "byte \(byte) at \(position)")
            }
        }
    }

    @Test("leave one another alone in the same space, held or not")
    func sharedSpace() throws {
        var parser = RequestParser(limits: .standard)
        var space = HeadSpace()
        var held: [RequestHead] = []
        for number in 0..<6 {
            let text = "GET /\(number)\(String(repeating: "x", count: number * 40)) HTTP/1.1\r\nHost: h\(number)\r\nX: \(number)\r\n\r\n"
            // In two pieces every other time.
            let bytes = Array(text.utf8)
            if number % 2 == 1 {
                let part = try unsafe bytes.withUnsafeBytes { try unsafe parser.parse(.init(rebasing: $0[..<30]), space: &space) }
                guard case .incomplete = part else { throw ParseError.truncated }
            }
            guard case .head(let head, bytes.count) = try unsafe bytes.withUnsafeBytes({ try unsafe parser.parse($0, space: &space) })
            else { throw ParseError.truncated }
            #expect(head.header("X") == "\(number)" && head.header("Host") == "h\(number)")
            if number % 3 != 2 { held.append(head) }
        }
        #expect(held.map { $0.header("X") } == ["0", "1", "3", "4"])
        #expect(held.map { $0.target.path.utf8.prefix(2).map(\.self) } == ["/0", "/1", "/3", "/4"].map { Array($0.utf8) })
        #expect(held.map { $0.headers.count } == [2, 2, 2, 2])
    }

    @Test("give method and path back as they were sent, and nothing of a query", arguments: [
        ("GET /a%20/b?c=%20", "GET /a%20/b?..."), ("OPTIONS *", "OPTIONS *"), ("BREW http://h?q", "BREW /?..."), ("HEAD http://h/a", "HEAD /a"),
    ])
    func request(line: String, expected: String) throws {
        var bytes: [UInt8] = []
        try RequestHead(parsing: "\(line) HTTP/1.1\r\nHost: h\r\n\r\n").appendRequest(to: &bytes)
        #expect(String(decoding: bytes, as: UTF8.self) == expected)
    }
}
