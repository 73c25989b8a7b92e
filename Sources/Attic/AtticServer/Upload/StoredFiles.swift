import Compression
import Crypto
import Database
import Platform
import Storage

/// The stored files of an upload's NARs: frames go into a pack in the order of their chunks, whatever order the press is
/// done in, and each NAR's file is hashed on the way.
///
/// Whoever brings the batch that is next writes it, and those behind it that wait already: so the thread that reads the
/// upload never writes, and no thread waits for another but at the bound on batches under way. A press thread that writes
/// may wait for the disk.
///
/// Thread: press brings batches; transfer makes room, and takes what came of it.
final class StoredFiles: Sendable {
    /// What one NAR is stored as.
    struct File: Sendable {
        /// Of its frames, one after another; set when the NAR's last is written.
        var hash: SHA256Digest?
        var byteCount: Int64 = 0
        /// Stored bytes that were in the store before, or in an earlier NAR, of `byteCount`.
        var knownByteCount: Int64 = 0
        var chunks: [Commit.Chunk] = []
    }

    /// Pressed chunks, and for each the NAR that it belongs to, counted from 0.
    struct Batch: Sendable {
        let pressed: [ChunkBatch.Pressed]
        let nars: [Int]
    }

    /// Which batches are where.
    private struct Order {
        var underWayCount = 0
        /// Of those, what the press lent beyond what each upload may have.
        var borrowedCount = 0
        /// Pressed, and not at their turn.
        var waiting: [Int: Batch] = [:]
        var next = 0
        /// A thread is writing; others leave what they bring.
        var isWriting = false
        /// The first failure; what comes after it is dropped.
        var failure: (any Error)?
    }

    /// What the writing thread works on.
    private final class Writing {
        let writer: any PackWriter
        var files: [File] = [File()]
        /// Of the file that is being written, so far.
        var hash = SHA256()
        /// Each chunk of this upload as it stood first, and its frame: where it lies, and its checksum.
        var placed: [SHA256Digest: (chunk: Commit.Chunk, extent: Extent, checksum: UInt64)] = [:]
        /// The frame that was read back last.
        var lastRepeated: (extent: Extent, frame: [UInt8])?

        init(writer: any PackWriter) { self.writer = writer }
    }

    private let press: Press
    private let order = Monitor(Order())
    private let writing: Monitor<Writing>

    /// Batches that each upload may have under way, however many uploads there are. More are borrowed from the press.
    private static let batchesMin = 4

    init(_ store: any ChunkStore, _ press: Press) throws(StorageError) {
        self.press = press
        writing = Monitor(Writing(writer: try store.borrowPack()))
    }

    // MARK: Thread: transfer

    /// Waits until another batch may be pressed. Each that is let in is brought once.
    ///
    /// - Throws: what an earlier batch failed with.
    func admit() throws {
        let press = press
        let failure = order.wait { order -> Result<Void, any Error>? in
            if let failure = order.failure { return .failure(failure) }
            if order.underWayCount - order.borrowedCount >= StoredFiles.batchesMin {
                // Asked again when one of its own is done, which is soon enough.
                guard press.lendBatch() else { return nil }
                order.borrowedCount += 1
            }
            order.underWayCount += 1
            return .success(())
        }
        try failure.get()
    }

    /// Waits until all that was let in is written, and makes it durable.
    ///
    /// - Parameter narCount: how many NARs there were; a file for each.
    func finish(narCount: Int) throws -> (files: [File], packs: [WrittenPack]) {
        settle()
        if let failure = order.withLock({ $0.failure }) { throw failure }
        return try writing.withLock { writing in
            StoredFiles.turn(to: narCount, writing)
            try writing.writer.makeDurable()
            return (Array(writing.files[..<narCount]), writing.writer.packs)
        }
    }

    /// The bytes stay: they are committed.
    func keep() { writing.withLock { $0.writer.giveBack() } }

    /// The bytes stay until the next start finds out whether they are committed.
    func leave() { writing.withLock { $0.writer.leave() } }

    /// What was written is cut off again, once nothing is being pressed any more.
    func abandon() {
        settle()
        writing.withLock { $0.writer.abandon() }
    }

    private func settle() { order.wait { $0.underWayCount == 0 ? () : nil } }

    // MARK: Thread: press

