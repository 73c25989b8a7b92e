import Platform

extension LocalChunkStore {
    /// As `ChunkStore.punch`. The kernel frees whole file system blocks (4 KiB as a rule); of a block that a dead
    /// extent covers in part only those bytes are zeroed, and the space comes back with the pack.
    ///
    /// No lock is needed: a dead extent lies below the committed end of its pack, and writers append above.
    package func punch(_ extents: [Extent]) throws(StorageError) {
        var firstFailure: StorageError?
        for (pack, extents) in Dictionary(grouping: extents, by: \.pack).sorted(by: { $0.key < $1.key }) {
            do throws(SystemError) {
                try punch(Self.merged(extents), in: layout.file(of: pack))
            } catch where error.errno == .noSuchFile {
            } catch { firstFailure = firstFailure ?? StorageError(error) }
        }
        if let firstFailure { throw firstFailure }
    }

    private func punch(_ extents: [Extent], in path: String) throws(SystemError) {
        let file = try File.open(path, .readWrite)
        var firstFailure: Errno?
        for extent in extents where extent.byteCount > 0 {
            do { try file.punchHole(at: extent.offset, byteCount: extent.byteCount) } catch {
                firstFailure = firstFailure ?? error
            }
        }
        if let firstFailure { throw SystemError("punch a hole into", path, firstFailure) }
    }

    /// Extents of one pack in order, those that touch or overlap made one: the block that two dead neighbours
    /// share is freed too.
    static func merged(_ extents: [Extent]) -> [Extent] {
        var merged: [Extent] = []
        for extent in extents.sorted(by: { $0.offset < $1.offset }) {
            if let last = merged.last, extent.offset <= last.end {
                merged[merged.count - 1] = Extent(
                    pack: last.pack, offset: last.offset, byteCount: max(last.end, extent.end) - last.offset)
            } else {
                merged.append(extent)
            }
        }
        return merged
    }

    package func removePack(_ name: PackName, ifStill: () throws -> Bool) throws(StorageError) -> Bool {
        let path = layout.file(of: name)
        func isStillDead() throws(StorageError) -> Bool {
            do { return try ifStill() } catch { throw StorageError("remove", path, .checkFailed("\(error)")) }
        }
        guard let file = try openIfThere(path) else {
            forget(name)
            return try isStillDead()
        }
        do {
            guard try file.tryLockExclusive() else { return false }
        } catch { throw StorageError(SystemError("lock", path, error)) }
        // From here on no writer can have it. One that had it before has committed: the caller sees its rows now.
        guard try isStillDead() else { return false }
        try sorted { () throws(SystemError) in try removeName(name) }
        return true
    }

    package func discard(_ name: PackName) throws(StorageError) { _ = try removePack(name) { true } }

    package func truncatePack(_ name: PackName, to byteCount: Int64) throws(StorageError) -> Bool {
        let path = layout.file(of: name)
        guard let file = try openIfThere(path) else { throw StorageError("cut", path, .missing(name)) }
        do {
            guard try file.tryLockExclusive() else { return false }
            if try file.status().byteCount > byteCount { try file.truncate(to: byteCount) }
            return true
        } catch { throw StorageError(SystemError("cut", path, error)) }
    }

    /// Removes a pack that a writer leaves empty. Where that fails the next start removes it.
    func removeLocked(_ pack: LockedPack) {
        do { try removeName(pack.name) } catch { log.warning("\(error); the next start will") }
    }

    /// Removes a locked pack's name, and the shard's where it was the last in it.
    func removeName(_ name: PackName) throws(SystemError) {
        do throws(SystemError) { try File.remove(layout.file(of: name)) } catch {
            if error.errno != .noSuchFile { throw error }
        }
        forget(name)
        // Refused where other packs are in it, and where another process was faster: both are well.
        try? Directory.removeEmpty(layout.shard(of: name))
    }

    private func openIfThere(_ path: String) throws(StorageError) -> FileDescriptor? {
        do throws(SystemError) { return try File.open(path, .readWrite) } catch {
            if error.errno == .noSuchFile { return nil }
            throw StorageError(error)
        }
    }
}
