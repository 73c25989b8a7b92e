import S3
import Testing

@Suite struct S3DocumentTests {
    @Test func `a list is read with what is nested and what is empty`() throws {
        let text = """
            <?xml version="1.0" encoding="UTF-8"?>
            <ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix/>
            <Contents><Key>packs/a &amp; &#x62;&#99;</Key><Size>12</Size></Contents><Contents><Key>two</Key></Contents>
            <IsTruncated>false</IsTruncated></ListBucketResult>
            """
        let root = try #require(S3Document(Array(text.utf8))).root
        #expect(root.name == "ListBucketResult")
        #expect(root.text(of: "Prefix") == "")
        #expect(root.all("Contents").map { $0.text(of: "Key") } == ["packs/a & bc", "two"])
        #expect(root.text(of: "IsTruncated") == "false")
    }

    @Test("what is no document is none", arguments: [
        "", "<", "<a>", "<a></b>", "plain", "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>", "<a>&nbsp;</a>", "<a>&#xD800;</a>",
        String(repeating: "<a>", count: 20) + String(repeating: "</a>", count: 20),
    ])
    func refused(text: String) { #expect(S3Document(Array(text.utf8)) == nil) }

    @Test func `what is cut anywhere is none`() {
        let text = Array("<Error><Code>SlowDown</Code></Error>".utf8)
        for length in 0..<text.count { #expect(S3Document(Array(text[..<length])) == nil) }
        #expect(S3Document(text)?.root.text(of: "Code") == "SlowDown")
    }

    @Test("a text that was escaped is read as it was", arguments: [
        "a<b>&\"c",
        // Marks that combine with what stands before them.
        "<\u{353}", "&\u{353}", ">\u{353}a;\u{353}", "\u{353}",
    ])
    func escaped(text: String) {
        let escaped = S3Document.escaped(text)
        #expect(!escaped.utf8.contains(UInt8(ascii: "<")))
        let read = S3Document(Array("<k>\(escaped)</k>".utf8))?.root.text
        #expect(read.map { Array($0.utf8) } == Array(text.utf8))
    }
}
