import Platform
import Testing

/// What the fuzzer found and what it set out from, checked again. Tests/Corpora has a folder for each target.
@Suite struct CorpusTests {
    static let corpora = File.parent(of: File.parent(of: #filePath)) + "/Corpora"

    @Test("Every input that is kept keeps its target's rules", arguments: FuzzTarget.all.map(\.name))
    func replay(name: String) throws {
        let target = try #require(FuzzTarget.all.first { $0.name == name })
        let folder = "\(Self.corpora)/\(name)"
        let files = try Directory.names(folder)
        #expect(!files.isEmpty, "a target has inputs to set out from")
        for file in files {
            let bytes = try File.readAll("\(folder)/\(file)")
            #expect(throws: Never.self, "\(name)/\(file)") { try target.check(bytes) }
            #expect(bytes.count <= target.byteCountMax, "\(name)/\(file) is longer than the fuzzer would try")
        }
        // What is no input at all.
        #expect(throws: Never.self) { try target.check([]) }
    }

    @Test("No corpus is left without its target, and all together stay small")
    func corporaAreKnown() throws {
        #expect(try Directory.names(Self.corpora).sorted() == FuzzTarget.all.map(\.name).sorted())
        var byteCount: Int64 = 0
        for name in try Directory.names(Self.corpora) {
            for file in try Directory.names("\(Self.corpora)/\(name)") { byteCount += try File.status("\(Self.corpora)/\(name)/\(file)").byteCount }
        }
        #expect(byteCount < 2 << 20)
    }

    @Test("A rule that is broken is seen")
    func brokenRulesAreSeen() {
        let target = FuzzTarget("never-a") { bytes in try rule(!bytes.contains(0x61), "no a") }
        #expect(throws: BrokenRule.self) { try target.check(Array("banana".utf8)) }
        #expect(throws: Never.self) { try target.check(Array("xyz".utf8)) }
    }

    @Test("Pieces join to what they were cut from")
    func piecesJoin() {
        for count in [0, 1, 2, 100, 5000] {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) }
            for ends in arrivals(of: bytes) { #expect(pieces(of: bytes, endingAt: ends).flatMap { $0 } == bytes) }
        }
    }
}