    /// Brings a batch: writes it, where it is next, and what waits behind it.
    func bring(_ batch: Result<Batch, any Error>, number: Int) {
        let isTurn = order.update { order in
            switch batch {
            case .success(let batch): order.waiting[number] = batch
            case .failure(let error):
                order.failure = order.failure ?? error
                order.waiting[number] = Batch(pressed: [], nars: [])
            }
            if order.isWriting { return false }
            order.isWriting = true
            return true
        }
        guard isTurn else { return }
        while let batch = takeNext() {
            do { try write(batch) } catch { order.update { $0.failure = $0.failure ?? error } }
            let wasBorrowed = order.update { order in
                order.underWayCount -= 1
                guard order.borrowedCount > 0 else { return false }
                order.borrowedCount -= 1
                return true
            }
            if wasBorrowed { press.takeBackBatch() }
        }
    }

    private func takeNext() -> Batch? {
        order.update { order in
            guard let batch = order.waiting.removeValue(forKey: order.next) else {
                order.isWriting = false
                return nil
            }
            order.next += 1
            return order.failure == nil ? batch : Batch(pressed: [], nars: [])
        }
    }

    private func write(_ batch: Batch) throws {
        try writing.withLock { writing in
            for (pressed, nar) in zip(batch.pressed, batch.nars) {
                StoredFiles.turn(to: nar, writing)
                try write(pressed, writing)
            }
        }
    }

    /// The frames that come now are of that NAR: the files of those before it are complete.
    private static func turn(to nar: Int, _ writing: Writing) {
        while writing.files.count <= nar {
            writing.files[writing.files.count - 1].hash = writing.hash.finish()
            writing.files.append(File())
        }
    }

    private func write(_ pressed: ChunkBatch.Pressed, _ writing: Writing) throws {
        if let first = writing.placed[pressed.hash] {
            // The press may have seen it as new in two batches at once; in order, only the first counts.
            let frame = switch pressed.frame {
            case .known(_, let stored, _): stored
            case .fresh(let frame, _, _): frame
            case .repeated: try StoredFiles.readBack(first.extent, first.checksum, writing)
            }
            StoredFiles.add(frame, isKnown: true, first.chunk, writing)
            return
        }
        switch pressed.frame {
        case .known(let record, let stored, let checksum):
            guard let pack = PackName(record.place.pack) else {
                preconditionFailure("a known chunk's frame was read from a pack")
            }
            let chunk = Commit.Chunk.known(
                id: record.id, hash: pressed.hash, newChecksum: checksum == record.frameChecksum ? nil : checksum)
            let extent = Extent(pack: pack, offset: record.place.offset, byteCount: record.place.byteCount)
            writing.placed[pressed.hash] = (chunk, extent, checksum)
            StoredFiles.add(stored, isKnown: true, chunk, writing)
        case .fresh(let frame, let checksum, let repairs):
            let extent = try unsafe frame.span.withUnsafeBytes { bytes in try unsafe writing.writer.append(bytes) }
            let chunk = Commit.Chunk.stored(
                hash: pressed.hash, byteCount: pressed.byteCount,
                frame: StoredFrame(
                    extent: StoredExtent(pack: extent.pack.text, offset: extent.offset, byteCount: extent.byteCount),
                    checksum: checksum),
                repair: repairs)
            writing.placed[pressed.hash] = (chunk, extent, checksum)
            StoredFiles.add(frame, isKnown: false, chunk, writing)
        case .repeated:
            preconditionFailure("a repeated chunk stands after the chunk that it repeats")
        }
    }

    /// A frame of this upload, or one that it found. Of a NAR that has the same chunk again and again it is read once.
    ///
    /// - Throws: `Problem.busy` where it is not what it was: the chunk was stored anew by another push, and the place given back.
    private static func readBack(_ extent: Extent, _ checksum: UInt64, _ writing: Writing) throws -> [UInt8] {
        if let last = writing.lastRepeated, last.extent == extent { return last.frame }
        let frame: [UInt8]
        do { frame = try writing.writer.read(extent) } catch where LostBytes.areShown(by: error) {
            throw Problem.busy(retryAfterSeconds: 1)
        }
        guard FrameChecksum.of(frame) == checksum else { throw Problem.busy(retryAfterSeconds: 1) }
        writing.lastRepeated = (extent, frame)
        return frame
    }

    private static func add(_ frame: [UInt8], isKnown: Bool, _ chunk: Commit.Chunk, _ writing: Writing) {
        writing.hash.update(frame)
        let file = writing.files.count - 1
        writing.files[file].byteCount += Int64(frame.count)
        if isKnown { writing.files[file].knownByteCount += Int64(frame.count) }
        writing.files[file].chunks.append(chunk)
    }
}
