import Platform
import Testing

@Suite("Text of strangers")
struct ForeignTextTests {
    @Test("is shown with its control characters written out", arguments: [
        ("plain text, é, 木, ✅, 🗑️, a\\b", "plain text, é, 木, ✅, 🗑️, a\\b"), ("", ""),
        ("a\nINFO all is well", "a\\nINFO all is well"), ("a\r\n\tb", "a\\r\\n\\tb"), ("\u{1B}[2J\u{1B}]0;title\u{7}", "\\u{1b}[2J\\u{1b}]0;title\\u{7}"),
        ("\u{9B}31m", "\\u{9b}31m"), ("a\0b\u{7F}", "a\\u{0}b\\u{7f}"), ("\u{202E}gpj.exe", "\\u{202e}gpj.exe"), ("a\u{2028}b\u{85}c", "a\\u{2028}b\\u{85}c"),
        ("\u{2066}x\u{2069}\u{200F}", "\\u{2066}x\\u{2069}\\u{200f}"),
    ])
    func escaped(text: String, expected: String) {
        #expect(text.escapingControls() == expected)
        #expect(!text.escapingControls().unicodeScalars.contains { $0.actsOnTerminals })
    }

    @Test("keeps the line ends that were put between its lines, where that is said")
    func lines() {
        #expect("a\nb\r\u{1B}[m\n".escapingControls(keepingLineEnds: true) == "a\nb\\r\\u{1b}[m\n")
    }
}
