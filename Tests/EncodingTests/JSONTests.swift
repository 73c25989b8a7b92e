import Encoding
import Testing

@Suite struct JSONTests {
    @Test("Values are read and written", arguments: [
        ("null", .null), ("true", .bool(true)), ("false", .bool(false)), ("0", .integer(0)), ("-7", .integer(-7)),
        ("9223372036854775807", .integer(.max)), ("-9223372036854775808", .integer(.min)),
        ("0.5", .number(0.5)), ("-1.5e-07", .number(-1.5e-7)), ("1e+20", .number(1e20)),
        (#""""#, .string("")), (#""a b""#, .string("a b")), (#""é😀""#, .string("é😀")),
        ("[]", []), ("{}", [:]), ("[1,[2,[3]],null]", [1, [2, [3]], .null]),
        (#"{"b":1,"a":{"x":[true]}}"#, ["b": 1, "a": ["x": [true]]]),
        (#""\"\\\b\f\n\r\t\u0000\u001f""#, .string("\"\\\u{8}\u{c}\n\r\t\0\u{1f}")),
    ] as [(String, JSON)])
    func bothWays(text: String, value: JSON) throws {
        #expect(try JSON.parse(Array(text.utf8)) == value)
        #expect(value.serialized() == text)
    }

    @Test("Other spellings of values are read", arguments: [
        (" \n\r\t[ 1 , 2 ] ", [1, 2]), (#"{ "a" : "b" }"#, ["a": "b"]), ("-0", .integer(0)), ("1E2", .number(100)),
        ("9223372036854775808", .number(9223372036854775808)), ("1.0", .number(1)), ("1e-400", .number(0)),
        (#""\/\u0041\u00e9\ud83d\ude00""#, "/Aé😀"), (#""\uD83D\uDE00x""#, "😀x"), ("\"\u{7f}\u{2028}\"", "\u{7f}\u{2028}"),
    ] as [(String, JSON)])
    func spellings(text: String, value: JSON) throws {
        #expect(try JSON.parse(Array(text.utf8)) == value)
    }

    @Test("What is not JSON is refused at its byte", arguments: [
        ("", .unexpectedEnd, 0), ("  ", .unexpectedEnd, 2), ("nul", .unexpectedEnd, 3),
        ("nulL", .unexpectedByte(0x4c), 3), ("[1,]", .unexpectedByte(0x5d), 3), ("[1 2]", .unexpectedByte(0x32), 3),
        ("{a:1}", .unexpectedByte(0x61), 1), (#"{"a":1,}"#, .unexpectedByte(0x7d), 7),
        (#"{"a"1}"#, .unexpectedByte(0x31), 4), ("1 1", .bytesAfterValue, 2), ("[]]", .bytesAfterValue, 2),
        ("'a'", .unexpectedByte(0x27), 0), ("+1", .unexpectedByte(0x2b), 0), (".5", .unexpectedByte(0x2e), 0),
        ("01", .malformedNumber, 0), ("-01", .malformedNumber, 1), ("-", .unexpectedEnd, 1), ("1.", .unexpectedEnd, 2),
        ("1.x", .malformedNumber, 2), ("1e", .unexpectedEnd, 2), ("[1e+]", .malformedNumber, 4),
        ("NaN", .unexpectedByte(0x4e), 0), ("1e400", .numberOutOfRange, 0), ("-1e400", .numberOutOfRange, 0),
        ("\"a", .unexpectedEnd, 2), ("\"a\n\"", .controlCharacterInString, 2), (#""\x""#, .unknownEscape, 1),
        (#""\u12g4""#, .unknownEscape, 5), (#""\"#, .unexpectedEnd, 2),
        (#""\ud83d""#, .loneSurrogate, 1), (#""\ude00""#, .loneSurrogate, 1), (#""\ud83dx""#, .loneSurrogate, 1),
        (#""\ud83d\u0041""#, .loneSurrogate, 1), (#""\ud83d\ud83d""#, .loneSurrogate, 1),
        (#"{"a":1,"a":2}"#, .duplicateMember("a"), 7), (#"{"a":1,"\u0061":2}"#, .duplicateMember("a"), 7),
        ("\u{feff}1", .unexpectedByte(0xef), 0), ("/**/1", .unexpectedByte(0x2f), 0),
    ] as [(String, JSONError.Reason, Int)])
    func refuses(text: String, reason: JSONError.Reason, byteOffset: Int) {
        #expect(throws: JSONError(reason, at: byteOffset)) { try JSON.parse(Array(text.utf8)) }
    }

    @Test("Invalid UTF-8 is refused", arguments: [
        [0x22, 0xff, 0x22], [0x22, 0xc3, 0x22], [0x22, 0xed, 0xa0, 0x80, 0x22], [0x22, 0xc0, 0x80, 0x22],
        [0x22, 0xf4, 0x90, 0x80, 0x80, 0x22],
    ] as [[UInt8]])
    func refusesInvalidUTF8(bytes: [UInt8]) {
        #expect(throws: JSONError(.invalidUTF8, at: 1)) { try JSON.parse(bytes) }
    }

    @Test func everyPrefixOfADocumentIsRefusedWithoutATrap() throws {
        let document = Array(#"{"a":[1.5e3,"x\u00e9\ud83d\ude00",true,null],"é":{"b":-12}}"#.utf8)
        _ = try JSON.parse(document)
        for count in 0..<document.count {
            #expect(throws: JSONError.self) { try JSON.parse(Array(document.prefix(count))) }
        }
    }

    @Test func nestingIsBounded() throws {
        func nested(_ depth: Int) -> [UInt8] { Array((String(repeating: "[", count: depth) + String(repeating: "]", count: depth)).utf8) }
        _ = try JSON.parse(nested(64))
        _ = try JSON.parse(nested(512), depthMax: 512)
        #expect(throws: JSONError(.tooDeep(depthMax: 64), at: 64)) { try JSON.parse(nested(65)) }
        #expect(throws: JSONError(.tooDeep(depthMax: 64), at: 64)) { try JSON.parse([UInt8](repeating: 0x5b, count: 500_000)) }
        #expect(throws: JSONError(.tooDeep(depthMax: 1), at: 5)) { try JSON.parse(Array(#"{"a":{}}"#.utf8), depthMax: 1) }
    }

    @Test func numbersOfEndlessDigitsAreRefused() {
        #expect(throws: JSONError(.numberOutOfRange, at: 0)) { try JSON.parse([UInt8](repeating: 0x39, count: 100_000)) }
    }

    @Test func manyMembersAreFoundAndDuplicatesAmongThemRefused() throws {
        let members = (0..<5000).map { "\"key\($0)\":\($0)" }.joined(separator: ",")
        let object = try #require(try JSON.parse(Array("{\(members)}".utf8)).objectValue)
        #expect(object.count == 5000)
        #expect(object["key4999"] == 4999)
        #expect(object["key5000"] == nil)
        #expect(throws: JSONError.self) { try JSON.parse(Array("{\(members),\"key17\":0}".utf8)) }
    }

    @Test func aHundredThousandHashesAreRead() throws {
        // A tenth of it here: the debug build is slow.
        let count = 10_000
        let text = "[" + (0..<count).map { "\"" + String(repeating: "a", count: 27) + String(10_000 + $0) + "\"" }.joined(separator: ",") + "]"
        let values = try #require(try JSON.parse(Array(text.utf8)).arrayValue)
        #expect(values.count == count)
        #expect(values.last?.stringValue == String(repeating: "a", count: 27) + "19999")
        #expect(JSON.array(values).serialized() == text)
    }

    @Test func accessorsAnswerForTheirKindOnly() {
        let values: [JSON] = [.null, true, 1, 1.5, "x", [1], ["a": 1]]
        #expect(values.map(\.isNull) == [true, false, false, false, false, false, false])
        #expect(values.compactMap(\.boolValue) == [true])
        #expect(values.compactMap(\.integerValue) == [1])
        #expect(values.compactMap(\.numberValue) == [1, 1.5])
        #expect(values.compactMap(\.stringValue) == ["x"])
        #expect(values.compactMap(\.arrayValue) == [[1]])
        #expect(values.compactMap(\.objectValue) == [["a": 1]])
    }

    @Test("A member that comes twice is named short, and without its control characters")
    func repeatedMembersAreNamedShort() {
        let long = String(repeating: "k", count: 100_000)
        #expect(JSONError(.duplicateMember(long), at: 9).description.utf8.count < 200)
        #expect(JSONError(.duplicateMember("a\u{1B}[31m"), at: 9).description == "not JSON: the member \"a?[31m\" comes twice, at byte 9")
    }

    @Test func notANumberIsWrittenAsNull() {
        #expect(JSON.array([.number(.nan), .number(-.infinity)]).serialized() == "[null,null]")
    }

    @Test(arguments: [3, 40]) func membersAreSetReplacedAndRemovedInPlace(count: Int) {
        var object = JSONObject((0..<count).map { ("k\($0)", .integer(Int64($0))) })
        object["k1"] = "new"
        object["k0"] = nil
        object["last"] = true
        object["absent"] = nil
        #expect(object.count == count)
        #expect(object.members.first?.key == "k1")
        #expect(object["k1"] == "new")
        #expect(object["k0"] == nil)
        #expect(object["k\(count - 1)"] == .integer(Int64(count - 1)))
        #expect(object.members.last?.key == "last")
        let isAppended = object.append("last", 1)
        #expect(!isAppended)
    }
}
