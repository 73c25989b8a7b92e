import Platform
import Support
import Testing

@Suite("atticbench")
struct AtticBenchTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func run(_ arguments: String..., input: String = "") throws -> Subprocess.Outcome {
        // The tools are built beside the program that runs the tests.
        let tools = File.parent(of: try File.resolve("/proc/self/exe"))
        return try Subprocess.run([tools + "/atticbench"] + arguments, standardInput: Array(input.utf8))
    }

    private func rows(_ input: String) throws -> [String] {
        let outcome = try run("table", input: input)
        #expect(outcome.status == .exited(0))
        return outcome.outputText.split(separator: "\n").dropFirst(2).map(String.init)
    }

    @Test("A table has the median of the ratios of pairs, not the ratio of medians")
    func pairs() throws {
        // The machine was three times slower during the second pair; the ratios did not notice.
        let rows = try rows("rate\tMB/s\t>= 1.0\t300\t330\nrate\tMB/s\t>= 1.0\t100\t120\nrate\tMB/s\t>= 1.0\t200\t180\n")
        #expect(rows == ["| rate | MB/s | 200 (100–300) | 180 (120–330) | 1.10 (0.900–1.20) | ≥ 1.0 × | yes |"])
    }

    @Test("What was wanted is compared with the ratio, or with the figure itself", arguments: [
        (">= 1.0", "100", "99", "**no**"), (">= 1.0", "100", "100", "yes"), ("<= 0.25", "4", "1", "yes"),
        ("<= 0.25", "4", "1.1", "**no**"), ("abs <= 300", "-", "300", "yes"), ("abs <= 300", "-", "301", "**no**"),
        ("-", "1", "2", ""),
    ])
    func verdicts(wanted: String, reference: String, subject: String, verdict: String) throws {
        let row = try rows("m\ts\t\(wanted)\t\(reference)\t\(subject)\n")
        #expect(row.first?.hasSuffix("| \(verdict) |") == true, "\(row)")
    }

    @Test("Figures have three digits that count", arguments: [
        ("0.01234", "0.012"), ("1.2345", "1.23"), ("12.345", "12.3"), ("99.96", "100.0"), ("1234567.8", "1,234,568"), ("0", "0.000"),
    ])
    func figures(value: String, shown: String) throws {
        #expect(try rows("m\t\t-\t-\t\(value)\n") == ["| m |  |  | \(shown) |  |  |  |"])
    }

    @Test("A row of another form is refused", arguments: ["m\ts\t-\t1", "m\ts\tfast\t1\t2", "m\ts\t-\tx\t2", "m\ts\t-\t1\tx"])
    func badRows(row: String) throws {
        let outcome = try run("table", input: row + "\n")
        #expect(outcome.status == .exited(1))
        #expect(outcome.errorText.contains("row 1"))
    }

    @Test("A section of a document is replaced, and nothing else")
    func splice() throws {
        let document = directory.file("document.md")
        let text = "# Title\n<!-- bench a -->\nold\n<!-- end a -->\nbetween\n<!-- bench b -->\n<!-- end b -->\n"
        try File.replace(document, with: Array(text.utf8), permissions: 0o644)
        for _ in 0..<2 { #expect(try run("splice", document, "a", input: "new\n").status == .exited(0)) }
        #expect(try File.readText(document)
            == "# Title\n<!-- bench a -->\n\nnew\n\n<!-- end a -->\nbetween\n<!-- bench b -->\n<!-- end b -->\n")
        #expect(try run("splice", document, "c", input: "new\n").status == .exited(1))
    }

    @Test("A made-up NAR is as its description says, and the same each time")
    func syntheticNar() throws {
        let first = try run("nar", "--seed", "3", "--size", "100000")
        let info = try run("nar", "--seed", "3", "--size", "100000", "--info", "hello")
        #expect(try run("nar", "--seed", "3", "--size", "100000").standardOutput == first.standardOutput)
        #expect(info.outputText.contains("\"nar_size\":\(first.standardOutput.count)"))
        #expect(try run("nar", "--seed", "4", "--size", "100000").standardOutput != first.standardOutput)
    }

    private func serve(_ arguments: [String], token: String? = "t") throws -> Subprocess.Outcome {
        let tools = File.parent(of: try File.resolve("/proc/self/exe"))
        return try Subprocess.run(
            [tools + "/atticbench"] + arguments, environment: token.map { ["BENCH_TOKEN": $0] } ?? [:])
    }

    @Test("Traffic sends nothing once its file is there, and nothing without a token")
    func traffic() throws {
        let until = directory.file("until")
        let options = [
            "traffic", "--url", "http://127.0.0.1:1", "--cache", "hello", "--until", until, "--first", "1", "--count", "3", "--size", "1000",
            "--fresh", "100", "--pushers", "2", "--pullers", "1",
        ]
        try File.replace(until, with: [], permissions: 0o644)
        let none = try serve(options)
        #expect(none.status == .exited(0) && none.standardOutput.isEmpty)
        #expect(try serve(options, token: nil).errorText == "atticbench: BENCH_TOKEN is not set\n")
    }

    @Test("Filling stops at the first path that is not taken, and says why")
    func fill() throws {
        let outcome = try serve(["fill", "--url", "http://127.0.0.1:1", "--cache", "hello", "--first", "1", "--count", "9", "--size", "1000"])
        #expect(outcome.status == .exited(1))
        #expect(outcome.errorText.hasPrefix("atticbench: /_api/v1/upload-path: "))
    }
}
