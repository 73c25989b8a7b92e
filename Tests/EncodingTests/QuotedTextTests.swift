import Encoding
import Testing

@Suite("A stranger's text in an error")
struct QuotedTextTests {
    @Test("Plain text stands in quotation marks", arguments: ["", "a", "grün", "\"", "日本"])
    func plain(text: String) { #expect(quoted(text) == "\"\(text)\"") }

    @Test("No control character gets through, of Unicode's second block neither", arguments: [
        ("a\nb", "\"a?b\""), ("\u{1B}[31m", "\"?[31m\""), ("\u{9B}31m", "\"?31m\""), ("\0\u{7F}", "\"??\""), ("a\r\nb", "\"a??b\""),
    ])
    func controls(text: String, shown: String) { #expect(quoted(text) == shown) }

    @Test("What is long is cut off, and says so")
    func long() {
        #expect(quoted(String(repeating: "ä", count: 100)) == "\"\(String(repeating: "ä", count: 100))\"")
        #expect(quoted(String(repeating: "ä", count: 101)) == "\"\(String(repeating: "ä", count: 100))…\"")
        #expect(quoted("abc", scalarCountMax: 2) == "\"ab…\"")
    }
}
