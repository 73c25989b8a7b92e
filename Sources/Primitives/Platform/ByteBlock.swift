/// A piece of memory that threads hand to one another, not zeroed. Which of them may touch which part of it, and when, is
/// agreed by those who share it (under a lock, or by handing it on); so an address is kept here and no pointer.
@safe package final class ByteBlock: Sendable {
    private let address: UInt
    package let byteCount: Int

    /// - Parameter byteCount: its size in bytes; above 0. Only pages that are touched take memory.
    package init(byteCount: Int) {
        precondition(byteCount > 0, "a block has at least a byte")
        address = UInt(bitPattern: UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: 64))
        self.byteCount = byteCount
    }

    deinit { unsafe UnsafeMutableRawPointer(bitPattern: address)?.deallocate() }

    /// A part of it, valid as long as the block lives.
    package func memory(_ range: Range<Int>) -> UnsafeMutableRawBufferPointer {
        precondition(range.lowerBound >= 0 && range.upperBound <= byteCount, "a part lies within its block")
        return unsafe UnsafeMutableRawBufferPointer(
            start: UnsafeMutableRawPointer(bitPattern: address + UInt(range.lowerBound)), count: range.count)
    }

    /// The same, to be read only.
    package func bytes(_ range: Range<Int>) -> UnsafeRawBufferPointer { unsafe UnsafeRawBufferPointer(memory(range)) }
}

/// Blocks of one size that wait to be used again, so that the kernel need not clear pages for each. Thread: any.
package final class ByteBlockPool: Sendable {
    private let free = Monitor<[ByteBlock]>([])
    private let keptMax: Int
    /// The size of each block in bytes.
    package let blockByteCount: Int

    /// - Parameter keptMax: how many it keeps at most; those beyond are freed.
    package init(blockByteCount: Int, keptMax: Int) {
        self.blockByteCount = blockByteCount
        self.keptMax = keptMax
    }

    /// A block to oneself, with what an earlier user left in it.
    package func take() -> ByteBlock { free.withLock { $0.popLast() } ?? ByteBlock(byteCount: blockByteCount) }

    /// Gives a block back that nobody touches any more.
    package func giveBack(_ block: ByteBlock) {
        free.withLock { free in
            if free.count < keptMax { free.append(block) }
        }
    }
}
