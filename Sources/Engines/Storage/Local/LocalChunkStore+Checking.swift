import Platform

extension LocalChunkStore {
    /// Whether a store was made in the directory. Where it is on a disk that is not mounted, an empty directory is there.
    package static func exists(at path: String) -> Bool { File.exists(LocalLayout(root: path).version) }

    /// The id of a directory, by which a database knows it; nil where it has none, or is not made yet. Makes nothing.
    ///
    /// - Throws: `.unknownVersion` where another layout lies in it.
    package static func id(at path: String) throws(StorageError) -> String? { try StorageVersion.find(LocalLayout(root: path)) }

    /// On a disk that is not mounted any more, an empty directory is there; where another was put in its place, or mounted over it, that
    /// has another id.
    package func ping() throws(StorageError) {
        let found = try StorageVersion.verify(layout)
        if let id, found != id {
            throw StorageError(
                "look at", layout.version,
                .refused("it is another directory's than the one that was opened here (\(found ?? "no id"), not \(id)); put that back"))
        }
        _ = try sorted { () throws(SystemError) in try File.status(layout.packs) }
    }

    package func location(of name: PackName) -> String { layout.file(of: name) }

    package func lookAtIdlePack(_ name: PackName, _ look: (Int64) throws -> Int64?) throws(StorageError) -> Bool {
        let path = layout.file(of: name)
        let file: FileDescriptor
        var refusal: SystemError?
        do throws(SystemError) { file = try openToLook(path, &refusal) } catch {
            if error.errno == .noSuchFile { return false }
            throw StorageError(error)
        }
        let status: FileStatus
        do throws(Errno) {
            guard try file.tryLockExclusive() else { return false }
            status = try file.status()
        } catch { throw StorageError(SystemError("lock", path, error)) }
        if status.linkCount == 0 { return false }
        let wanted: Int64?
        do { wanted = try look(status.byteCount) } catch { throw StorageError("look at", path, .checkFailed("\(error)")) }
        guard let wanted, wanted < status.byteCount else { return true }
        if let refusal { throw StorageError(refusal) }
        do throws(Errno) { try file.truncate(to: wanted) } catch { throw StorageError(SystemError("cut", path, error)) }
        return true
    }

    /// Opens a pack to change it, or to read it where this process may do no more.
    ///
    /// - Parameter refusal: why it may not.
    private func openToLook(_ path: String, _ refusal: inout SystemError?) throws(SystemError) -> FileDescriptor {
        do throws(SystemError) { return try File.open(path, .readWrite) } catch {
            guard error.errno == .accessDenied || error.errno == .readOnlyFileSystem else { throw error }
            refusal = error
            return try File.open(path, .read)
        }
    }

    package func otherFiles() throws(StorageError) -> OtherFiles {
        var found = OtherFiles()
        try sorted { () throws(SystemError) in
            for name in try Directory.names(layout.root) where !LocalLayout.rootNames.contains(name) {
                if LocalLayout.isTemporary(name) {
                    found.temporaries.append("\(layout.root)/\(name)")
                } else {
                    found.strangers.append("\(layout.root)/\(name)")
                }
            }
            for name in try Directory.names(layout.packs) where !LocalLayout.isShard(name) {
                found.strangers.append("\(layout.packs)/\(name)")
            }
        }
        for file in try packFiles() where file.pack == nil { found.strangers.append(file.path) }
        return found
    }

    package func removeTemporary(_ path: String) throws(StorageError) {
        let name = path.dropFirst(layout.root.count + 1)
        precondition(path == "\(layout.root)/\(name)" && LocalLayout.isTemporary(String(name)), "only what a write left behind is removed")
        do throws(SystemError) { try File.remove(path) } catch {
            if error.errno != .noSuchFile { throw StorageError(error) }
        }
    }
}
