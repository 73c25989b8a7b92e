import Platform

/// The steps of an upload and of a collection after which a test can end the process.
extension FaultSite {
    /// What a request changes is changed; nobody was told.
    static let changed = FaultSite("changed")
    /// A NAR has come whole, and is what was announced.
    static let narReceived = FaultSite("nar-received")
    /// All bytes of an upload are on the disk; no row names them.
    static let bytesDurable = FaultSite("bytes-durable")
    /// The upload's transaction is durable; nobody was told.
    static let committed = FaultSite("committed")
    /// The upload's packs were given back; nobody was told.
    static let bytesKept = FaultSite("bytes-kept")

    /// A transaction of a collection is durable.
    static let rowsSwept = FaultSite("rows-swept")
    /// The row of a pack without living chunks is gone; its file is there.
    static let packForgotten = FaultSite("pack-forgotten")
    /// The file of such a pack is gone.
    static let packRemoved = FaultSite("pack-removed")
    /// The bytes of dead extents were given back; their rows are there.
    static let extentsPunched = FaultSite("extents-punched")

    /// Chunks were copied into a new pack of a bucket; their rows name the old ones.
    static let packCopied = FaultSite("pack-copied")
    /// Their rows name the new one.
    static let chunksMoved = FaultSite("chunks-moved")
}
