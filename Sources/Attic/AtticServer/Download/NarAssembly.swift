import Database
import HTTPServer
import Storage

/// A stored NAR as extents of open pack files, adjacent chunks merged: what `sendfile` sends.
struct NarAssembly {
    let extents: [FileExtent]

    /// Opens every pack that the NAR lies in and checks that each extent is there in full.
    ///
    /// - Parameters:
    ///   - places: where the chunks lie, in the NAR's order.
    ///   - byteCount: the NAR's file size; the places must add up to it.
    /// - Throws: `Problem.incompleteNar` or `StorageError` where bytes are missing.
    init(_ places: [StoredExtent], byteCount: Int64, in store: any ChunkStore) throws {
        var merged: [StoredExtent] = []
        var sum: Int64 = 0
        for place in places {
            sum += place.byteCount
            if let last = merged.last, last.pack == place.pack, last.offset + last.byteCount == place.offset {
                merged[merged.count - 1] = StoredExtent(
                    pack: last.pack, offset: last.offset, byteCount: last.byteCount + place.byteCount)
            } else {
                merged.append(place)
            }
        }
        guard sum == byteCount else { throw Problem.incompleteNar }
        var packs: [String: PackFile] = [:]
        extents = try merged.map { place in
            let pack = try packs[place.pack] ?? NarAssembly.open(place.pack, in: store)
            packs[place.pack] = pack
            guard place.offset + place.byteCount <= pack.byteCount else {
                let extent = Extent(pack: pack.name, offset: place.offset, byteCount: place.byteCount)
                let found = max(0, pack.byteCount - place.offset)
                throw StorageError("read", "pack \(pack.name)", .short(extent, found: found))
            }
            return FileExtent(file: pack.openFile, offset: place.offset, byteCount: place.byteCount)
        }
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
