import AtticAPI
import Testing

@Suite("Cache names and patterns")
struct CacheNameTests {
    @Test("A name is letters, digits and - _ +, of which the first is a letter or digit", arguments: [
        "a", "Z9", "0", "a-b_c+d", "hello", String(repeating: "x", count: 50),
    ])
    func names(text: String) {
        #expect(CacheName(text)?.rawValue == text)
        #expect(CacheNamePattern(text)?.rawValue == text)
    }

    @Test("Anything else is no name", arguments: [
        "", "-a", "_a", "+a", "a.b", "a/b", "a b", "a\n", "é", "a\u{301}", "*", "a*", String(repeating: "x", count: 51), "\u{212A}", "a\0",
    ])
    func notNames(text: String) { #expect(CacheName(text) == nil) }

    @Test("Anything else is no pattern", arguments: ["", "-*", "a?", "a.*", "é*", String(repeating: "*", count: 51)])
    func notPatterns(text: String) { #expect(CacheNamePattern(text) == nil) }

    @Test("A star stands for any run of characters, also none", arguments: [
        ("hello", "hello", true), ("hello", "hell", false), ("hello", "helloo", false), ("Hello", "hello", false),
        ("*", "a", true), ("alice-*", "alice-", true), ("alice-*", "alice-x", true), ("alice-*", "alice", false),
        ("*-ci", "team-ci", true), ("*-ci", "team-ci2", false), ("*-ci", "x-ci-ci", true), ("a*b*c", "abc", true),
        ("a*b*c", "aXbYbZc", true), ("a*b*c", "acb", false), ("**", "x", true), ("a**", "a", true), ("*a*", "bab", true),
        ("*a*", "bbb", false), ("a*a", "a", false), ("a*a", "aa", true),
    ])
    func matching(pattern: String, name: String, matches: Bool) throws {
        #expect(try #require(CacheNamePattern(pattern)).matches(#require(CacheName(name))) == matches)
    }

    @Test("The longest tangle of stars against the longest name is decided")
    func tangle() throws {
        let pattern = try #require(CacheNamePattern(String(repeating: "*a", count: 24) + "*b"))
        #expect(!pattern.matches(try #require(CacheName(String(repeating: "a", count: 50)))))
    }
}
