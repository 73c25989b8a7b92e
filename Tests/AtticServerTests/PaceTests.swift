import Platform
import Testing

@testable import AtticServer

@Suite("The pace of a check, and what is shown of it")
struct PaceTests {
    @Test("a reader that is ahead rests until it is not, and one that is behind does not")
    func rest() {
        let start = MonotonicTime(nanoseconds: 1_000_000_000)
        var pace = Pace(bytesPerSecond: 1000, from: start)
        #expect(pace.rest(after: 500, at: start) == .milliseconds(500))
        #expect(pace.rest(after: 500, at: start + .milliseconds(400)) == .milliseconds(600))
        #expect(pace.rest(after: 100, at: start + .seconds(3)) == .zero)
    }

    @Test("a rate is a number with a letter or none", arguments: [
        ("1", 1), ("4096", 4096), ("5K", 5120), ("50M", 52_428_800), ("2g", 2_147_483_648), ("", nil), ("M", nil), ("0", nil),
        ("-1", nil), ("1.5M", nil), ("5T", nil), ("9223372036854775807K", nil), ("99999999999999999999", nil),
    ] as [(String, Int64?)])
    func rate(text: String, bytes: Int64?) { #expect(ByteRate(text)?.bytesPerSecond == bytes) }

    @Test("a line for a file says where to go on, and one for a terminal is never wider than that", arguments: [10, 20, 40, 120])
    func lines(width: Int) {
        let progress = CheckProgress("contents", done: 250, total: 1000, next: 17)
        #expect(ProgressLine.words(progress) == "contents: 250 of 1000 bytes; to go on here after a stop: --from 17")
        let drawn = ProgressLine.drawn(progress, width: width)
        #expect(drawn.count <= width && drawn.hasPrefix("contents"))
        #expect(ProgressLine.drawn(CheckProgress("packs", done: 3), width: width).count <= width)
    }
}
