import AtticAPI
import Testing

@Suite("Durations in words")
struct DurationWordsTests {
    @Test("Numbers and units add up", arguments: [
        ("0", 0), (" 0 ", 0), ("0s", 0), ("1s", 1), ("90 seconds", 90), ("15 minutes", 900), ("12 hours", 43_200), ("1h", 3600),
        ("2 days", 172_800), ("1 week", 604_800), ("2weeks", 1_209_600), ("3 months", 7_890_048), ("1M", 2_630_016), ("1m", 60), ("1y", 31_557_600),
        ("1 year", 31_557_600), ("2 years 3 days", 63_374_400), ("1h30m", 5400), ("1h 30min 5sec", 5405), ("\t1 hr\t", 3600),
        ("1d 1d", 172_800), ("292271023045 years", 9_223_372_036_844_892_000),
    ] as [(String, Int64)])
    func parsing(text: String, seconds: Int64) throws { #expect(try DurationWords.parse(text) == seconds) }

    @Test("Anything else is refused with what is allowed", arguments: [
        "", " ", "3", "s", "1 fortnight", "-1s", "1.5 hours", "1s 2", "1 s s", "12 Hours", "1ms", "9223372036854775808s",
        "9223372036854775807 hours", "9223372036854775807s 1s", "１s", "1 é", "0 0", "1\u{A0}s",
    ])
    func refused(text: String) {
        do throws(DurationError) {
            _ = try DurationWords.parse(text)
            Issue.record("\(text) was taken")
        } catch {
            #expect(error.description.hasSuffix(DurationWords.allowed))
        }
    }

    @Test("The reason is said")
    func reasons() {
        func reason(_ text: String) -> String? {
            do throws(DurationError) { _ = try DurationWords.parse(text); return nil } catch { return error.reason }
        }
        #expect(reason("3") == "needs a unit after 3")
        #expect(reason("1 fortnight") == "\"fortnight\" is no unit")
        #expect(reason("1s x") == "expected a whole number at character 4")
    }

    @Test("Words are read back as the same seconds", arguments: [
        (0, "0 seconds"), (1, "1 second"), (90, "1 minute 30 seconds"), (604_800, "7 days"), (7_890_048, "3 months"),
        (31_557_600, "1 year"), (63_374_400, "2 years 3 days"), (86_399, "23 hours 59 minutes 59 seconds"),
    ] as [(Int64, String)])
    func words(seconds: Int64, words: String) throws {
        #expect(DurationWords.words(seconds) == words)
        #expect(try DurationWords.parse(words) == seconds)
    }
}
