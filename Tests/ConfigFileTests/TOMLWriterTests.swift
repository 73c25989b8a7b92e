import ConfigFile
import Testing

@Suite("Writing TOML")
struct TOMLWriterTests {
    @Test("A client's configuration comes out as people write it")
    func client() {
        var writer = TOMLWriter()
        writer.comment("Written by login.\n\nEdit freely.")
        writer.value("default-server", "local")
        writer.table(["servers", "local"])
        writer.value("endpoint", "http://localhost:8080")
        writer.value("jobs", 5)
        writer.value("keep", false)
        writer.value("keys", ["a", "b"])
        writer.table(["servers", "a b"])
        #expect(writer.text == """
            # Written by login.
            #
            # Edit freely.
            default-server = "local"

            [servers.local]
            endpoint = "http://localhost:8080"
            jobs = 5
            keep = false
            keys = ["a", "b"]

            [servers."a b"]

            """)
    }

    @Test("Any string without U+0000 is read back as it was", arguments: [
        "", "plain", "\"quoted\" \\ back", "line\nline\r\n\ttab", "\u{1}\u{1F}\u{7F}", "é 漢 🙂 e\u{301}", "'''", "\"\"\"", "a = 1 # no",
        "\u{85}\u{2028}",
    ])
    func roundTrip(text: String) throws {
        var writer = TOMLWriter()
        writer.value("plain", text)
        writer.value("list", [text, text])
        writer.table(["t", text])
        writer.value(text, true)
        let file = try TOMLFile.parse(writer.text, name: "written")
        #expect(try file.root.string("plain").map { Array($0.utf8) } == Array(text.utf8))
        #expect(try file.root.strings("list") == [text, text])
        #expect(try file.root.section("t").section(text).bool(text) == true)
        try file.finish()
    }
}
