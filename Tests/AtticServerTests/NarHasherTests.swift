import Chunking
import Crypto
import Platform
import Testing

@testable import AtticServer

@Suite("The hasher of NARs")
struct NarHasherTests {
    /// Cuts and hashes the NARs of these sizes as an upload does; what each digest is, and the numbers of the batches that were pressed.
    private static func hash(_ nars: [[UInt8]], pieces: Int, threads: Int) throws -> (digests: [SHA256Digest], pressed: [Int]) {
        let rules = ChunkingRules()
        let blocks = Cutter.blocks(for: rules)
        var cutter = Cutter(rules, blocks: blocks)
        let press = Press(threadCount: threads, kind: .zstd, level: 1)
        let pressed = Monitor<[Int]>([])
        let hasher = NarHasher(press) { batch, number, _ in
            blocks.giveBack(batch.block)
            pressed.withLock { $0.append(number) }
        }
        var batchCount = 0
        func add(_ batch: Cutter.Gathered) {
            hasher.add(batch, number: batchCount)
            batchCount += 1
        }
        var digests: [SHA256Digest] = []
        for nar in nars {
            cutter.begin(isChunked: true)
            for start in stride(from: 0, to: nar.count, by: pieces) {
                try unsafe nar.withUnsafeBytes { bytes in
                    try unsafe cutter.feed(UnsafeRawBufferPointer(rebasing: bytes[start..<min(start + pieces, bytes.count)])) { add($0) }
                }
            }
            try cutter.end { add($0) }
            digests.append(unsafe hasher.finish(cutter.bytesAtHand))
        }
        if let rest = cutter.rest() { add(rest) }
        press.close()
        #expect(pressed.withLock { $0.count } == batchCount)
        return (digests, pressed.withLock { $0 })
    }

    private static func bytes(_ count: Int, _ seed: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: ($0 &* 31 &+ seed) ^ ($0 >> 9)) } }

    @Test("each NAR of an upload has its hash, wherever batches end", arguments: [0, 1, 4], [4099, 65536, 3_000_000])
    func digests(threads: Int, pieces: Int) throws {
        let counts = [1, 1_000_000, 300_000, 48_575, 1, 5_000_000, 2 << 20, 1 << 20, 3, 700_000, 700_000, 12_345]
        let nars = counts.enumerated().map { Self.bytes($1, $0) }
        #expect(try Self.hash(nars, pieces: pieces, threads: threads).digests == nars.map { SHA256.digest(of: $0) })
    }

    @Test("every batch is pressed once")
    func batches() throws {
        let pressed = try Self.hash([Self.bytes(20_000_000, 1), Self.bytes(100, 2)], pieces: 65536, threads: 4).pressed
        #expect(pressed.count > 10)
        #expect(pressed.sorted() == Array(pressed.indices))
    }
}
