import Compression
import HTTP
import HTTPServer
import Testing

@testable import AtticServer

@Suite struct CodedTextTests {
    private let text = Array(String(repeating: "the same line again\n", count: 100).utf8)
    private let tag = EntityTag("abc")

    private func head(_ lines: String) throws -> RequestHead {
        try RequestHead(parsing: "GET / HTTP/1.1\r\nHost: h\r\n\(lines)\r\n")
    }

    @Test("A text is sent in what the client takes, under a tag of its own", arguments: [
        ("", ContentCoding.identity, "\"abc\""),
        ("Accept-Encoding: gzip\r\n", .gzip, "W/\"abc-gzip\""),
        ("Accept-Encoding: gzip\r\nAccept-Encoding: zstd\r\n", .zstd, "W/\"abc-zstd\""),
    ])
    func codings(lines: String, coding: ContentCoding, tag: String) throws {
        let stored = StreamEncoder.encode(text, .zstd, level: 3)
        let head = try head(lines)
        for text in [CodedText(text, tag: self.tag, for: head), try CodedText(zstd: stored, byteCount: text.count, tag: self.tag, for: head)] {
            let response = text.response(to: head, contentType: "text/plain", headers: [("X", "y")])
            let encoding = coding == .identity ? [] : [("Content-Encoding", coding.rawValue)]
            let expected = [("Content-Type", "text/plain"), ("ETag", tag), ("Vary", "Accept-Encoding")] + encoding + [("X", "y")]
            #expect(response.status == .ok && response.headers.map { "\($0)" } == expected.map { "\($0)" })
            guard case .bytes(let bytes) = response.body else {
                Issue.record("no bytes")
                return
            }
            #expect((bytes.count < self.text.count / 10) == (coding != .identity))
            let plain = try StreamDecoder.decode(bytes, try #require(StreamCoding(contentCoding: coding.rawValue)), outputByteCountMax: 2000)
            #expect(plain == self.text)
        }
    }

    @Test func whoHasItAlreadyIsToldSo() throws {
        for (known, status) in [("W/\"abc-gzip\"", Status.notModified), ("\"abc-gzip\"", .notModified), ("\"abc\"", .ok), ("W/\"abc-zstd\"", .ok)] {
            let head = try head("Accept-Encoding: gzip\r\nIf-None-Match: \(known)\r\n")
            let response = CodedText(text, tag: tag, for: head).response(to: head, contentType: "text/plain")
            #expect(response.status == status)
            #expect(response.headers.contains { $0 == ("Vary", "Accept-Encoding") })
        }
    }

    @Test func whatIsShortOrDoesNotShrinkStaysAsItIs() throws {
        let head = try head("Accept-Encoding: gzip, zstd\r\n")
        let short = Array(text.prefix(1023))
        for coded in [
            CodedText(short, tag: tag, for: head),
            try CodedText(zstd: StreamEncoder.encode(short, .zstd), byteCount: 1023, tag: tag, for: head),
        ] {
            #expect(coded.coding == .identity && coded.response(to: head, contentType: "text/plain").bytes == short)
            #expect(coded.headers.map { "\($0)" } == [("ETag", "\"abc\"")].map { "\($0)" })
        }
        var random = SystemRandomNumberGenerator()
        let noise = (0..<2000).map { _ in UInt8.random(in: 0...255, using: &random) }
        let coded = CodedText(noise, tag: tag, for: head)
        #expect(coded.coding == .identity && coded.response(to: head, contentType: "text/plain").bytes == noise && coded.headers.count == 2)
    }

    @Test("A long text that is kept compressed comes while it is opened, in any coding", arguments: ["", "gzip", "zstd"])
    func long(accepted: String) throws {
        let text = Array((0..<(Bounds.wholeTextBytesMax / 8 + 1)).map { String($0 + 1_000_000) + "\n" }.joined().utf8)
        let head = try head("Accept-Encoding: \(accepted)\r\n")
        let coded = try CodedText(zstd: StreamEncoder.encode(text, .zstd), byteCount: text.count, tag: tag, for: head)
        #expect(coded.coding.rawValue == (accepted.isEmpty ? "identity" : accepted))
        #expect(coded.body.byteCount == (accepted == "gzip" ? nil : accepted.isEmpty ? Int64(text.count) : coded.body.byteCount))
        let bytes = coded.response(to: head, contentType: "text/plain").bytes
        let coding = try #require(StreamCoding(contentCoding: accepted))
        #expect(try StreamDecoder.decode(bytes, coding, outputByteCountMax: text.count) == text)
    }

    @Test func aLongTextThatIsDamagedBreaksOff() throws {
        let text = [UInt8](repeating: 7, count: Bounds.wholeTextBytesMax + 1)
        for stored in [StreamEncoder.encode(text, .zstd).dropLast(), StreamEncoder.encode(text + [1], .zstd)[...], StreamEncoder.encode(text.dropLast(), .zstd)[...]] {
            for lines in ["", "Accept-Encoding: gzip\r\n"] {
                guard case .stream(let byteCount, let produce) = try CodedText(zstd: Array(stored), byteCount: text.count, tag: tag, for: head(lines)).body
                else {
                    Issue.record("it is no stream")
                    continue
                }
                #expect(throws: (any Error).self) { try BodyWriter.bytes(of: produce, byteCount: byteCount) }
            }
        }
    }

    @Test func aStoredTextThatIsDamagedOrTooLongIsSaid() throws {
        let head = try head("")
        let stored = StreamEncoder.encode(text, .zstd)
        #expect(throws: CompressionError.tooLarge(byteCountMax: text.count - 1)) {
            try CodedText(zstd: stored, byteCount: text.count - 1, tag: tag, for: head)
        }
        #expect(throws: CompressionError.truncated) {
            try CodedText(zstd: stored.dropLast(), byteCount: text.count, tag: tag, for: head)
        }
    }
}
