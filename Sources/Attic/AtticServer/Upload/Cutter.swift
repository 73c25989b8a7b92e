import Chunking
import Platform

/// Cuts NARs, one after another, and gathers their chunks for the press, in the memory that the press reads them from.
///
/// Where a NAR is cut: by content; or, where the configuration leaves a NAR of this size whole, into pieces of a fixed size
/// that bound the memory (they are chunks like any other, only nothing else is likely to share them).
struct Cutter: ~Copyable {
    /// Chunks, one after another from the block's beginning.
    struct Gathered: Sendable {
        let block: ByteBlock
        let byteCounts: [Int]
        /// For each chunk the NAR that it belongs to, counted from 0.
        let nars: [Int]
        /// The bytes of the NAR that had not ended before they were handed on; none where all had.
        let narUnderWay: Range<Int>
    }

    /// The size of a piece in bytes.
    private static let pieceByteCount = 1 << 20

    private let cutter: FastCDC
    private let gatheredBytesTarget: Int
    private var isChunked = true
    /// Bytes of the NAR that must be there before it is known how it is cut; 0 where that is known.
    private var undecidedByteCount = 0
    private let blocks: ByteBlockPool
    private var block: ByteBlock
    private var byteCounts: [Int] = []
    private var nars: [Int] = []
    private var nar = -1
    /// The bytes of `byteCounts`; behind them, up to `tail`, is what was not cut yet.
    private var cutEnd = 0
    private var tail = 0
    /// Where the bytes of the NAR under way begin.
    private var narStart = 0

    /// - Parameter blocks: what `blocks(for:)` made for these rules.
    init(_ rules: ChunkingRules, blocks: ByteBlockPool) {
        cutter = FastCDC(sizes: rules.sizes)
        gatheredBytesTarget = rules.gatheredBytesTarget
        self.blocks = blocks
        block = blocks.take()
    }

    deinit { blocks.giveBack(block) }

    /// Blocks for cutters of these rules: with room for what is gathered, a largest chunk that was begun before, and one to
    /// look ahead.
    static func blocks(for rules: ChunkingRules) -> ByteBlockPool {
        let chunkBytesMax = max(rules.sizes.maximum, pieceByteCount)
        return ByteBlockPool(blockByteCount: rules.gatheredBytesTarget + 2 * chunkBytesMax, keptMax: 8)
    }

    /// Begins the next NAR, by content or in pieces.
    mutating func begin(isChunked: Bool) {
        precondition(tail == cutEnd, "a NAR ends before the next begins")
        nar += 1
        narStart = tail
        self.isChunked = isChunked
        undecidedByteCount = 0
    }

    /// Begins the next NAR, whose size nobody knows yet: it is cut by content where it turns out to have so many bytes, as it
    /// would be had they been announced. What has a mebibyte is cut in any case: no more is held back to find out.
    mutating func begin(chunkedFrom byteCount: Int64) {
        begin(isChunked: false)
        undecidedByteCount = Int(min(byteCount, Int64(gatheredBytesTarget)))
    }

    /// Takes bytes of the NAR, and hands on what is gathered.
    mutating func feed(_ bytes: UnsafeRawBufferPointer, _ full: (Gathered) throws -> Void) throws {
        var start = 0
        while start < bytes.count {
            let count = min(bytes.count - start, block.byteCount - tail)
            let room = unsafe block.memory(tail..<(tail + count))
            unsafe room.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[start..<(start + count)]))
            tail += count
            start += count
            if tail - cutEnd < undecidedByteCount { continue }
            if undecidedByteCount > 0 { (isChunked, undecidedByteCount) = (true, 0) }
            cut(whileAtLeast: isChunked ? cutter.sizes.maximum : Cutter.pieceByteCount)
            if cutEnd >= gatheredBytesTarget { try full(takeGathered()) }
        }
    }

    /// Ends the NAR: what is left of it is cut to its end. Chunks of the next may be gathered beside its last.
    mutating func end(_ full: (Gathered) throws -> Void) throws {
        cut(whileAtLeast: 1)
        if cutEnd >= gatheredBytesTarget { try full(takeGathered()) }
    }

    /// The bytes of the NAR under way that were not handed on; valid until the next call.
    var bytesAtHand: UnsafeRawBufferPointer { unsafe block.bytes(narStart..<tail) }

    /// What is gathered when no more NARs come; nil where nothing is.
    mutating func rest() -> Gathered? {
        narStart = cutEnd
        return byteCounts.isEmpty ? nil : takeGathered()
    }

    /// Cuts what waits as far as the cuts are certain: a chunk's maximum decides it, or the end of the NAR.
    private mutating func cut(whileAtLeast byteCountMin: Int) {
        while tail - cutEnd >= byteCountMin {
            let pending = unsafe block.bytes(cutEnd..<tail)
            let count = isChunked ? unsafe cutter.cut(pending) : min(pending.count, Cutter.pieceByteCount)
            byteCounts.append(count)
            nars.append(nar)
            cutEnd += count
        }
    }

    /// What is gathered; what was not cut yet moves on to a new block.
    private mutating func takeGathered() -> Gathered {
        let gathered = Gathered(block: block, byteCounts: byteCounts, nars: nars, narUnderWay: narStart..<cutEnd)
        let next = blocks.take()
        let pending = unsafe block.bytes(cutEnd..<tail)
        unsafe next.memory(0..<pending.count).copyMemory(from: pending)
        block = next
        tail = pending.count
        cutEnd = 0
        narStart = 0
        byteCounts = []
        nars = []
        return gathered
    }
}
