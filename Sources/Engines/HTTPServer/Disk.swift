import Platform

/// What a loop asks of the files that it sends: whether their bytes are in memory; and what a reader does where they are
/// not. Tests put a disk of their own in its place.
package protocol Disk: Sendable {
    /// Whether the extent can be sent without waiting for the disk. Thread: loop; must not wait.
    func isInMemory(_ extent: FileExtent) -> Bool

    /// Brings the extent into memory, and returns when it is there or cannot be. Thread: reader; waits for the disk.
    ///
    /// - Parameter following: what is going to be sent behind it; the disk may begin with that.
    func read(_ extent: FileExtent, following: ArraySlice<FileExtent>)
}

/// The kernel's page cache.
package struct PageCache: Disk {
    package init() {}

    package func isInMemory(_ extent: FileExtent) -> Bool {
        extent.file.descriptor.isInMemory(at: extent.offset, byteCount: extent.byteCount)
    }

    package func read(_ extent: FileExtent, following: ArraySlice<FileExtent>) {
        // In one request to the disk, before the calls below would ask piece by piece.
        extent.file.descriptor.willNeed(at: extent.offset, byteCount: extent.byteCount)
        for next in following { next.file.descriptor.willNeed(at: next.offset, byteCount: next.byteCount) }
        var buffer = ByteBuffer(capacity: PageCache.pieceBytes)
        var done: Int64 = 0
        while done < extent.byteCount {
            let most = Int(min(extent.byteCount - done, Int64(PageCache.pieceBytes)))
            let piece = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer.room.prefix(most))
            // What cannot be read is found out, and told, by whoever sends it.
            guard let count = unsafe try? extent.file.descriptor.read(at: extent.offset + done, into: piece), count > 0 else { return }
            done += Int64(count)
            buffer.clear()
        }
    }

    private static let pieceBytes = 128 << 10
}
