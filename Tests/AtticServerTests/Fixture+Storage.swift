import BucketSupport
import Database
import Logging
import Platform
import Support
import Testing

@testable import AtticServer
@testable import Storage

/// Where the servers of tests keep their chunks: in a directory of their own, or in a bucket of their own, of the server that
/// scripts/test started and, where it started none, of one in this process.
enum TestStorage: Sendable {
    case directory
    case bucket

    /// What is tested now: TETRYX_TEST_STORAGE=s3 says so of a bucket.
    static let wanted: TestStorage = Subprocess.ownEnvironment["TETRYX_TEST_STORAGE"] == "s3" ? .bucket : .directory

    /// What a configuration says of it, with all that is needed made.
    func configurationText(in directory: TemporaryDirectory, bucket: String) throws -> String {
        switch self {
        case .directory: return "[storage]\ntype = \"local\"\npath = \"\(directory.path)/storage\""
        case .bucket:
            if TestGateway.url != nil { try TestGateway.make(bucket: bucket) }
            return """
                [storage]
                type = "s3"
                bucket = "\(bucket)"
                region = "us-east-1"
                endpoint = "\(try TestGateway.url ?? "http://\(FakeBucket.shared().address)")"
                max-requests = 8
                [storage.credentials]
                access_key_id = "\(TestGateway.accessKeyID)"
                secret_access_key = "\(TestGateway.secretAccessKey)"
                """
        }
    }
}

extension Trait where Self == ConditionTrait {
    /// For what is of files by nature: packs that are appended to, punched, cut, sent by `sendfile` and kept open by loops.
    static var packsAreFiles: Self {
        .enabled(if: TestStorage.wanted == .directory, "by nature of packs that are files")
    }

    /// For what is done to the database's file.
    static var databaseIsAFile: Self { .enabled(if: !TestPostgres.isForServers, "by nature of a database that is a file") }
}

extension Fixture {
    /// Opens what a configuration keeps its chunks in, as `Opening.store` does, on a test's clock.
    static func openStore(
        _ configuration: Configuration, _ catalog: Catalog, sealByteCount: Int64 = 64 << 20, forServing: Bool = true, time: TimeSource,
        log: Logger
    ) throws -> any ChunkStore {
        guard let s3 = configuration.s3 else {
            return try LocalChunkStore(path: configuration.storagePath, sealByteCount: sealByteCount, forServing: forServing, log: log)
        }
        return try S3ChunkStore(
            s3.bucket, s3.credentials, limits: s3.limits, journal: CatalogPackJournal(catalog, time: time, log: log),
            sealByteCount: sealByteCount, forServing: forServing, log: log)
    }

    /// What a server does first that comes after one that was killed.
    func recover() throws {
        // A bucket may have other servers; what a crash left there has a time that runs out.
        guard let directory = store as? LocalChunkStore else { return }
        try Opening.recover(directory, context.catalog, log: context.log)
    }

    /// How many places packs may have: appended to by one upload after another where they are files, one or more for each upload
    /// where they are objects.
    func packCount(ofFiles files: Int, ofObjects objects: Int) -> Int { store.packKind == .file ? files : objects }

    /// What a pack takes on the disk, or in the bucket.
    func allocatedByteCount(_ pack: PackName) throws -> Int64 {
        if store.packKind == .file { return try File.status(store.location(of: pack)).allocatedByteCount }
        return try store.packByteCount(pack) ?? 0
    }

    // MARK: What befalls packs

    // Behind the server's back, as a broken disk or somebody else's hand does it. What the server had found out about a pack is as in
    // one that was started since.

    /// All bytes of a pack.
    func bytes(of pack: PackName) throws -> [UInt8] {
        guard let bucket = store as? S3ChunkStore else { return try File.readAll(store.location(of: pack)) }
        return try #require(try bucket.client.get(S3ChunkStore.key(of: pack)), "the pack \(pack) is not there")
    }

    /// Gives a pack these bytes, also where it was not there.
    func replace(_ pack: PackName, with bytes: [UInt8]) throws {
        if let bucket = store as? S3ChunkStore {
            try bucket.client.put(S3ChunkStore.key(of: pack), bytes)
            return bucket.sizes.drop(pack)
        }
        let path = store.location(of: pack)
        guard File.exists(path) else {
            try Directory.make(File.parent(of: path))
            return try File.replace(path, with: bytes, permissions: 0o600)
        }
        // The same file: the server has it open.
        let file = try File.open(path, .readWrite)
        try unsafe bytes.withUnsafeBytes { try unsafe file.writeAll(at: 0, $0) }
        try file.truncate(to: Int64(bytes.count))
    }

    /// Takes a pack away.
    func lose(_ pack: PackName) throws {
        guard let bucket = store as? S3ChunkStore else { return try File.remove(store.location(of: pack)) }
        try bucket.client.delete(S3ChunkStore.key(of: pack))
        bucket.sizes.drop(pack)
    }

    /// Overwrites bytes of a pack; its size stays.
    func overwrite(_ pack: PackName, at offset: Int64, with some: [UInt8]) throws {
        var bytes = try bytes(of: pack)
        bytes.replaceSubrange(Int(offset)..<(Int(offset) + some.count), with: some)
        try replace(pack, with: bytes)
    }

    /// Cuts a pack off.
    func cut(_ pack: PackName, to byteCount: Int64) throws {
        if store.packKind == .file {
            #expect(try store.truncatePack(pack, to: byteCount))
        } else {
            try replace(pack, with: Array(bytes(of: pack).prefix(Int(byteCount))))
        }
    }

    /// Writes something into the storage that is no pack of the server's; where it is, for people.
    ///
    /// - Parameter name: from the storage's root on.
    func leave(_ name: String, _ bytes: [UInt8] = [1]) throws -> String {
        if let bucket = store as? S3ChunkStore {
            try bucket.client.put(name, bytes)
            return bucket.client.bucket.location(of: name)
        }
        let path = "\(directory.path)/storage/\(name)"
        try Directory.make(File.parent(of: path))
        try File.replace(path, with: bytes, permissions: 0o600)
        return path
    }

    /// Whether that is still there.
    func isLeft(_ name: String) throws -> Bool {
        guard let bucket = store as? S3ChunkStore else { return File.exists("\(directory.path)/storage/\(name)") }
        return try bucket.client.get(name) != nil
    }

    /// Takes the whole storage away, as where a disk is not mounted, or a bucket was emptied.
    func loseStorage() throws {
        guard let bucket = store as? S3ChunkStore else {
            return try File.rename(directory.file("storage"), to: directory.file("elsewhere"))
        }
        try bucket.client.delete("VERSION")
    }
}
