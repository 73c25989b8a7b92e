/// Content-defined chunking as Xia et al. describe it in "The Design of Fast Content-Defined Chunking for Data
/// Deduplication Based Storage Systems" (IEEE TPDS, 2020), at normalization level 1.
///
/// A hash rolls over the bytes; where its masked bits are all zero, a chunk ends. So cut points follow the content: an
/// insertion moves them along with the bytes and changes only the chunks that it touches. The hash starts at the minimum
/// (nothing before it can be a cut), asks one bit more than the average wants up to the average, and one bit less beyond.
///
///     |------- minimum -------|---- stricter mask ----|------ laxer mask ------|
///     0                    no hash                 average                  maximum: cut here in any case
///
/// The hash takes two bytes a step: with `h' = h << 2`, the value after the first is known as twice itself,
/// `h' + 2·gear[a]`, which is compared with a mask shifted by one; so both values depend on the one before by a
/// shift and one addition each. It finds the very cut points of the byte-by-byte definition.
package struct FastCDC: Sendable {
    package let sizes: ChunkSizes
    private let strictMask, laxMask: UInt64

    /// A cutter of these sizes.
    package init(sizes: ChunkSizes) {
        self.sizes = sizes
        strictMask = Self.mask(bits: sizes.averageBits + 1)
        laxMask = Self.mask(bits: sizes.averageBits - 1)
    }

    /// The length of the first chunk of `bytes`: 0 of nothing, all of them where no cut is found.
    ///
    /// `sizes.maximum` bytes decide it; more are not looked at. With fewer, an answer that is all of them is final only
    /// when no more will come.
    package func cut(_ bytes: UnsafeRawBufferPointer) -> Int { unsafe cutWithHash(bytes).byteCount }

    /// The same with the hash at the cut, as published vectors have it: the doubled value where the cut is after
    /// an even number of bytes, and 0 where nothing was hashed.
    package func cutWithHash(_ bytes: UnsafeRawBufferPointer) -> (byteCount: Int, hash: UInt64) {
        guard bytes.count > sizes.minimum else { return (bytes.count, 0) }
        let end = min(bytes.count, sizes.maximum)
        // Pairs begin at even offsets; an odd minimum is so rounded down, an odd end loses its last byte to no pair.
        let center = min(sizes.average, end) & ~1
        var scan = Scan(start: sizes.minimum & ~1)
        unsafe GearTable.values.withUnsafeBufferPointer { gear in
            unsafe GearTable.shiftedValues.withUnsafeBufferPointer { shiftedGear in
                unsafe scan.run(bytes, to: center, mask: strictMask, gear, shiftedGear)
                if !scan.isCut { unsafe scan.run(bytes, to: end & ~1, mask: laxMask, gear, shiftedGear) }
            }
        }
        return (scan.isCut ? scan.position : end, scan.hash)
    }

    /// Where the hash has come to.
    private struct Scan {
        var position: Int
        var hash: UInt64 = 0
        var isCut = false

        init(start: Int) { position = start }

        /// Rolls on up to `end`, or to the first cut. State in locals, raw pointers, no call inside: nothing that would
        /// keep the loop from two bytes in a dozen instructions.
        @inline(__always)
        mutating func run(
            _ bytes: UnsafeRawBufferPointer, to end: Int, mask: UInt64,
            _ gear: UnsafeBufferPointer<UInt64>, _ shiftedGear: UnsafeBufferPointer<UInt64>
        ) {
            let shiftedMask = mask &<< 1
            var index = position
            var hash = hash
            while index < end {
                let first = unsafe shiftedGear[Int(bytes[index])]
                let second = unsafe gear[Int(bytes[index &+ 1])]
                let shifted = hash &<< 2
                let doubled = shifted &+ first
                // Not `doubled + second`: the two sums need not wait for each other.
                hash = shifted &+ (first &+ second)
                if doubled & shiftedMask == 0 {
                    self = Scan(cutAt: index, hash: doubled)
                    return
                }
                if hash & mask == 0 {
                    self = Scan(cutAt: index &+ 1, hash: hash)
                    return
                }
                index &+= 2
            }
            position = index
            self.hash = hash
        }

        private init(cutAt position: Int, hash: UInt64) {
            self.position = position
            self.hash = hash
            isCut = true
        }
    }

    /// The mask with `bits` bits set, spread as the authors' program spreads them; one more bit halves the chance of a cut.
    static func mask(bits: Int) -> UInt64 {
        precondition(masks.indices.contains(bits - masksFirst), "chunk sizes are bounded so that each has its mask")
        return masks[bits - masksFirst]
    }

    private static let masksFirst = 7
    private static let masks: [UInt64] = [
        0x0000_0000_1803_5100, 0x0000_0018_0003_5300, 0x0000_0190_0035_3000, 0x0000_5900_0353_0000,
        0x0000_d900_0353_0000, 0x0000_d901_0353_0000, 0x0000_d903_0353_0000, 0x0000_d903_1353_0000,
        0x0000_d90f_0353_0000, 0x0000_d903_0353_7000, 0x0000_d907_0353_7000, 0x0000_d907_0753_7000,
        0x0000_d917_0753_7000, 0x0000_d917_4753_7000, 0x0000_d917_6753_7000, 0x0000_d937_6753_7000,
        0x0000_d937_7753_7000,
    ]
}
