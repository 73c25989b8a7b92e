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
            return try LocalChunkStore(path: configuration.storagePath, openFilesMax: openFilesMax, forServing: forServing, log: log)
        }
        return try S3ChunkStore(
            s3.bucket, s3.credentials, limits: s3.limits, journal: CatalogPackJournal(catalog, time: .system, log: log),
            forServing: forServing, log: log)
    }

    /// Asks the bucket of a configuration something, for `check-config`.
    static func checkBucket(_ s3: S3Settings, log: Logger) throws(StorageError) {
        _ = try S3ChunkStore(
            s3.bucket, s3.credentials, limits: s3.limits, journal: nil, forServing: false, log: log)
    }
}
