import Database
import Logging
import Platform
import Storage

extension Daemon {
    /// Opens what a configuration keeps its chunks in.
    ///
    /// - Parameters:
    ///   - catalog: where the names of packs in a bucket are written down.
    ///   - forServing: whether uploads come.
    /// - Throws: `StorageError`, naming what cannot be opened.
    static func openStore(
        _ configuration: Configuration, _ catalog: Catalog, openFilesMax: Int = 256, forServing: Bool, log: Logger
    ) throws(StorageError) -> any ChunkStore {
        guard let s3 = configuration.s3 else {
            let store = try LocalChunkStore(
                path: configuration.storagePath, openFilesMax: openFilesMax, forServing: forServing, log: log)
            // A file has one server; on a database server another may be at work with its directory, and have stored nothing yet.
            try checkIdentity(
                store.id, at: configuration.storagePath, catalog, forServing: forServing, replacesUnused: configuration.database.path != nil)
            return store
        }
        let store = try S3ChunkStore(
            s3.bucket, s3.credentials, readFrom: s3.credentialsFile, limits: s3.limits,
            journal: CatalogPackJournal(catalog, time: .system, log: log),
            forServing: forServing, log: log)
        try BucketIdentity.check(store, at: configuration.storageName, catalog, forServing: forServing)
        return store
    }

    /// Refuses a directory that the database's packs are not in: two servers on one database with a directory each would take each
    /// other's packs for lost.
    ///
    /// - Parameter replacesUnused: takes it where the database names no packs at all.
    static func checkIdentity(
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
        guard let known, known != id else { return }
        let reason = BucketIdentity.isMeant(by: known) ? "the packs that the database names are in a bucket: set [storage] type = \"s3\"" :
            "the packs that the database names are in another directory, of which VERSION says \(known). Name that as [storage] path; several servers need a bucket"
        throw StorageError(
            "open storage", place,
            .refused(reason + "; where that one is lost for good, write its id into the second line of \(place)/VERSION, and fsck"))
    }

    /// Asks the bucket of a configuration something, for `check-config`.
    static func checkBucket(_ s3: S3Settings, log: Logger) throws(StorageError) {
        _ = try S3ChunkStore(
            s3.bucket, s3.credentials, limits: s3.limits, journal: nil, forServing: false, log: log)
    }
}
