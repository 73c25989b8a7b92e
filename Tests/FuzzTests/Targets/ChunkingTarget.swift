import Platform

@testable import AtticServer
@testable import Chunking

extension FuzzTarget {
    /// Where bytes are cut: by the definition, by the loop that takes two at once, and by what cuts NARs as they come.
    static let chunking = FuzzTarget("chunking", byteCountMax: 8 << 10) { try checkChunking($0) }

    /// The smallest there may be, and odd ones.
    fileprivate static let sizes = [(64, 256, 1024), (65, 257, 1025), (255, 256, 1024), (100, 1000, 5001)].compactMap {
        try? ChunkSizes(minimum: $0.0, average: $0.1, maximum: $0.2)
    }
    fileprivate static let blocks = sizes.map { Cutter.blocks(for: rules($0)) }

    fileprivate static func rules(_ sizes: ChunkSizes) -> ChunkingRules {
        var rules = ChunkingRules()
        rules.sizes = sizes
        return rules
    }
}

private func checkChunking(_ bytes: [UInt8]) throws {
    for (sizes, blocks) in zip(FuzzTarget.sizes, FuzzTarget.blocks) {
        let cutter = FastCDC(sizes: sizes)
        var counts: [Int] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            // Two bytes more than decide it.
            let piece = Array(rest.prefix(sizes.maximum + 2))
            let count = unsafe piece.span.withUnsafeBytes { unsafe cutter.cut($0) }
            try same(count, definedCut(piece, cutter, sizes), "a cut by the definition, of sizes \(sizes)")
            try rule(count > 0 && count <= sizes.maximum, "a chunk of \(count) bytes is none, or above the maximum")
            // What is odd begins a pair of bytes early.
            if count < rest.count { try rule(count >= sizes.minimum & ~1, "a chunk of \(count) bytes is below the minimum") }
            // Bytes beyond the maximum decide nothing.
            let shown = Array(piece.prefix(sizes.maximum))
            try same(unsafe shown.span.withUnsafeBytes { unsafe cutter.cut($0) }, count, "a cut that sees no further than the maximum")
            counts.append(count)
            rest = rest.dropFirst(count)
        }
        for ends in arrivals(of: bytes) where ends.count < 2000 {
            var whole = Cutter(FuzzTarget.rules(sizes), blocks: blocks)
            whole.begin(isChunked: true)
            for piece in pieces(of: bytes, endingAt: ends) {
                try unsafe piece.span.withUnsafeBytes { try unsafe whole.feed($0) { _ in throw BrokenRule("so little is not handed on before its end") } }
            }
            try whole.end { _ in throw BrokenRule("so little is not handed on before its end") }
            let gathered = whole.rest()
            try same(gathered?.byteCounts ?? [], counts, "the cuts of bytes that come in pieces")
            if let gathered {
                try rule(unsafe gathered.block.bytes(0..<bytes.count).elementsEqual(bytes), "what is cut is what came")
                blocks.giveBack(gathered.block)
            }
        }
    }
}

/// The definition a byte at a time, the masks for odd and even bytes apart.
private func definedCut(_ bytes: [UInt8], _ cutter: FastCDC, _ sizes: ChunkSizes) -> Int {
    guard bytes.count > sizes.minimum else { return bytes.count }
    let end = min(bytes.count, sizes.maximum)
    let center = min(sizes.average, end) & ~1
    var hash: UInt64 = 0
    for index in (sizes.minimum & ~1)..<(end & ~1) {
        let mask = FastCDC.mask(bits: sizes.averageBits + (index < center ? 1 : -1))
        hash = hash &<< 1 &+ GearTable.values[Int(bytes[index])]
        // The first of a pair is compared when the hash has been shifted for both.
        if index % 2 == 0 ? (hash &<< 1) & (mask &<< 1) == 0 : hash & mask == 0 { return index }
    }
    return end
}
