import Platform
import Support
import Testing

@testable import Storage

@Suite struct RecoveryTests {
    let directory: TemporaryDirectory
    var path: String { directory.file("store") }

    init() throws { directory = try TemporaryDirectory() }

    private func path(of pack: PackName) -> String { "\(path)/packs/\(pack.text.prefix(2))/\(pack).pack" }

    /// What a server leaves that was killed: a committed pack with `committed` bytes and `tail` uncommitted ones
    /// behind them, and a pack that no row names. The copy of the directory stands for the crash: no writer ends.
    private func crash(committed: Int, tail: Int) throws -> (known: Extent, orphan: PackName) {
        let store = try LocalChunkStore(path: path)
        let writer = try store.borrowPack()
        let known = try writer.append(patterned(committed, seed: 1))
        writer.giveBack()
        let orphan = PackName.random()
        try Directory.make(File.parent(of: path(of: orphan)))
        try File.replace(path(of: orphan), with: patterned(30, seed: 3), permissions: 0o600)
        let file = try File.open(path(of: known.pack), .readWrite)
        try unsafe patterned(tail, seed: 2).span.withUnsafeBytes { bytes throws(Errno) in
            try unsafe file.writeAll(at: Int64(committed), bytes)
        }
        return (known, orphan)
    }

    @Test("Tails are cut, orphans removed, and the next writer goes on at the committed end")
    func afterCrash() throws {
        let (known, orphan) = try crash(committed: 500, tail: 300)
        let store = try LocalChunkStore(path: path)
        try File.replace("\(path)/VERSION.new-1", with: [1], permissions: 0o600)
        let report = try store.recover(unsealed: [RecoverablePack(name: known.pack, byteCount: 500)]) { $0 == known.pack }
        var expected = RecoveryReport()
        expected.removedPacks = [orphan]
        expected.cutPacks = [known.pack: 300]
        expected.removedTemporaries = ["VERSION.new-1"]
        #expect(report == expected)
        #expect(try store.packNames() == [known.pack])
        let writer = try store.borrowPack()
        let next = try writer.append(patterned(40, seed: 4))
        writer.giveBack()
        #expect(next == Extent(pack: known.pack, offset: 500, byteCount: 40))
        #expect(try store.read(known) == patterned(500, seed: 1))

        // A second time there is nothing to do.
        let again = try store.recover(unsealed: [RecoverablePack(name: known.pack, byteCount: 540)]) { $0 == known.pack }
        #expect(again == RecoveryReport())
        #expect(try store.packByteCount(known.pack) == 540)
    }

    @Test("A pack that is gone or shorter than committed is reported and not appended to")
    func damaged() throws {
        let (known, _) = try crash(committed: 500, tail: 0)
        let store = try LocalChunkStore(path: path)
        let gone = PackName.random()
        let unsealed = [RecoverablePack(name: known.pack, byteCount: 600), RecoverablePack(name: gone, byteCount: 10)]
        let report = try store.recover(unsealed: unsealed) { _ in true }
        #expect(report.shortPacks == [known.pack])
        #expect(report.missingPacks == [gone])
        #expect(report.removedPacks.isEmpty && report.cutPacks.isEmpty)
        #expect(report.foundLoss)
        #expect("\(report)" == "1 pack is not there, as \(gone), 1 pack is shorter than what was committed, as \(known.pack)")
        let writer = try store.borrowPack()
        let pack = try writer.append([1]).pack
        #expect(pack != known.pack && pack != gone)
    }

    @Test("A pack that someone has locked is left alone, named or not")
    func locked() throws {
        let (known, orphan) = try crash(committed: 500, tail: 300)
        let store = try LocalChunkStore(path: path)
        let holders = try [known.pack, orphan].map { OpenFile(try File.open(path(of: $0), .readWrite)) }
        for holder in holders { #expect(try holder.descriptor.tryLockExclusive()) }
        let report = try store.recover(unsealed: [RecoverablePack(name: known.pack, byteCount: 500)]) { $0 == known.pack }
        #expect(Set(report.lockedPacks) == [known.pack, orphan])
        #expect(try store.packByteCount(known.pack) == 800)
        #expect(try store.packByteCount(orphan) == 30)
    }

    @Test("Files that are not ours stay, and empty shards go")
    func strangers() throws {
        let store = try LocalChunkStore(path: path)
        try Directory.make("\(path)/packs/ab")
        try Directory.make("\(path)/packs/cd")
        try Directory.make("\(path)/packs/notes")
        try File.replace("\(path)/packs/ab/readme", with: [1], permissions: 0o600)
        // A pack in the wrong shard is not one of ours either.
        let stray = "\(path)/packs/ab/\(String(repeating: "0", count: 32)).pack"
        try File.replace(stray, with: [1], permissions: 0o600)
        let report = try store.recover(unsealed: []) { _ in false }
        #expect(report.strangers == [stray, "\(path)/packs/ab/readme"])
        #expect(try Directory.names("\(path)/packs") == ["ab", "notes"])
        #expect(report.removedPacks.isEmpty)
    }

    @Test("Where the database cannot be asked nothing is removed")
    func uncertain() throws {
        let (known, orphan) = try crash(committed: 5, tail: 5)
        let store = try LocalChunkStore(path: path)
        struct Down: Error {}
        let error = #expect(throws: StorageError.self) { try store.recover(unsealed: []) { _ in throw Down() } }
        #expect(error?.cause == .checkFailed("Down()"))
        #expect(try Set(store.packNames()) == [known.pack, orphan])
    }
}
