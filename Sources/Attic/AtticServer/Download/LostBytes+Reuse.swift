import Database
import Storage

extension LostBytes {
    /// Whether a NAR that is here already can stand for the one that somebody pushes: all its stored bytes are there, and are what was
    /// written. What is found to be lost is marked; then the bytes of the push are taken in, and bring it back. They must never be thrown
    /// away for others that do not come back.
    ///
    /// Each frame is compared with its checksum, and opened where it has none or another. Not looked at but for the packs' sizes are those
    /// of a bucket, which vouches for what it has taken, and of a NAR of many gigabytes, whose client would not wait so long.
    ///
    /// Thread: any that may block.
    static func canReuse(_ nar: NarRecord, _ context: Context) throws -> Bool {
        guard !nar.isDamaged, try nar.isIntact(in: context.store, of: context.catalog) else { return false }
        guard context.store.packKind == .file, nar.fileSize <= Bounds.reusedFileBytesMax else { return true }
        let chunks = try context.catalog.read { session throws(DatabaseError) in try session.chunks(ofNar: nar.id) }
        let verifier = NarVerifier(context.catalog, context.store)
        var seen: Set<Int64> = []
        var isWhole = true
        for chunk in chunks where seen.insert(chunk.id).inserted {
            guard let reason = try verifier.lossOfFrame(of: chunk) else { continue }
            isWhole = false
            // Where it was moved or replaced meanwhile the pipeline finds out how it is.
            guard try context.catalog.write({ session throws(DatabaseError) in try session.markLost(chunk) }) else { continue }
            tell(chunk, reason, nar, context)
        }
        if !isWhole { context.hot.forgetAll() }
        return isWhole
    }
}
