import Database
import HTTPServer
import Platform
import Storage

/// What is done where stored bytes did not come as they should: they are looked at once more, and those that are lost are
/// marked. From then on the NARs that need them are told to be absent, their paths count as missing, and a push brings them back.
///
/// What says nothing of the bytes themselves (a database that is busy, a directory that does not open) marks nothing, and
/// neither does an error that has passed when they are read again.
///
/// Thread: any that may block.
enum LostBytes {
    /// Whether an error says that stored bytes are lost, or not the NAR's. What a disk cannot read is to be looked at once more (`note`).
    static func areShown(by error: any Error) -> Bool {
        if let problem = error as? Problem { return problem == .incompleteNar }
        return (error as? StorageError)?.saysBytesAreLost ?? false
    }

    /// Remembers what reading a NAR has shown to be lost. Where that cannot be remembered the log says so, and the next who reads
    /// it tries again.
    ///
    /// - Parameter error: what the reading ended with, whatever it was.
    static func note(_ error: any Error, on nar: NarRecord, _ context: Context) {
        if nar.isDamaged { return }
        do {
            switch error {
            case let problem as Problem where problem == .incompleteNar: try examine(nar, context)
            case let error as StorageError: try note(error, on: nar, context)
            default: return
            }
        } catch {
            context.log.error("what is lost of the NAR \(nar.id) could not be marked: \(error)")
        }
    }

    private static func note(_ error: StorageError, on nar: NarRecord, _ context: Context) throws {
        switch error.fate {
        case .missing(let pack), .short(let pack, _):
            switch context.store.packKind {
            case .object: try markLost(ofBucketPack: pack, context.catalog, context.store)
            case .file: try markLost(ofPackFile: pack, context.catalog, context.store)
            }
            context.hot.forgetAll()
        case .unreadable: try examine(nar, context)
        case .unknown: return
        }
    }

    /// Looks again how much is left of a pack in a bucket, and marks what lay beyond.
    ///
    /// - Throws: `StorageError` where the bucket does not say; `DatabaseError`.
    static func markLost(ofBucketPack pack: PackName, _ catalog: Catalog, _ store: any ChunkStore) throws {
        // Asked before the transaction: nothing is appended to such a pack, and writers must not wait for a bucket.
        let left = try store.packByteCount(pack) ?? 0
        try catalog.write { session throws(DatabaseError) in try session.markLost(pack: pack.text, beyond: left) }
    }

    /// The same of a file, which uploads may append to; where it does not say how much is left, nothing is marked.
    private static func markLost(ofPackFile pack: PackName, _ catalog: Catalog, _ store: any ChunkStore) throws(DatabaseError) {
        try catalog.write { session throws(DatabaseError) in
            // Looked at again here, where no upload commits: one may have appended to the pack since, and what rows name by now
            // was in the file before them.
            let left: Int64?
            do throws(StorageError) { left = try store.packByteCount(pack) } catch { return }
            try session.markLost(pack: pack.text, beyond: left ?? 0)
        }
    }

    /// Reads the chunks of a NAR that have bytes in a part of a pack which could not be sent, and marks those that are lost.
    ///
    /// - Parameter part: of whichever pack; a chunk in another at the same place is read for nothing.
    static func note(unsent part: FileExtent, of nar: NarRecord, _ context: Context) {
        if nar.isDamaged { return }
        do {
            let chunks = try context.catalog.read { session throws(DatabaseError) in try session.chunks(ofNar: nar.id) }
            let verifier = NarVerifier(context.catalog, context.store)
            var seen: Set<Int64> = []
            for chunk in chunks where chunk.meets(part) && seen.insert(chunk.id).inserted {
                guard let reason = try verifier.loss(of: chunk) else { continue }
                guard try context.catalog.write({ session throws(DatabaseError) in try session.markLost(chunk) }) else { continue }
                tell(chunk, reason, nar, context)
            }
        } catch {
            context.log.error("what is lost of the NAR \(nar.id) could not be marked: \(error)")
        }
        context.hot.forgetAll()
    }

    /// Reads all of a NAR, and writes into its rows what that told.
    private static func examine(_ nar: NarRecord, _ context: Context) throws {
        // What was seen is of bytes that have been replaced since, where the stored file is another.
        let settling = try NarVerifier(context.catalog, context.store).settle(nar.id) { $0.fileHash == nar.fileHash }
        guard case .settled(let reading) = settling else { return }
        for loss in reading.losses where !loss.isKnown { tell(loss.chunk, loss.reason, nar, context) }
        if reading.losses.isEmpty && !reading.verdict.isWhole {
            context.log.error("the NAR \(nar.id) is not made of its chunks, and is marked as damaged: push its paths again")
        }
        context.hot.forgetAll()
    }

    private static func tell(_ chunk: ChunkRecord, _ reason: String, _ nar: NarRecord, _ context: Context) {
        let place = chunk.place
        context.log.error(
            """
            \(place.byteCount) bytes at \(place.offset) of the pack \(place.pack) are lost: \(reason). They are marked as damaged, and so is \
            every NAR that needs them, as \(nar.id); "atticadm fsck" names the paths, and pushing one of them brings them back
            """)
    }
}

extension ChunkRecord {
    /// Whether some of its bytes lie where those of the part do, were they in one file.
    fileprivate func meets(_ part: FileExtent) -> Bool {
        place.offset < part.offset + part.byteCount && part.offset < place.offset + place.byteCount
    }
}
