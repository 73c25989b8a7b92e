import Platform

extension LocalChunkStore {
    /// Copies extents of a pack into a pack of the same name in another directory, where they lie at the same places; between
    /// them the copy has holes. It is durable when this returns, but for its name: then `syncNames`.
    ///
    /// - Parameters:
    ///   - extents: of that pack, each small enough to be in memory.
    ///   - byteCount: how long the copy is to be, where nothing is lost.
    ///   - copied: is told of bytes as they are copied.
    /// - Throws: `.missing`: the pack is not here, and no copy is made; `.short`: some of the bytes are not here, the others are
    ///   copied.
    package func copyPack(
        _ name: PackName, _ extents: [Extent], byteCount: Int64, to other: LocalChunkStore, copied: (Int64) throws -> Void
    ) throws(StorageError) {
        // Where nothing lives it may be gone already.
        let available = extents.isEmpty ? byteCount : try openPack(name).byteCount
        let path = other.layout.file(of: name)
        let copy: FileDescriptor
        do throws(SystemError) {
            try Directory.make(other.layout.shard(of: name), permissions: 0o700)
            copy = try File.open(path, .create(permissions: 0o600))
        } catch { throw StorageError(error) }
        var firstLoss: StorageError?
        for extent in extents {
            do throws(StorageError) { try write(try read(extent), at: extent.offset, to: copy, path) } catch {
                guard error.saysBytesAreLost else { throw error }
                firstLoss = firstLoss ?? error
                continue
            }
            do { try copied(extent.byteCount) } catch { throw StorageError("copy", path, .checkFailed("\(error)")) }
        }
        do throws(Errno) {
            // What is lost here must not look as if it were there.
            try copy.truncate(to: firstLoss == nil ? byteCount : min(byteCount, available))
            try copy.sync()
        } catch { throw StorageError(SystemError("write", path, error)) }
        if let firstLoss { throw firstLoss }
    }

    private func write(
        _ bytes: [UInt8], at offset: Int64, to file: borrowing FileDescriptor, _ path: String
    ) throws(StorageError) {
        var failure: Errno?
        unsafe bytes.withUnsafeBytes { buffer in
            do throws(Errno) { try unsafe file.writeAll(at: offset, buffer) } catch { failure = error }
        }
        if let failure { throw StorageError(SystemError("write", path, failure)) }
    }

    /// Makes the names of all packs durable.
    package func syncNames() throws(StorageError) {
        try sorted { () throws(SystemError) in
            for shard in try Directory.names(layout.packs) where LocalLayout.isShard(shard) {
                try File.syncDirectory("\(layout.packs)/\(shard)")
            }
            try File.syncDirectory(layout.packs)
            try File.syncDirectory(layout.root)
        }
    }
}
