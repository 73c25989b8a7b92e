import Logging
import Platform

/// A pack that a writer has to itself: open, and locked with flock(2) until the descriptor closes.
final class LockedPack {
    let name: PackName
    let path: String
    let file: FileDescriptor
    /// Where this writer began.
    let beginByteCount: Int64
    /// The end of the last whole append.
    var byteCount: Int64
    /// Up to here the disk has been told to write.
    var writebackEnd: Int64
    /// A failed append may have left bytes behind the end.
    var hasStrayBytes = false

    init(name: PackName, path: String, file: consuming FileDescriptor, byteCount: Int64) {
        self.name = name
        self.path = path
        self.file = file
        beginByteCount = byteCount
        self.byteCount = byteCount
        writebackEnd = byteCount
    }
}

/// Appends to packs of a local directory. Thread: one at a time.
///
/// It locks its first pack with the first append and the next when that is full, and keeps all of them locked
/// until it ends: between commit and end no row of theirs may be taken for garbage, and before the commit none of
/// them has a row at all.
final class LocalPackWriter: PackWriter {
    private let store: LocalChunkStore
    private var touched: [LockedPack] = []
    private var isEnded = false

    /// Bytes that the disk is given at once.
    private static let writebackByteCount: Int64 = 4 << 20

    init(store: LocalChunkStore) { self.store = store }

    deinit { abandon() }

    func append(_ bytes: UnsafeRawBufferPointer) throws(StorageError) -> Extent {
        precondition(!isEnded, "a writer that was given back or abandoned appends no more")
        precondition(bytes.count > 0, "a stored chunk is never empty")
        let pack = try currentPack()
        do { try unsafe pack.file.writeAll(at: pack.byteCount, bytes) } catch {
            pack.hasStrayBytes = true
            throw StorageError(SystemError("append to", pack.path, error))
        }
        let extent = Extent(pack: pack.name, offset: pack.byteCount, byteCount: Int64(bytes.count))
        pack.byteCount = extent.end
        startWriteback(pack)
        return extent
    }

    /// Keeps the disk busy while the rest of the upload comes, so that making it durable at the end waits for little.
    private func startWriteback(_ pack: LockedPack) {
        let waiting = pack.byteCount - pack.writebackEnd
        guard waiting >= Self.writebackByteCount || waiting > 0 && isSealed(pack) else { return }
        pack.file.startWriteback(at: pack.writebackEnd, byteCount: waiting)
        pack.writebackEnd = pack.byteCount
    }

    private func currentPack() throws(StorageError) -> LockedPack {
        if let last = touched.last, !isSealed(last) { return last }
        let pack = try store.lockPack()
        touched.append(pack)
        return pack
    }

    private func isSealed(_ pack: LockedPack) -> Bool { pack.byteCount >= store.sealByteCount }

    func read(_ extent: Extent) throws(StorageError) -> [UInt8] { try store.read(extent) }

    func makeDurable() throws(StorageError) {
        var directories: Set<String> = []
        for pack in touched where pack.byteCount > pack.beginByteCount {
            do { try pack.file.syncBytes() } catch { throw StorageError(SystemError("sync", pack.path, error)) }
            // A new file's name is in its shard, and the shard's in the directory of packs: the shard may be new too,
            // made by another writer that has not synced it yet.
            if pack.beginByteCount == 0 { directories.insert(store.layout.shard(of: pack.name)) }
        }
        if !directories.isEmpty { directories.insert(store.layout.packs) }
        for directory in directories {
            try sorted { () throws(SystemError) in try File.syncDirectory(directory) }
        }
    }

    var packs: [WrittenPack] {
        touched.filter { $0.byteCount > $0.beginByteCount }.map { pack in
            WrittenPack(
                name: pack.name, byteCount: pack.byteCount, beginByteCount: pack.beginByteCount, isSealed: isSealed(pack))
        }
    }

    func giveBack() {
        for pack in touched where !isEnded {
            if pack.hasStrayBytes && !cut(pack, to: pack.byteCount) { continue }
            release(pack)
        }
        isEnded = true
        touched = []
    }

    func abandon() {
        for pack in touched where !isEnded {
            guard cut(pack, to: pack.beginByteCount) else { continue }
            pack.byteCount = pack.beginByteCount
            release(pack)
        }
        isEnded = true
        touched = []
    }

    func leave() {
        // The locks end with the descriptors. The pool has none of these packs: they are not appended to any more.
        isEnded = true
        touched = []
    }

    /// Lets others have the pack. One that has nothing in it, and so no row, is removed.
    private func release(_ pack: LockedPack) {
        if pack.byteCount == 0 { return store.removeLocked(pack) }
        if isSealed(pack) { return }
        do {
            // Unlocked first: the pool offers only packs that can be locked.
            try pack.file.unlock()
            store.pool.put(PackPool.Idle(name: pack.name, byteCount: pack.byteCount))
        } catch { store.log.warning("cannot unlock \(pack.path): \(error); it is not appended to any more") }
    }

    /// False where it failed: nobody appends to the pack then until the next start has looked at it.
    private func cut(_ pack: LockedPack, to byteCount: Int64) -> Bool {
        do {
            try pack.file.truncate(to: byteCount)
            return true
        } catch {
            store.log.warning("cannot cut \(pack.path) to \(byteCount) bytes: \(error); the next start will")
            return false
        }
    }
}
