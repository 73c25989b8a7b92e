import ConfigFile
import Testing

@Suite("A TOML file, read by someone who knows the keys")
struct TOMLFileTests {
    static let text = #"""
        # A comment with [brackets] and = signs
        name = "one"          # after a value
        count = 0x10
        'quoted key' = true
        list = [
            "a", # inside, with ]
            "b]",
        ]
        dotted.inner.value = 7
        inline = { x = 1, y = { z = "}" } }

        [section]
        text = """
        many lines = not a key
        [not.a.section]
        \""" still """""
        literal = '''
        other = "no key"'''
        when = 1979-05-27T07:32:00Z

        [section.deep."strange \u00e9 key"]
        leaf = 1
        """#

    private func parsed(_ text: String) throws -> TOMLFile { try TOMLFile.parse(text, name: "test.toml") }

    private func refusal(_ text: String, _ read: (TOMLSection) throws -> Void) throws -> String {
        let file = try parsed(text)
        var message = ""
        do {
            try read(file.root)
            try file.finish()
        } catch let error as ConfigFileError { message = error.description }
        return message
    }

    @Test("Values of every kind are read")
    func values() throws {
        let root = try parsed(Self.text).root
        #expect(try root.string("name") == "one")
        #expect(try root.integer("count", in: 0...100) == 16)
        #expect(try root.bool("quoted key") == true)
        #expect(try root.strings("list") == ["a", "b]"])
        #expect(try root.stringOrStrings("name") == ["one"])
        #expect(try root.section("dotted").section("inner").integer("value", in: 0...9) == 7)
        #expect(try root.section("inline").section("y").string("z") == "}")
        #expect(try root.section("section").string("text") == "many lines = not a key\n[not.a.section]\n\"\"\" still \"\"")
        #expect(try root.section("section").string("literal") == "other = \"no key\"")
        #expect(try root.section("section").section("deep").section("strange é key").integer("leaf", in: 0...9) == 1)
        #expect(try root.string("absent") == nil)
        #expect(try root.section("absent").string("absent") == nil)
        #expect(root.has("name"))
        #expect(!root.has("nome"))
        #expect(root.keys == ["name", "count", "quoted key", "list", "dotted", "inline", "section"])
    }

    @Test("The path of every key is known, and no key is invented inside strings and arrays")
    func paths() throws {
        #expect(try parsed(Self.text).presentPaths.map { $0.joined(separator: ".") } == [
            "name", "count", "quoted key", "list", "dotted", "dotted.inner", "dotted.inner.value", "inline", "inline.x",
            "inline.y", "inline.y.z", "section", "section.text", "section.literal", "section.when",
            "section.deep.strange é key", "section.deep.strange é key.leaf",
        ])
    }

    @Test("An unknown key is named with its place", arguments: [
        ("known = 1\nunknwon = 2", "test.toml:2:1: unknown key \"unknwon\"; did you mean \"unknown\"?"),
        ("\n\n   zzz = 2", "test.toml:3:4: unknown key \"zzz\""),
        ("[section]\ninnr = 1", "test.toml:2:1: unknown key \"innr\" in [section]; did you mean \"inner\"?"),
        ("[setcion]\ninner = 1", "test.toml:1:1: unknown key \"setcion\"; did you mean \"section\"?"),
        ("section = { inner = 1, other = 2 }", "test.toml:1:24: unknown key \"other\" in [section]"),
        ("section.other = 2", "test.toml:1:1: unknown key \"other\" in [section]"),
        ("[section]\nknown = 2", "test.toml:2:1: unknown key \"known\" in [section]; it belongs before the first [section]"),
        ("inner = 2", "test.toml:1:1: unknown key \"inner\"; it belongs in [section]"),
        ("[known_key]", "test.toml:1:1: unknown key \"known_key\"; did you mean \"known-key\"?"),
        ("[[tables]]\nx = 1\n[[tables]]\ny = 1", "test.toml:1:1: unknown key \"tables\""),
        ("\"é\" = 1\n'ü'.a = 2", "test.toml:1:1: unknown key \"é\""),
    ])
    func unknownKeys(text: String, message: String) throws {
        #expect(try refusal(text) { root in
            for key in ["known", "unknown", "known-key"] { _ = try root.integer(key, in: 0...9) }
            _ = try root.section("section").integer("inner", in: 0...9)
        } == message)
    }

    @Test("A value of the wrong kind is named with its place and with what is allowed")
    func wrongKinds() throws {
        #expect(try refusal("a = 1") { _ = try $0.string("a") } == "test.toml:1:5: \"a\" is an integer; write a string in quotes")
        #expect(try refusal("\n a  =  'x'") { _ = try $0.bool("a") } == "test.toml:2:8: \"a\" is a string; write true or false")
        #expect(try refusal("a = 1.5") { _ = try $0.integer("a", in: 1...2) }
            == "test.toml:1:5: \"a\" is a number with a fraction; write an integer from 1 to 2")
        #expect(try refusal("a = 3") { _ = try $0.integer("a", in: 1...2) }
            == "test.toml:1:5: 3 is not allowed for \"a\"; write an integer from 1 to 2")
        #expect(try refusal("a = -3") { _ = try $0.integer("a", in: 0...(.max)) }
            == "test.toml:1:5: -3 is not allowed for \"a\"; write an integer of at least 0")
        #expect(try refusal("[s]\na = 1979-05-27") { _ = try $0.section("s").strings("a") }
            == "test.toml:2:5: \"a\" is a date or time; write a list of strings, as in [\"a\", \"b\"]")
        #expect(try refusal("[s]\na = [\"b\", 1]") { _ = try $0.section("s").strings("a") }
            == "test.toml:2:5: \"a\" holds an integer; write a list of strings, as in [\"a\", \"b\"]")
        #expect(try refusal("s = []") { _ = try $0.section("s") } == "test.toml:1:5: \"s\" is an array; write a table, as in [s]")
    }

    @Test("An error of the reader's own stands at the value, or at the section where there is none")
    func ownErrors() throws {
        let root = try parsed("x = 1\n[s]\na = 'y'").root
        let section = try root.section("s")
        #expect(section.error(at: "a", "bad").description == "test.toml:3:5: bad")
        #expect(section.error(at: "b", "missing").description == "test.toml:2:1: missing")
        #expect(section.error("empty").description == "test.toml:2:1: empty")
        #expect(root.error(at: "z", "missing").description == "test.toml:1:1: missing")
    }

    @Test("A syntax error is named with its place, on one line", arguments: [
        ("a = 1\nb = ", 2), ("a = 1\na = 2", 2), ("[s\n", 1), ("a = \"x", 1), ("\n\na == 1", 3), ("a = [1,\n2", 2), ("=", 1),
    ])
    func syntaxErrors(text: String, line: Int) {
        do throws(ConfigFileError) {
            _ = try TOMLFile.parse(text, name: "test.toml")
            Issue.record("\(text) was taken")
        } catch {
            #expect(error.line == line)
            #expect(error.column >= 1)
            #expect(!error.description.contains("\n"))
        }
    }

    @Test("U+0000 is refused, plain or escaped, since the system would cut a path there", arguments: [
        "a = 1\0\nb = 2", "a = \"x\\u0000y\"", "a = \"\"\"x\\U00000000y\"\"\"", "\"a\\u0000\" = 1", "a = [\"x\\u0000\"]",
    ])
    func nullCharacters(text: String) {
        #expect(throws: ConfigFileError.self) { try TOMLFile.parse(text, name: "test.toml") }
    }

    @Test("A file of a megabyte and more is refused")
    func large() {
        let text = String(repeating: "#", count: TOMLFile.byteCountMax + 1)
        #expect(throws: ConfigFileError.self) { try TOMLFile.parse(text, name: "test.toml") }
    }

    @Test("Every text cut short is an error or a document, and never a trap")
    func cutShort() {
        let scalars = Array(Self.text.unicodeScalars)
        for count in scalars.indices {
            let text = String(String.UnicodeScalarView(scalars[..<count]))
            if let file = try? TOMLFile.parse(text, name: "test.toml") {
                #expect(file.presentPaths.count <= 17)
            }
        }
    }

    @Test("Windows line ends and a byte order mark change nothing")
    func lineEnds() throws {
        let file = try parsed("\u{FEFF}a = 1\r\n[s]\r\nb = \"x\"\r\n")
        #expect(file.presentPaths == [["a"], ["s"], ["s", "b"]])
        #expect(try file.root.section("s").error(at: "b", "bad").description == "test.toml:3:5: bad")
    }
}
