import Logging
import Platform

/// Packs as files of a local directory.
///
/// Who may do what is settled by locks of the kernel (flock), which end with their process however it ends:
///
/// - `LOCK` in the directory is held by the one server that writes there; a collector in another process needs none.
/// - A writer holds the lock of each pack it appends to, from the first append until it ends. A pack that is idle
///   is not locked. Whoever wants to append to one locks it and then looks whether its name is still there (link
///   count) and whether it ends where the pool left it; else takes another.
/// - Who wants to remove a pack locks it without waiting, asks the database once more, and removes the name. So a
///   pack is never removed under a writer, and a writer never appends to a pack that was removed.
package final class LocalChunkStore: ChunkStore {
    package var packKind: PackKind { .file }
    let layout: LocalLayout
    /// Tells the directory from all others; nil where nobody has opened it for serving since there are ids.
    package let id: String?
    let sealByteCount: Int64
    let pool = PackPool()
    let log: Logger
    private let files: OpenPackCache
    private let newName: @Sendable () -> PackName
    /// Held for as long as the store lives.
    private let serverLock: OpenFile?

    /// Opens a storage directory, and makes it where it is not there.
    ///
    /// - Parameters:
    ///   - path: the directory. Only its owner may look into a new one: private caches lie in it.
    ///   - sealByteCount: a pack that has reached this many bytes gets no more. The last chunk may reach beyond.
    ///   - openFilesMax: how many packs stay open for readers.
    ///   - newName: names packs that are made; none twice.
    ///   - forServing: takes the directory's lock as the one that writes; without it nothing can be borrowed.
    ///   - id: of a new directory, where it is a copy; nil: one of its own.
    /// - Throws: `.inUse` where another server has the directory, `.unknownVersion` where another layout lies in it.
    package init(
        path: String, sealByteCount: Int64 = 64 << 20, openFilesMax: Int = 256, forServing: Bool = true, id: String? = nil,
        log: Logger = Logger(label: "tetryx.storage"), newName: @escaping @Sendable () -> PackName = { .random() }
    ) throws(StorageError) {
        precondition(sealByteCount >= 1, "a pack holds at least a byte")
        let layout = LocalLayout(root: path)
        self.layout = layout
        self.sealByteCount = sealByteCount
        self.log = log
        files = OpenPackCache(countMax: openFilesMax)
        self.newName = newName
        try sorted { () throws(SystemError) in try Directory.make(path, permissions: 0o700, isDurable: true) }
        serverLock = forServing ? try Self.lock(layout.lock, waitingAtMost: Self.serverPatience) : nil
        if forServing && serverLock == nil { throw StorageError("lock", layout.lock, .inUse) }
        self.id = try StorageVersion.check(layout, id: id ?? PackName.random().text, forServing: forServing)
        // A medium that takes nothing is read as it is.
        if !forServing && File.exists(layout.packs) { return }
        try sorted { () throws(SystemError) in
            try Directory.make(layout.packs, permissions: 0o700)
            try File.syncDirectory(path)
        }
    }

    /// How long a server waits for the lock of its directory: a collection outside of it has that for as long as a batch of bytes takes
    /// to be given back.
    private static let serverPatience = Duration.seconds(2)

    /// Takes the lock of a storage directory, as who writes there does, and touches nothing else; nil where somebody has it.
    package static func lockDirectory(_ path: String) throws(StorageError) -> OpenFile? {
        try lock(LocalLayout(root: path).lock, waitingAtMost: .milliseconds(200))
    }

    /// Takes the lock of a file, which is made where it is not there; nil where somebody else has it all the time.
    static func lock(_ path: String, waitingAtMost patience: Duration) throws(StorageError) -> OpenFile? {
        let file = try sorted { () throws(SystemError) in
            OpenFile(try File.open(path, .openOrCreate(permissions: 0o600)))
        }
        let deadline = MonotonicTime.now + patience
        do {
            while true {
                if try file.descriptor.tryLockExclusive() { return file }
                if MonotonicTime.now >= deadline { return nil }
                MonotonicTime.sleep(.milliseconds(20))
            }
        } catch { throw StorageError(SystemError("lock", path, error)) }
    }

    // MARK: Writing

    package func borrowPack() throws(StorageError) -> any PackWriter {
        precondition(serverLock != nil, "only a store that was opened for serving is appended to")
        return LocalPackWriter(store: self)
    }

    /// A pack for one writer: an idle one, else a new one.
    func lockPack() throws(StorageError) -> LockedPack {
        // Packs that could not be had this time, for others to try later.
        var setAside: [PackPool.Idle] = []
        var refused: [(idle: PackPool.Idle, error: SystemError)] = []
        defer { for idle in setAside { pool.put(idle) } }
        func giveUpRefused() {
            for (_, error) in refused { log.warning("\(error); other packs are appended to from now on") }
        }
        while let idle = pool.takeFullest() {
            do throws(SystemError) {
                switch try lock(idle) {
                case .ready(let pack):
                    giveUpRefused()
                    return pack
                case .inUse: setAside.append(idle)
                case .unusable: continue
                }
            } catch { refused.append((idle, error)) }
        }
        do throws(SystemError) {
            let pack = try makePack()
            giveUpRefused()
            return pack
        } catch {
            // It is not these packs: whoever asked is told, and they are for later.
            setAside += refused.map(\.idle)
            throw StorageError(error)
        }
    }

    private enum Locking { case ready(LockedPack), inUse, unusable }

    private func lock(_ idle: PackPool.Idle) throws(SystemError) -> Locking {
        let path = layout.file(of: idle.name)
        let file: FileDescriptor
        do throws(SystemError) { file = try File.open(path, .readWrite) } catch {
            if error.errno == .noSuchFile { return .unusable }
            throw error
        }
        do throws(Errno) {
            guard try file.tryLockExclusive() else { return .inUse }
            let status = try file.status()
            if status.linkCount == 0 { return .unusable }
            if status.byteCount != idle.byteCount {
                // Rows may name bytes beyond a file that was cut by hand: what is appended there would pass for them.
                log.warning("\(path) has \(status.byteCount) bytes, not \(idle.byteCount); it is not appended to any more")
                return .unusable
            }
        } catch { throw SystemError("lock", path, error) }
        return .ready(LockedPack(name: idle.name, path: path, file: file, byteCount: idle.byteCount))
    }

    private func makePack() throws(SystemError) -> LockedPack {
        while true {
            let name = newName()
            let path = layout.file(of: name)
            let file: FileDescriptor
            do throws(SystemError) {
                try Directory.make(layout.shard(of: name), permissions: 0o700)
                file = try File.open(path, .create(permissions: 0o600))
            } catch where error.errno == .noSuchFile && File.exists(layout.packs) {
                // Between the two calls a collector removed the shard, which was empty.
                continue
            } catch {
                // Made for the pack, and of no use without it; refused where there are others.
                try? Directory.removeEmpty(layout.shard(of: name))
                throw error
            }
            do throws(Errno) {
                // Between the two calls somebody may have locked it as a file that no row names: to look at it, or to remove it. It is
                // nobody's then, and goes.
                guard try file.tryLockExclusive() else {
                    try? removeName(name)
                    continue
                }
                guard try file.status().linkCount > 0 else { continue }
            } catch { throw SystemError("lock", path, error) }
            return LockedPack(name: name, path: path, file: file, byteCount: 0)
        }
    }

    // MARK: Reading

    private func openFile(_ name: PackName) throws(StorageError) -> (file: OpenFile, byteCount: Int64) {
        let path = layout.file(of: name)
        do throws(SystemError) {
            let file: OpenFile
            if let kept = files.find(name) {
                file = kept
            } else {
                file = files.keep(OpenFile(try openForReading(path)), for: name)
            }
            do throws(Errno) {
                let status = try file.descriptor.status()
                if status.linkCount > 0 { return (file, status.byteCount) }
            } catch { throw SystemError("look at", path, error) }
            files.drop(name)
        } catch where error.errno == .noSuchFile {
        } catch { throw StorageError(error) }
        throw StorageError("open", path, .missing(name))
    }

    private func openForReading(_ path: String) throws(SystemError) -> FileDescriptor {
        do throws(SystemError) { return try File.open(path, .read) } catch {
            guard error.errno == .tooManyFiles || error.errno == .tooManyFilesInSystem else { throw error }
            // What is kept open only in case someone asks goes first.
            files.dropAll()
            return try File.open(path, .read)
        }
    }

    package func openPack(_ name: PackName) throws(StorageError) -> OpenPack {
        let (file, byteCount) = try openFile(name)
        return OpenPack(name: name, file: file, byteCount: byteCount)
    }

    package func read(_ extent: Extent) throws(StorageError) -> [UInt8] {
        let pack = try openFile(extent.pack)
        let available = max(0, min(extent.byteCount, pack.byteCount - extent.offset))
        // Checked before the memory is asked for: a damaged row may name any length.
        guard available == extent.byteCount else { throw short(extent, found: available) }
        var found = 0
        let bytes: [UInt8]
        do throws(Errno) {
            bytes = try [UInt8](capacity: Int(extent.byteCount)) { output throws(Errno) in
                try unsafe output.withUnsafeMutableBufferPointer { buffer, count throws(Errno) in
                    count = try unsafe pack.file.descriptor.readFully(
                        at: extent.offset, into: UnsafeMutableRawBufferPointer(buffer))
                    found = count
                }
            }
        } catch { throw StorageError(SystemError("read", layout.file(of: extent.pack), error)) }
        // Cut off since its size was asked for.
        guard Int64(found) == extent.byteCount else { throw short(extent, found: Int64(found)) }
        return bytes
    }

    package func read(_ extents: [Extent], _ take: (UnsafeRawBufferPointer) throws -> Void) throws {
        for extent in extents {
            for piece in extent.pieces(ofAtMost: LocalChunkStore.pieceByteCount) {
                let bytes = try read(piece)
                try unsafe bytes.withUnsafeBytes { try unsafe take($0) }
            }
        }
    }

    private static let pieceByteCount: Int64 = 1 << 20

    private func short(_ extent: Extent, found: Int64) -> StorageError {
        StorageError("read", layout.file(of: extent.pack), .short(extent, found: found))
    }

    package func packNames() throws(StorageError) -> [PackName] {
        try packFiles().compactMap(\.pack).sorted()
    }

    package func packByteCount(_ name: PackName) throws(StorageError) -> Int64? {
        do { return try File.status(layout.file(of: name)).byteCount } catch {
            if error.errno == .noSuchFile { return nil }
            throw StorageError(error)
        }
    }

    /// Everything in the shards, packs and strangers.
    func packFiles() throws(StorageError) -> [(path: String, pack: PackName?)] {
        try sorted { () throws(SystemError) in
            var found: [(path: String, pack: PackName?)] = []
            for shard in try Directory.names(layout.packs) where LocalLayout.isShard(shard) {
                let names: [String]
                do throws(SystemError) { names = try Directory.names("\(layout.packs)/\(shard)") } catch {
                    // Removed since it was listed.
                    if error.errno == .noSuchFile { continue }
                    throw error
                }
                for name in names {
                    found.append(("\(layout.packs)/\(shard)/\(name)", LocalLayout.pack(fileName: name, shard: shard)))
                }
            }
            return found
        }
    }
}

extension LocalChunkStore {
    /// Lets go of files that another process removed: while this one has them open their space is not freed.
    /// For upkeep, now and then.
    ///
    /// - Returns: how many there were.
    @discardableResult
    package func releaseRemovedFiles() -> Int { files.dropRemoved() }

    /// How many packs are open for readers.
    package var openFileCount: Int { files.count }

    func forget(_ name: PackName) {
        files.drop(name)
        pool.drop(name)
    }
}
