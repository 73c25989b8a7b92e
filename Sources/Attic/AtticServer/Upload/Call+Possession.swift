import AtticAPI
import Crypto
import Database
import Nix

// NARs and chunks are of all caches, so that nothing is stored twice. Nobody is to learn by a push what other people's caches
// hold: not by a hash, and not by bytes that were guessed. So where the visitor could not pull a NAR, everything is asked and
// answered as if it were new. (How long that takes is not the same: docs/operations.md says so.)

extension Call {
    /// Whether the visitor has yet to show that it has the bytes of a NAR that is here: knowing a hash gives no right to what
    /// it stands for, being allowed to pull it from some cache does.
    func needsProof(of nar: NarRecord) throws -> Bool {
        try context.configuration.requireProofOfPossession && !mayPull(nar)
    }

    /// Whether the visitor may know how much of what it sent was here before, which says something of all caches: because it may pull
    /// from every one of them, or because hashes alone open NARs anyway.
    func mayKnowOverlap() throws -> Bool {
        if !context.configuration.requireProofOfPossession || visitor.token?.allowsEverywhere(.pull) == true { return true }
        let most = Bounds.overlapCachesMax
        let caches = try context.catalog.read { session throws(DatabaseError) in try session.cacheNames(limit: most + 1) }
        return caches.count <= most && caches.allSatisfy { visitor.permissions(on: $0.name, isPublic: $0.isPublic).contains(.pull) }
    }

    private func mayPull(_ nar: NarRecord) throws -> Bool {
        if visitor.token?.allowsEverywhere(.pull) == true { return true }
        return try context.catalog.read { session throws(DatabaseError) in try session.cachesHolding(nar.id) }
            .contains { visitor.permissions(on: $0.name, isPublic: $0.isPublic).contains(.pull) }
    }
}

/// The bytes of a NAR that is here, on their way in as proof that the uploader has them. They are looked at as those of a new NAR
/// are, in the same order, so that no refusal tells the one from the other.
struct NarProof: ~Copyable {
    private var hash = SHA256()
    private var scan = NarScan(makesListing: false)
    private var byteCount: Int64 = 0

    /// Takes the next bytes.
    ///
    /// - Throws: `Problem.request` where they are no NAR's.
    mutating func take(_ bytes: UnsafeRawBufferPointer) throws(Problem) {
        do throws(NarError) { try unsafe scan.take(bytes) } catch { throw .request("\(error).") }
        unsafe hash.update(bytes)
        byteCount += Int64(bytes.count)
    }

    /// Checks all of them against what was announced, and begins anew.
    mutating func finish(expectedHash: SHA256Digest, expectedSize: Int64) throws(Problem) {
        try UploadPipeline.check(hash.finish(), byteCount, against: expectedHash, expectedSize)
        do throws(NarError) { try scan.finish() } catch { throw .request("\(error).") }
        (scan, byteCount) = (NarScan(makesListing: false), 0)
    }
}
