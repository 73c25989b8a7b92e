import Database

/// What the extents of one pack say of each other and of its file, as they come by their offset. Pure.
struct PackWalk {
    /// Faults of a kind that are kept of one pack; the next check finds those beyond.
    private static let faultsMax = 1000

    /// Of the pack's file, 0 where it is gone.
    let fileByteCount: Int64
    private(set) var chunkCount: Int64 = 0
    /// The end of the last chunk that lies in the file.
    private(set) var livingEnd: Int64 = 0
    /// Chunks that reach beyond the file, and are not known to be damaged.
    private(set) var lost: [NamedExtent] = []
    /// Chunks and dead extents that lie where nothing can.
    private(set) var placeless: [NamedExtent] = []
    /// Two chunks each that share bytes.
    private(set) var overlaps: [(NamedExtent, NamedExtent)] = []
    /// A chunk and a dead extent each that share bytes.
    private(set) var inDead: [(chunk: NamedExtent, dead: NamedExtent)] = []
    /// Those of the extents so far that reach furthest.
    private var lastChunk: NamedExtent?
    private var lastDead: NamedExtent?

    init(fileByteCount: Int64) { self.fileByteCount = fileByteCount }

    mutating func take(_ extent: NamedExtent) {
        if extent.isDead {
            // One of no bytes is what is left of a chunk that had none.
            if extent.offset < 0 || extent.byteCount < 0 { return append(extent, to: \.placeless) }
            if extent.byteCount == 0 { return }
            if let chunk = lastChunk, extent.offset < chunk.end { append((chunk, extent), to: \.inDead) }
            if extent.end > lastDead?.end ?? 0 { lastDead = extent }
            return
        }
        chunkCount += 1
        // A damaged chunk whose place was taken from it.
        if extent.isDamaged && extent.byteCount == 0 { return }
        if extent.offset < 0 || extent.byteCount <= 0 { return append(extent, to: \.placeless) }
        if let chunk = lastChunk, extent.offset < chunk.end { append((chunk, extent), to: \.overlaps) }
        if let dead = lastDead, extent.offset < dead.end { append((extent, dead), to: \.inDead) }
        if extent.end <= fileByteCount {
            livingEnd = max(livingEnd, extent.end)
        } else if !extent.isDamaged {
            lost.append(extent)
        }
        if extent.end > lastChunk?.end ?? 0 { lastChunk = extent }
    }

    private mutating func append<Fault>(_ fault: Fault, to faults: WritableKeyPath<PackWalk, [Fault]>) {
        if self[keyPath: faults].count < PackWalk.faultsMax { self[keyPath: faults].append(fault) }
    }
}
