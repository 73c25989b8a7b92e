import Platform
import Support
import Testing

@testable import Storage

@Suite struct LocalChunkStoreTests {
    let directory: TemporaryDirectory
    var path: String { directory.file("store") }

    init() throws { directory = try TemporaryDirectory() }

    /// One pack with one chunk of `count` bytes.
    private func store(_ count: Int, in store: LocalChunkStore) throws -> Extent {
        let writer = try store.borrowPack()
        let extent = try writer.append(patterned(count, seed: count))
        writer.giveBack()
        return extent
    }

    private func path(of pack: PackName) -> String { "\(path)/packs/\(pack.text.prefix(2))/\(pack).pack" }

    @Test("A new directory gets VERSION and packs, for its owner only")
    func newDirectory() throws {
        let store = try LocalChunkStore(path: path)
        let id = try #require(store.id)
        #expect(id.utf8.count == 32)
        #expect(try File.readText("\(path)/VERSION") == "tetryx storage 1\n\(id)\n")
        #expect(try File.status(path).permissions == 0o700)
        let extent = try self.store(10, in: store)
        #expect(try File.status(path(of: extent.pack)).permissions == 0o600)
    }

    @Test("A directory keeps its id; one of the first releases gets one from the server that opens it, and a copy has that of the original")
    func ids() throws {
        let first = try LocalChunkStore(path: path, forServing: false).id
        #expect(first != nil)
        #expect(try LocalChunkStore(path: path).id == first)
        #expect(try LocalChunkStore(path: directory.file("other")).id != first)
        #expect(try LocalChunkStore(path: directory.file("copy"), forServing: false, id: first).id == first)
        for content in ["tetryx storage 1\n", "tetryx storage 1", "tetryx storage 1\nno id\n"] {
            try File.replace("\(path)/VERSION", with: Array(content.utf8), permissions: 0o600)
            #expect(try LocalChunkStore(path: path, forServing: false).id == nil)
            #expect(try File.readText("\(path)/VERSION") == content)
            let id = try LocalChunkStore(path: path).id
            #expect(id != nil)
            #expect(try LocalChunkStore(path: path, forServing: false).id == id)
        }
    }

    @Test("Another version is refused with both versions named", arguments: ["tetryx storage 2\n", "", "something\nelse"])
    func unknownVersion(content: String) throws {
        try Directory.make(path)
        try File.replace("\(path)/VERSION", with: Array(content.utf8), permissions: 0o600)
        let error = #expect(throws: StorageError.self) { try LocalChunkStore(path: path) }
        let firstLine = String(content.prefix { $0 != "\n" })
        #expect(error?.cause == .unknownVersion(firstLine))
        #expect("\(try #require(error))".contains("\"\(firstLine)\", and this server knows only \"tetryx storage 1\""))
        #expect(!File.exists("\(path)/packs"))
    }

    @Test("Packs without a VERSION are not taken over")
    func packsWithoutVersion() throws {
        try Directory.make("\(path)/packs")
        #expect(throws: StorageError.self) { try LocalChunkStore(path: path) }
        #expect(!File.exists("\(path)/VERSION"))
    }

    @Test("Two servers cannot share a directory; a collector beside one can")
    func lock() throws {
        var server: LocalChunkStore? = try LocalChunkStore(path: path)
        let error = #expect(throws: StorageError.self) { try LocalChunkStore(path: path) }
        #expect(error?.cause == .inUse)
        #expect("\(try #require(error))".hasPrefix("cannot lock \(path)/LOCK: another server has it open"))
        _ = try LocalChunkStore(path: path, forServing: false)
        server = nil
        server = try LocalChunkStore(path: path)
        _ = server
    }

    @Test("A shard's directory goes with its last pack")
    func shards() throws {
        let store = try LocalChunkStore(path: path, sealByteCount: 1)
        let packs = try (1...6).map { try self.store($0, in: store).pack }
        #expect(try store.packNames() == packs.sorted())
        for (index, pack) in packs.enumerated() {
            #expect(try store.removePack(pack, ifStill: { true }))
            let shards = Set(packs[(index + 1)...].map { String($0.text.prefix(2)) })
            #expect(try Directory.names("\(path)/packs") == shards.sorted())
        }
    }

