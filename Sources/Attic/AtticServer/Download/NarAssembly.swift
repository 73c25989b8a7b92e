import Database
import HTTPServer
import Platform
import Storage

/// A stored NAR as extents of packs, adjacent chunks merged: of open files, which `sendfile` sends, or of objects, which are
/// read ahead of whoever is sent them.
struct NarAssembly: Sendable {
    /// A pack that the NAR lies in, and how far.
    struct Part: Sendable {
        let file: OpenFile
        /// The end of the NAR's last extent in it.
        var end: Int64
    }

    /// Where the NAR lies.
    let places: [Extent]
    /// The same in open files; nil where its packs are objects.
    let extents: [FileExtent]?
    /// Each pack that is a file once.
    let packs: [Part]
    /// The pack that is all of this NAR and nothing else, where it is one, and an object; whoever asks for that gets the NAR.
    let wholePack: Extent?
    private let store: any ChunkStore
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
        let opened = try NarAssembly.open(merged, in: store)
        var ends: [String: Part] = [:]
        var (places, extents): ([Extent], [FileExtent]) = ([], [])
        for place in merged {
            guard let pack = opened[place.pack] else { throw Problem.incompleteNar }
            let extent = Extent(pack: pack.name, offset: place.offset, byteCount: place.byteCount)
            guard extent.end <= pack.byteCount else {
                let found = max(0, pack.byteCount - place.offset)
                throw StorageError("read", "pack \(pack.name)", .short(extent, found: found))
            }
            places.append(extent)
            guard let file = pack.file else { continue }
            ends[place.pack, default: Part(file: file, end: extent.end)].end.raise(to: extent.end)
            extents.append(FileExtent(file: file, offset: place.offset, byteCount: place.byteCount))
        }
        self.places = places
        self.extents = store.packKind == .file ? extents : nil
        self.store = store
        packs = Array(ends.values)
        let isWhole = store.packKind == .object && merged.count == 1 && merged[0].offset == 0
        wholePack = isWhole && opened.values.first?.byteCount == byteCount ? places.first : nil
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

    /// A part of the NAR as an answer's body.
    ///
    /// - Parameter onDamage: is told what a body ended with that was broken off.
    func body(_ range: Range<Int64>, onDamage: @escaping @Sendable (any Error) -> Void) -> ResponseBody {
        let places = places(in: range)
        guard let extents else {
            return .stream(byteCount: Int64(range.count)) { [store] writer in
                do { try unsafe store.read(places) { bytes in try unsafe writer.write(bytes) } } catch {
                    // Those of the client say nothing of the stored bytes.
                    if error is StorageError { onDamage(error) }
                    throw error
                }
            }
        }
        if places == self.places { return .files(extents, byteCount: Int64(range.count)) }
        let files = Dictionary(zip(self.places.map(\.pack), extents.map(\.file)), uniquingKeysWith: { first, _ in first })
        let parts = places.compactMap { place in
            files[place.pack].map { FileExtent(file: $0, offset: place.offset, byteCount: place.byteCount) }
        }
        return .files(parts, byteCount: Int64(range.count))
    }

    /// Where a part of the NAR lies.
    private func places(in range: Range<Int64>) -> [Extent] {
        var part: [Extent] = []
        var start: Int64 = 0
        for place in places {
            let end = start + place.byteCount
            let from = max(start, range.lowerBound)
            let to = min(end, range.upperBound)
            if from < to { part.append(Extent(pack: place.pack, offset: place.offset + (from - start), byteCount: to - from)) }
            start = end
        }
        return part
    }

    /// Hands out all bytes, in order.
    ///
    /// - Parameter piece: what those of files are read into.
    /// - Throws: `Problem.incompleteNar` where a file ends too early, `StorageError` where a pack cannot be read; and what `take` throws.
    func read(through piece: ByteBlock, _ take: (UnsafeRawBufferPointer) throws -> Void) throws {
        guard let extents else { return try unsafe store.read(places) { bytes in try unsafe take(bytes) } }
        for (place, extent) in zip(places, extents) {
            var done: Int64 = 0
            while done < extent.byteCount {
                let most = unsafe piece.memory(0..<Int(min(extent.byteCount - done, Int64(piece.byteCount))))
                let count: Int
                do throws(Errno) {
                    count = try unsafe extent.file.descriptor.read(at: extent.offset + done, into: most)
                } catch { throw StorageError(SystemError("read", "pack \(place.pack)", error)) }
                if count == 0 { throw Problem.incompleteNar }
                done += Int64(count)
                try unsafe take(piece.bytes(0..<count))
            }
        }
    }

    /// The packs that these places lie in, by name.
    private static func open(_ places: [StoredExtent], in store: any ChunkStore) throws -> [String: OpenPack] {
        var seen: Set<String> = []
        var names: [PackName] = []
        for place in places where seen.insert(place.pack).inserted {
            guard let name = PackName(place.pack) else { throw Problem.incompleteNar }
            names.append(name)
        }
        return Dictionary(try store.openPacks(names).map { ($0.name.text, $0) }, uniquingKeysWith: { first, _ in first })
    }
}

extension Int64 {
    fileprivate mutating func raise(to other: Int64) { self = Swift.max(self, other) }
}
