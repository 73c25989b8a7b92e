import Database
import HTTPServer
import Platform
import Storage

/// A stored NAR as extents of open pack files, adjacent chunks merged: what `sendfile` sends.
struct NarAssembly: Sendable {
    /// A pack that the NAR lies in, and how far.
    struct Part: Sendable {
        let file: OpenFile
        /// The end of the NAR's last extent in it.
        var end: Int64
    }

    let extents: [FileExtent]
    /// Each pack once.
    let packs: [Part]
    /// That the bytes stay: what sends them rests on it. Nil where nothing is sent.
    let standing: PlacesStanding?

    /// Opens every pack that the NAR lies in and checks that each extent is there in full.
    ///
    /// - Parameters:
    ///   - places: where the chunks lie, in the NAR's order.
    ///   - byteCount: the NAR's file size; the places must add up to it.
    ///   - bytes: what knows of bytes that go; nil where nothing is to be sent.
    /// - Throws: `Problem.incompleteNar` or `StorageError` where bytes are missing.
    init(_ places: [StoredExtent], byteCount: Int64, in store: any ChunkStore, watching bytes: BytesToFree? = nil) throws {
        var merged: [StoredExtent] = []
        var sum: Int64 = 0
        for place in places {
            if Extent(place) == nil { throw Problem.incompleteNar }
            sum += place.byteCount
            if let last = merged.last, last.pack == place.pack, last.offset + last.byteCount == place.offset {
                merged[merged.count - 1] = StoredExtent(
                    pack: last.pack, offset: last.offset, byteCount: last.byteCount + place.byteCount)
            } else {
                merged.append(place)
            }
        }
        guard sum == byteCount else { throw Problem.incompleteNar }
        var opened: [String: PackFile] = [:]
        var ends: [String: Part] = [:]
        extents = try merged.map { place in
            let pack = try opened[place.pack] ?? NarAssembly.open(place.pack, in: store)
            opened[place.pack] = pack
            let end = place.offset + place.byteCount
            guard end <= pack.byteCount else {
                let extent = Extent(pack: pack.name, offset: place.offset, byteCount: place.byteCount)
                let found = max(0, pack.byteCount - place.offset)
                throw StorageError("read", "pack \(pack.name)", .short(extent, found: found))
            }
            ends[place.pack, default: Part(file: pack.openFile, end: end)].end.raise(to: end)
            return FileExtent(file: pack.openFile, offset: place.offset, byteCount: place.byteCount)
        }
        packs = Array(ends.values)
        standing = bytes.map { PlacesStanding(merged, $0) }
    }

    /// Whether all bytes are still there: no pack was removed or cut off since it was opened, and none of them was given back. One system call a pack, none
    /// of which waits for the disk: what fstat(2) tells of an open file is in memory.
    var isWhole: Bool {
        packs.allSatisfy { pack in
            guard let status = try? pack.file.descriptor.status() else { return false }
            return status.linkCount > 0 && status.byteCount >= pack.end
        } && standing?.holds != false
    }

    /// The extents of a part of the NAR.
    func extents(of range: Range<Int64>) -> [FileExtent] {
        var part: [FileExtent] = []
        var start: Int64 = 0
        for extent in extents {
            let end = start + extent.byteCount
            let from = max(start, range.lowerBound)
            let to = min(end, range.upperBound)
            if from < to {
                part.append(FileExtent(file: extent.file, offset: extent.offset + (from - start), byteCount: to - from))
            }
            start = end
        }
        return part
    }

    private static func open(_ name: String, in store: any ChunkStore) throws -> PackFile {
        guard let name = PackName(name) else { throw Problem.incompleteNar }
        return try store.openPack(name)
    }
}

extension Int64 {
    fileprivate mutating func raise(to other: Int64) { self = Swift.max(self, other) }
}
