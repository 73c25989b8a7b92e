import Testing

@testable import ConfigFile

@Suite("TOML 1.0.0, as the specification has it")
struct TOMLParserTests {
    /// The document in one line: keys sorted, strings in quotes.
    private func read(_ text: String) throws(ConfigFileError) -> String {
        var parser = TOMLParser(text, name: "a.toml")
        return Self.shown(.table(try parser.document()))
    }

    private static func shown(_ node: TOMLNode) -> String {
        switch node {
        case .string(let text): "\"\(text)\""
        case .integer(let number): "\(number)"
        case .number(let number): "\(number)"
        case .bool(let truth): "\(truth)"
        case .moment: "moment"
        case .array(let nodes): "[\(nodes.map(shown).joined(separator: " "))]"
        case .table(let members): "{\(members.sorted { $0.key < $1.key }.map { "\($0.key)=\(shown($0.value))" }.joined(separator: " "))}"
        }
    }

    @Test("Values", arguments: [
        ("+99", "99"), ("-0", "0"), ("1_000", "1000"), ("0xDEAD_beef", "3735928559"), ("0o755", "493"), ("0b1101", "13"),
        ("-9223372036854775808", "-9223372036854775808"), ("9223372036854775807", "9223372036854775807"), ("3.14", "3.14"), ("-0.01", "-0.01"),
        ("5e+22", "5e+22"), ("1e06", "1000000.0"), ("-2E-2", "-0.02"), ("6.626e-34", "6.626e-34"), ("2_2.3_3", "22.33"), ("-inf", "-inf"), ("+nan", "nan"),
        ("true", "true"), ("false", "false"), ("1979-05-27T07:32:00Z", "moment"), ("1979-05-27 07:32:00.999999-07:00", "moment"),
        ("1979-05-27t00:32:00z", "moment"), ("1979-05-27", "moment"), ("2000-02-29", "moment"), ("07:32:00", "moment"), ("00:32:00.5", "moment"),
        ("\"a\\tb\\\"c\\\\ \\u00e9\\U0001F600\"", "\"a\tb\"c\\ é😀\""), ("'C:\\x'", "\"C:\\x\""), ("\"\"", "\"\""), ("''", "\"\""),
        ("\"\"\"\na\\\n   b\r\nc\"\"\"", "\"ab\nc\""), ("\"\"\"a\"\"\"\"\"", "\"a\"\"\""), ("'''\na\\n''x'''''", "\"a\\n''x''\""), ("\"\"\"\"\"\"", "\"\""),
        ("[]", "[]"), ("[ 1, 'a', [ ], ]", "[1 \"a\" []]"), ("[ # c\n 1 # d\n , \n 2\n]", "[1 2]"), ("{}", "{}"), ("{ a.b = 1, c = {} }", "{a={b=1} c={}}"),
        ("[{a=1},{a=2}]", "[{a=1} {a=2}]"),
    ])
    func values(text: String, shown: String) throws {
        #expect(try read("k = \(text)") == "{k=\(shown)}")
        #expect(try read("k=\(text) # c\r\nl = 1\r\n") == "{k=\(shown) l=1}")
        #expect(try read("k = [\(text)]") == "{k=[\(shown)]}")
        #expect(try read("k = {l =\(text)}") == "{k={l=\(shown)}}")
    }

    @Test("What is no value", arguments: [
        "", "x", "True", "01", "-01", "1_", "_1", "1__2", "+0x1", "0x", "0xg", "0X1", "1.", ".1", "1.e2", "1e", "1e1.5", "01.5", "1._2", "infinity",
        "9223372036854775808", "0x8000000000000000", "1979-02-29", "1979-13-01", "1979-5-27", "1979-05-27T", "1979-05-27T25:00:00", "07:32", "07:32:61",
        "07:32:00Z", "1979-05-27T07:32:00+7:00", "\"a", "\"a\nb\"", "'a", "\"\\x\"", "\"\\u12\"", "\"\\ud800\"", "\"\\U00110000\"", "\"\\u0000\"",
        "\"\u{1}\"", "'\u{7F}'", "\"\"\"a", "'''a''", "[", "[1", "[1 2]", "[,]", "[1,,2]", "]", "{", "{a}", "{a=1", "{a=1,}", "{a=1 b=2}", "{,}", "{a=1,a=2}",
        "{\na=1}", "1 2", "1\r", "a b", "\"a\" 1", "[1]]", "{}}", "=", "#", "é",
    ])
    func noValues(text: String) {
        #expect(throws: ConfigFileError.self) { try read("k = \(text)") }
    }

