import Database
import Storage

/// Whether a storage directory is this database's. They know each other by an id, which is in the second line of the directory's VERSION
/// and in the database's table `storage`. `BucketIdentity` is the same for a bucket.
enum DirectoryIdentity {
    /// Refuses a directory that the database's packs are not in: two servers on one database with a directory each would take each
    /// other's packs for lost.
    ///
    /// - Parameter replacesUnused: takes it where the database names no packs at all.
    static func check(
        _ id: String?, at place: String, _ catalog: Catalog, forServing: Bool, replacesUnused: Bool = false
    ) throws(StorageError) {
        let known: String?
        do throws(DatabaseError) {
            var found = try catalog.read { session throws(DatabaseError) in try session.storageID() }
            if forServing, let id, found != id {
                found = try catalog.write { session throws(DatabaseError) in try session.claimStorage(id, replacing: replacesUnused) }
            }
            known = found
        } catch { throw StorageError("open storage", place, .checkFailed("\(error)")) }
        try require(id, at: place, known: known)
    }

    /// Refuses a directory by what the database knows its storage by; nil where that is nothing yet.
    static func require(_ id: String?, at place: String, known: String?) throws(StorageError) {
        guard let known, known != id else { return }
        let refusal = BucketIdentity.isMeant(by: known) ? "the packs that the database names are in a bucket: set [storage] type = \"s3\"" :
            "the packs that the database names are in another directory, of which VERSION says \(known). Name that as [storage] path; several servers need a bucket; where that one is lost for good, write its id into the second line of \(place)/VERSION, and fsck"
        throw StorageError("open storage", place, .refused(refusal))
    }
}
