import Chunking
import Platform
import Testing

@testable import AtticServer

@Suite("The cutter")
struct CutterTests {
    private struct Cut: Equatable {
        let nar: Int
        let bytes: [UInt8]
    }

    private static func sizes() throws -> ChunkSizes { try ChunkSizes(minimum: 16 << 10, average: 64 << 10, maximum: 256 << 10) }

    private static func noise(_ count: Int, seed: UInt64) -> [UInt8] {
        var state = seed
        return (0..<count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(truncatingIfNeeded: state >> 56)
        }
    }

    private static func chunks(_ gathered: Cutter.Gathered) -> [Cut] {
        var start = 0
        return zip(gathered.byteCounts, gathered.nars).map { count, nar in
            defer { start += count }
            return Cut(nar: nar, bytes: unsafe [UInt8](gathered.block.bytes(start..<(start + count))))
        }
    }

    /// Chunks of the whole, by the definition.
    private static func chunksOfWhole(_ nar: [UInt8], _ sizes: ChunkSizes) -> [Cut] {
        let cutter = FastCDC(sizes: sizes)
        var cuts: [Cut] = []
        var rest = nar[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe cutter.cut($0) }
            cuts.append(Cut(nar: 0, bytes: Array(rest.prefix(count))))
            rest = rest.dropFirst(count)
        }
        return cuts
    }

    /// Cuts the NARs, fed in pieces of that size.
    private static func cut(
        _ nars: [[UInt8]], pieces: Int, isChunked: Bool = true, from threshold: Int64? = nil, sizes: ChunkSizes? = nil
    ) throws -> [Cut] {
        let sizes = try sizes ?? Self.sizes()
        var rules = ChunkingRules()
        rules.sizes = sizes
        let blocks = Cutter.blocks(for: rules)
        var cutter = Cutter(rules, blocks: blocks)
        var cuts: [Cut] = []
        func take(_ gathered: Cutter.Gathered) {
            cuts += chunks(gathered)
            blocks.giveBack(gathered.block)
        }
        for nar in nars {
            if let threshold { cutter.begin(chunkedFrom: threshold) } else { cutter.begin(isChunked: isChunked) }
            for start in stride(from: 0, to: nar.count, by: pieces) {
                try unsafe nar.withUnsafeBytes { bytes in
                    let end = min(start + pieces, bytes.count)
                    try unsafe cutter.feed(UnsafeRawBufferPointer(rebasing: bytes[start..<end])) { take($0) }
                }
            }
            try cutter.end { take($0) }
        }
        if let rest = cutter.rest() { take(rest) }
        return cuts
    }

    @Test("cuts where the whole NAR would be cut, however it comes", arguments: [4099, 65536, 1_000_000, 10_000_000])
    func whole(pieces: Int) throws {
        let nar = Self.noise(3_000_000, seed: 7)
        let expected = Self.chunksOfWhole(nar, try Self.sizes())
        #expect(try Self.cut([nar], pieces: pieces) == expected)
    }

    @Test("cuts small chunks alike, byte by byte and in any pieces", arguments: [1, 7, 100, 1023, 1024, 1025, 5000, 100_000])
    func small(pieces: Int) throws {
        let sizes = try ChunkSizes(minimum: 64, average: 256, maximum: 1024)
        let nar = Self.noise(30_000, seed: 7)
        #expect(try Self.cut([nar], pieces: pieces, sizes: sizes) == Self.chunksOfWhole(nar, sizes))
    }

    @Test("cuts alike in pieces of every size")
    func splits() throws {
        let sizes = try ChunkSizes(minimum: 64, average: 256, maximum: 1024)
        let nar = Self.noise(2500, seed: 11)
        let expected = Self.chunksOfWhole(nar, sizes)
        for split in 1...nar.count { #expect(try Self.cut([nar], pieces: split, sizes: sizes) == expected, "split at \(split)") }
    }

    @Test("gathers many small NARs together, and tells whose each chunk is")
    func small() throws {
        let nars = (0..<50).map { Self.noise(1000 + $0 * 911, seed: UInt64($0)) }
        let cuts = try Self.cut(nars, pieces: 777)
        for (number, nar) in nars.enumerated() {
            #expect(cuts.filter { $0.nar == number }.flatMap(\.bytes) == nar)
        }
        #expect(cuts.map(\.nar) == cuts.map(\.nar).sorted())
    }

    @Test("leaves a NAR whole but for pieces of a mebibyte where it is not to be cut")
    func pieces() throws {
        let nar = Self.noise(2_500_000, seed: 3)
        let cuts = try Self.cut([nar], pieces: 100_000, isChunked: false)
        #expect(cuts.map(\.bytes.count) == [1 << 20, 1 << 20, 2_500_000 - (2 << 20)])
        #expect(cuts.flatMap(\.bytes) == nar)
    }

    @Test("cuts a NAR of unknown size as it would had the size been announced", arguments: [1, 4099, 65_536, 10_000_000])
    func unknownSize(pieces: Int) throws {
        let small = (0..<10).map { Self.noise(65_533 + $0, seed: UInt64($0)) }
        let nars = small + [Self.noise(20, seed: 3), [], Self.noise(400_000, seed: 4)]
        var announced: [Cut] = []
        for (number, nar) in nars.enumerated() {
            let cuts = try Self.cut([nar], pieces: 65_536, isChunked: nar.count >= 65_536)
            announced += cuts.map { Cut(nar: number, bytes: $0.bytes) }
        }
        #expect(try Self.cut(nars, pieces: pieces, from: 65_536) == announced)
    }

    @Test("holds back no more than a mebibyte to find out how a NAR is cut")
    func largeThreshold() throws {
        let nar = Self.noise(1_200_000, seed: 3)
        #expect(try Self.cut([nar], pieces: 5000, from: 1 << 40) == Self.chunksOfWhole(nar, Self.sizes()))
        #expect(try Self.cut([Array(nar[..<1_000_000])], pieces: 5000, from: 1 << 40).count == 1)
    }

    @Test("has nothing to hand on of nothing")
    func nothing() throws { #expect(try Self.cut([[]], pieces: 1).isEmpty) }
}
