import Database
import Storage

extension NarRecord {
    /// Whether all its bytes are in the store, as far as the packs' sizes tell.
    func isIntact(in store: any ChunkStore, of catalog: Catalog) throws -> Bool {
        let places = try catalog.read { session throws(DatabaseError) in try session.extents(ofNar: id) }
        do {
            _ = try NarAssembly(places, byteCount: fileSize, in: store)
            return true
        } catch where LostBytes.areShown(by: error) {
            return false
        }
    }

    /// Whether a push of the same NAR may build upon it: all its bytes are in the store, and those in files can be read, and no bit of
    /// them has changed. A disk changes bytes and says nothing; the push would be acknowledged, its own bytes thrown away, and the path
    /// never come back. It marks nothing: bytes that are wrong, or cannot be read, are put back by the push.
    ///
    /// Reads the NAR's stored bytes, unless a bucket has them, which vouches for what it gives.
    ///
    /// - Throws: `DatabaseError`; `StorageError` where the store says nothing of the bytes.
    func isReusable(in store: any ChunkStore, of catalog: Catalog) throws -> Bool {
        guard try isIntact(in: store, of: catalog) else { return false }
        if store.packKind == .object { return true }
        let chunks = try catalog.read { session throws(DatabaseError) in try session.chunks(ofNar: id) }
        let verifier = NarVerifier(catalog, store)
        var seen: Set<Int64> = []
        for chunk in chunks where seen.insert(chunk.id).inserted {
            if try !verifier.isWhole(chunk) { return false }
        }
        return true
    }
}
