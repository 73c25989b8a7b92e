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
        try requireIdentity(id, at: place, known: known)
    }

    private static func requireIdentity(_ id: String?, at place: String, known: String?) throws(StorageError) {
        guard let known, known != id else { return }
        let refusal = BucketIdentity.isMeant(by: known) ? "the packs that the database names are in a bucket: set [storage] type = \"s3\"" :
            "the packs that the database names are in another directory, of which VERSION says \(known). Name that as [storage] path; several servers need a bucket; where that one is lost for good, write its id into the second line of \(place)/VERSION, and fsck"
        throw StorageError("open storage", place, .refused(refusal))
    }

    /// Asks the storage of a configuration something, for `check-config`, and compares what it is with what the database says. Nothing is
    /// made.
    ///
    /// - Parameter database: what it says of its storage; nil where it cannot be asked, or is of an older release.
    static func checkStorage(_ configuration: Configuration, _ database: StorageOutline?, log: Logger) throws {
        let isUsed = database?.namesPacks ?? false
        if let s3 = configuration.s3 {
            let store = try S3ChunkStore(
                s3.bucket, s3.credentials, limits: s3.limits, journal: nil, namesPacks: isUsed, forServing: false, log: log)
            guard let database, let refusal = try BucketIdentity(store, database).refusal else { return }
            throw StorageError("open storage", configuration.storageName, .refused(refusal))
        }
        let path = configuration.storagePath
        let id = try LocalChunkStore.id(at: path)
        if !LocalChunkStore.exists(at: path) { try checkCanBeMade(File.exists(path) ? path + "/VERSION" : path) }
        // As a server that starts would: a database on a server takes another directory as long as it names no packs.
        if isUsed || configuration.database.path != nil { try requireIdentity(id, at: path, known: database?.storageID) }
    }

    /// The nearest directory above that is there must let this process write.
    static func checkCanBeMade(_ path: String) throws(SystemError) {
        var above = File.parent(of: path)
        while above != "/" && above != "." && !File.exists(above) { above = File.parent(of: above) }
        if try File.status(above).kind != .directory { throw SystemError("make", "\(path) below \(above)", .notDirectory) }
        if !File.isReadableAndWritable(above) { throw SystemError("make", "\(path) in \(above)", .accessDenied) }
    }
}