    @Test("Punched space goes back to the file system")
    func punchedSpace() throws {
        let store = try LocalChunkStore(path: path)
        let writer = try store.borrowPack()
        let extents = try (0..<8).map { try writer.append(patterned(64 << 10, seed: $0)) }
        try writer.makeDurable()
        writer.giveBack()
        guard try store.punchesHoles(Array(extents[1...6]), in: path) else { return }
        let status = try File.status(path(of: extents[0].pack))
        #expect(status.byteCount == 512 << 10)
        #expect(status.allocatedByteCount <= 256 << 10)
    }

    @Test("Extents that touch or overlap are punched as one")
    func merging() throws {
        let pack = PackName.random()
        func extents(_ pairs: [(Int64, Int64)]) -> [Extent] { pairs.map { Extent(pack: pack, offset: $0.0, byteCount: $0.1) } }
        #expect(LocalChunkStore.merged(extents([(30, 5), (0, 10), (10, 10), (33, 10), (50, 1)]))
            == extents([(0, 20), (30, 13), (50, 1)]))
        #expect(LocalChunkStore.merged([]) == [])
    }

    @Test("A bounded number of packs stays open, and removed ones are let go")
    func openFiles() throws {
        let store = try LocalChunkStore(path: path, sealByteCount: 1, openFilesMax: 4)
        let extents = try (1...20).map { try self.store($0, in: store) }
        for extent in extents + extents { #expect(try store.read(extent) == patterned(Int(extent.byteCount), seed: Int(extent.byteCount))) }
        #expect(store.openFileCount <= 4)
        let beside = try LocalChunkStore(path: path, forServing: false)
        for extent in extents { #expect(try beside.removePack(extent.pack, ifStill: { true })) }
        #expect(store.openFileCount > 0)
        #expect(store.releaseRemovedFiles() > 0)
        #expect(store.openFileCount == 0)
    }

    @Test("A reader keeps what it has open when the pack is removed")
    func readerKeepsFile() throws {
        let store = try LocalChunkStore(path: path)
        let extent = try self.store(5000, in: store)
        let file = try #require(store.openPack(extent.pack).file)
        #expect(try store.removePack(extent.pack, ifStill: { true }))
        var bytes = [UInt8](repeating: 0, count: 5000)
        var span = bytes.mutableSpan
        let count = try unsafe span.withUnsafeMutableBytes { try unsafe file.descriptor.readFully(at: 0, into: $0) }
        #expect(count == 5000 && bytes == patterned(5000, seed: 5000))
        let error = #expect(throws: StorageError.self) { try store.openPack(extent.pack) }
        #expect(error?.cause == .missing(extent.pack))
    }

    @Test("A pack that was cut or grew by other hands is not appended to")
    func changedByOthers() throws {
        let store = try LocalChunkStore(path: path)
        let first = try self.store(100, in: store)
        #expect(try store.truncatePack(first.pack, to: 50))
        let second = try self.store(100, in: store)
        #expect(second.pack != first.pack)
    }

    @Test("An error names the operation, the file and the reason")
    func errorSentences() throws {
        let system = SystemError("append to", "/srv/x.pack", .noSpace)
        #expect(StorageError(system).cause == .full)
        #expect("\(StorageError(system))" == "cannot append to /srv/x.pack: no space is left, or the quota is used up; free some, or collect garbage")
        #expect(StorageError(SystemError("append to", "x", .quotaExceeded)).cause == .full)
        #expect(StorageError(SystemError("punch", "x", .notSupported)).cause == .unsupported)
        let denied = SystemError("open", "/srv", .accessDenied)
        #expect(StorageError(denied).cause == .system(denied))
        #expect("\(StorageError(denied))" == "cannot open /srv: Permission denied")
    }
}
