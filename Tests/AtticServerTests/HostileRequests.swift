import Platform
import Testing

/// The table of `docs/hostile-requests.md`: what is sent, and what has to come of it. The page itself is read, so that it says
/// what is tested, and nothing else.
struct HostileRequest: Sendable, CustomTestStringConvertible {
    /// As the page has it.
    let text: String
    let status: Int
    /// Whether the request behind it on the same connection is answered.
    let goesOn: Bool

    var testDescription: String { "\(text.prefix(300)) → \(status)" }

    /// All rows of all tables of the page.
    static func read() throws -> [HostileRequest] {
        let root = File.parent(of: File.parent(of: File.parent(of: #filePath)))
        let page = try #require(try File.readText(root + "/docs/hostile-requests.md"))
        return try page.split(separator: "\n").filter { $0.hasPrefix("| `") }.map { line in
            let parts = line.split(separator: "`", maxSplits: 2, omittingEmptySubsequences: false)
            try #require(parts.count == 3, "a row begins with a request in a code span: \(line)")
            let cells = parts[2].split(separator: "|").map { $0.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed() }.map { String($0) }
            try #require(cells.count == 4 && cells[0].isEmpty, "a row has four cells: \(line)")
            let status = try #require(Int(cells[1]), "the second cell is a status: \(line)")
            try #require(["goes on", "ends"].contains(cells[2]), "the third cell is \"goes on\" or \"ends\": \(line)")
            return HostileRequest(text: String(parts[1]), status: status, goesOn: cells[2] == "goes on")
        }
    }

    /// The bytes that the row stands for; `words` are what stands for something that a server makes up: `⟨hash⟩`.
    func bytes(_ words: [String: String]) throws -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = text[...]
        while let first = rest.popFirst() {
            if first == "⟨" {
                let end = try #require(rest.firstIndex(of: "⟩"), "⟨ without ⟩: \(text)")
                bytes += try Self.stretch(rest[..<end], words)
                rest = rest[rest.index(after: end)...]
            } else {
                bytes += Self.byte(first)
            }
        }
        return bytes
    }

    private static func byte(_ character: Character) -> [UInt8] {
        switch character {
        case "⏎": [13, 10]
        case "␍": [13]
        case "␊": [10]
        case "␀": [0]
        case "⇥": [9]
        case "␣": [32]
        default: Array(String(character).utf8)
        }
    }

    /// What stands between the brackets: a word; a number, ` × ` and what is repeated; or bytes in hexadecimal.
    private static func stretch(_ text: Substring, _ words: [String: String]) throws -> [UInt8] {
        if let word = words[String(text)] { return Array(word.utf8) }
        let parts = text.split(separator: " × ", maxSplits: 1)
        if parts.count == 2, let count = Int(parts[0]) {
            return Array(repeatElement(parts[1].flatMap(byte), count: count).joined())
        }
        return try text.split(separator: " ").map { try #require(UInt8($0, radix: 16), "⟨\(text)⟩ stands for nothing") }
    }
}

/// Takes the answers of one connection apart, by their own Content-Length.
struct AnswerStream {
    struct Answer: Equatable {
        let status: Int
        let saysClose: Bool
        let byteCount: Int
    }

    private(set) var answers: [Answer] = []
    /// Bytes that are no answer.
    private(set) var rest: [UInt8]

    /// - Parameter withoutBody: which of the answers are to HEAD, by their number.
    init(_ bytes: [UInt8], withoutBody: Set<Int> = []) {
        rest = bytes
        while let end = Self.headEnd(rest) {
            let answer = RawHead(String(decoding: rest[..<end], as: UTF8.self))
            rest = Array(rest[end...])
            // `100 Continue` comes or not, as the timing has it.
            if answer.status == 100 { continue }
            let hasBody = answer.status != 304 && answer.status != 204 && !withoutBody.contains(answers.count)
            let length = hasBody ? Int(answer.value("Content-Length") ?? "0") ?? 0 : 0
            if length > rest.count { break }
            rest = Array(rest[length...])
            answers.append(Answer(status: answer.status, saysClose: answer.value("Connection") == "close", byteCount: length))
        }
    }

    private static func headEnd(_ bytes: [UInt8]) -> Int? {
        guard bytes.count >= 4 else { return nil }
        return (4...bytes.count).first { bytes[($0 - 4)..<$0].elementsEqual([13, 10, 13, 10]) }
    }

    private struct RawHead {
        let lines: [Substring]
        var status: Int { lines.first.flatMap { Int($0.dropFirst(9).prefix(3)) } ?? 0 }
        init(_ text: String) { lines = text.split(separator: "\r\n") }
        func value(_ name: String) -> String? {
            lines.first { $0.lowercased().hasPrefix(name.lowercased() + ": ") }.map { String($0.dropFirst(name.count + 2)) }
        }
    }
}
