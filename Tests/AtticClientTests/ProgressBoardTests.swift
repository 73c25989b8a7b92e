import AtticClient
import Platform
import Testing

@Suite("Progress on a terminal")
struct ProgressBoardTests {
    private let plain = ProgressBoard.Style(usesColor: false)
    private let start = MonotonicTime(nanoseconds: 0)

    private func board() -> ProgressBoard {
        var board = ProgressBoard()
        board.begin(slot: 0, name: "r5d7217c0rjd5iiz1g2nhvd15frck9x2-tetryx-0.1.0", byteCount: 52 << 20, at: start)
        board.begin(slot: 1, name: "v660wl07i1lcrrgpr1yspn2va5d1xgjr-hello", byteCount: 0, at: start)
        board.move(slot: 0, to: 13 << 20)
        return board
    }

    @Test("A wide terminal shows name, bar, amount and rate")
    func wide() {
        let lines = board().lines(in: .init(columns: 120, rows: 24), at: start + .seconds(2), style: plain)
        #expect(lines.allSatisfy { $0.count == 119 })
        #expect(lines[0].hasPrefix("r5d7217c0rjd5iiz1g2nhvd15frck9x2-tetryx-0.1.0 "))
        #expect(lines[0].contains("[=======>                    ]") && lines[0].contains("13.00 MiB / 52.00 MiB"))
        #expect(lines[0].hasSuffix("6.50 MiB/s"))
        #expect(lines[1].contains("[============================]"))
    }

    @Test("No line reaches the last column, however narrow the terminal", arguments: 1...140)
    func width(columns: Int) {
        for line in board().lines(in: .init(columns: columns, rows: 24), at: start + .seconds(2), style: plain) {
            #expect(line.count <= max(columns - 1, 1))
        }
    }

    @Test("Colour is a matter of escape sequences only")
    func color() {
        let size = Terminal.Size(columns: 100, rows: 24)
        let colored = board().lines(in: size, at: start, style: .init(usesColor: true))
        #expect(colored[0].contains("\u{1B}[32m"))
        let without = colored.map { $0.replacing("\u{1B}[32m", with: "").replacing("\u{1B}[0m", with: "") }
        #expect(without == board().lines(in: size, at: start, style: plain))
    }

    @Test("More bars than rows are counted instead of shown")
    func rows() {
        var board = board()
        for slot in 2..<10 { board.begin(slot: slot, name: "p\(slot)", byteCount: 1, at: start) }
        let lines = board.lines(in: .init(columns: 80, rows: 5), at: start, style: plain)
        #expect(lines.count == 4)
        #expect(lines.last == "… and 7 more")
    }

    @Test("Bars come and go with their uploads")
    func ends() {
        var board = board()
        board.end(slot: 0)
        board.move(slot: 0, to: 5)
        board.end(slot: 1)
        #expect(board.isEmpty)
        #expect(board.lines(in: .init(columns: 80, rows: 24), at: start, style: plain).isEmpty)
    }
}

@Suite("Numbers in words")
struct ByteWordsTests {
    @Test("Bytes", arguments: [
        (0, "0 B"), (1023, "1023 B"), (1024, "1.00 KiB"), (1029, "1.00 KiB"), (1030, "1.01 KiB"), (1536, "1.50 KiB"),
        (1_048_575, "1024.00 KiB"), (1_048_576, "1.00 MiB"), (55_459_185, "52.89 MiB"), (1 << 40, "1.00 TiB"), (.max, "8.00 EiB"),
    ] as [(Int64, String)])
    func bytes(count: Int64, words: String) { #expect(ByteWords.words(count) == words) }

    @Test("Rates", arguments: [
        (0, .zero, "0 B/s"), (1, .zero, "976.56 KiB/s"), (55_459_185, .seconds(1), "52.89 MiB/s"), (1024, .milliseconds(500), "2.00 KiB/s"),
    ] as [(Int64, Duration, String)])
    func rates(count: Int64, elapsed: Duration, words: String) { #expect(ByteWords.rate(count, in: elapsed) == words) }

    @Test("Parts", arguments: [(0.4, "40.0%"), (0.12345, "12.3%"), (1.0, "100.0%"), (1.5, "100.0%"), (-1.0, "0.0%")])
    func parts(fraction: Double, words: String) { #expect(ByteWords.percent(fraction) == words) }
}