    @Test("Keys and tables", arguments: [
        ("", "{}"), ("# c", "{}"), ("\n \t\r\n", "{}"), ("1234 = 1", "{1234=1}"), ("\"a b\" = 1\n'c\"d' = 2", "{a b=1 c\"d=2}"), ("'' = 1", "{=1}"),
        ("a . b . \"c.d\" = 1", "{a={b={c.d=1}}}"), ("a.b = 1\na.c = 2", "{a={b=1 c=2}}"), ("3.14 = 1", "{3={14=1}}"),
        ("[a]\nb = 1\n[c]", "{a={b=1} c={}}"), ("[ a . 'b' ] # c\nc = 1", "{a={b={c=1}}}"), ("[a.b]\n[a]\nc = 1", "{a={b={} c=1}}"),
        ("[x.y.z.w]\n[x]", "{x={y={z={w={}}}}}"), ("[[a]]\nb = 1\n[[a]]\n[a.c]\nd = 2", "{a=[{b=1} {c={d=2}}]}"),
        ("[[a]]\n[[a.b]]\nc = 1\n[[a.b]]\n[[a]]", "{a=[{b=[{c=1} {}]} {}]}"), ("[f]\na.b = 1\na.c.d = 2\n[f.a.e]", "{f={a={b=1 c={d=2} e={}}}}"),
    ])
    func tables(text: String, shown: String) throws { #expect(try read(text) == shown) }

    @Test("What is no document", arguments: [
        "a", "= 1", "a = 1 b = 2", "a = 1\na = 2", "a = 1\na.b = 2", "a.b = 1\na = 2", "a. = 1", ".a = 1", "a..b = 1", "é = 1", "a b = 1", "\"\"\"a\"\"\" = 1",
        "a\n= 1", "[a", "[]", "[[a]", "[ [a]]", "[a]]", "[.a]", "[a.]", "[:a]", "[a] b = 1", "[a]\n[a]", "a = 1\n[a]", "a = {}\n[a]", "a = {}\na.b = 1",
        "a = {}\n[a.b]", "a = [{}]\n[[a]]", "a = []\n[[a]]", "[[a]]\n[a]", "[a]\n[[a]]", "a.b = 1\n[a]", "[a]\nb.c = 1\n[a.b]", "[a.b]\n[a]\nb.c = 1", "[a.b.c]\n[a]\nb.c.d = 1",
        "# a\u{0}b", "# a\rb", "a = 1 # \u{7F}", "\u{0}", "a = { b = [ {c = 1},  }", "[.b.c\"",
    ])
    func noDocuments(text: String) {
        #expect(throws: ConfigFileError.self) { try read(text) }
        #expect(throws: ConfigFileError.self) { try read("z = 1\n\(text)") }
    }

    @Test("An error says what is wrong, and where", arguments: [
        ("a = {\n", "a.toml:1:6: the line ends here where a key should stand; write A-Z a-z 0-9 _ - or put the key in quotes"),
        ("a = [1, 2", "a.toml:1:10: the file ends here where a \",\" or the array's \"]\" should stand"), ("[:torage]", "a.toml:1:2: \":\" is not expected here where a key should stand; write A-Z a-z 0-9 _ - or put the key in quotes"),
        ("a = C:", "a.toml:1:5: what stands here is no value; write true or false in small letters, a number, or text in quotes"), ("\na = \"x", "a.toml:2:5: a string that begins here has no closing quotation mark on its line"),
        ("a = \"\\x\"", "a.toml:1:6: an unknown escape sequence; write \\\\ for a backslash, or put the string in single quotes"),
        ("a.b = 1\n\n[a]", "a.toml:3:1: the table \"a\" comes twice"), ("a = 99999999999999999999", "a.toml:1:5: this number does not fit 64 bits"),
    ])
    func errors(text: String, message: String) {
        do throws(ConfigFileError) {
            _ = try read(text)
            Issue.record("\(text) was taken")
        } catch { #expect(error.description == message) }
    }

    @Test("An error does not show a value: it may be a secret without its quotes, and long", arguments: ["MTIzNDU2Nzg5MDEy", "12345678901234567890"])
    func valuesAreNotShown(secret: String) {
        for text in ["a = \(secret)", "a = \(secret)/+", "a = [1, \(secret)]", "a = { b = \(secret)= }", "a = \"\(secret)", "a = '\(secret)"] {
            let error = #expect(throws: ConfigFileError.self) { try read(text) }
            #expect(error?.description.contains(secret.prefix(4)) == false)
        }
    }

    @Test("What nests is bounded")
    func depth() throws {
        func nested(_ count: Int) -> String { "a = " + String(repeating: "[", count: count) + String(repeating: "]", count: count) }
        func inline(_ count: Int) -> String { "a = " + String(repeating: "{b=", count: count) + "1" + String(repeating: "}", count: count) }
        func dotted(_ count: Int) -> String { Array(repeating: "a", count: count).joined(separator: ".") + " = 1" }
        for text in [nested(TOMLParser.depthMax), inline(TOMLParser.depthMax), dotted(TOMLParser.keyPartsMax)] { #expect(throws: Never.self) { try read(text) } }
        for text in [nested(TOMLParser.depthMax + 2), inline(TOMLParser.depthMax + 2), dotted(TOMLParser.keyPartsMax + 1), nested(400_000)] {
            #expect(throws: ConfigFileError.self) { try read(text) }
        }
        #expect(try read(String(repeating: "[[a]]\n", count: 20_000)).utf8.count > 40_000)
    }
}
