import BucketSupport
import Crypto
import Platform
import S3
import Support
import Testing

@testable import Storage

/// The backends that the conformance suite runs on; each further one is a case here.
enum StoreKind: String, CaseIterable, Sendable {
    case local
    /// A bucket in this process.
    case bucket
    /// A bucket of a server that verifies signatures; scripts/test starts one.
    case gateway

    /// All that are there.
    static var allCases: [StoreKind] { TestGateway.url == nil ? [.local, .bucket] : [.local, .bucket, .gateway] }
    /// Those whose packs are files.
    static let files: [StoreKind] = [.local]
    /// Those whose packs are objects.
    static var objects: [StoreKind] { allCases.filter { !files.contains($0) } }

    /// Opens the store in `directory` as a server that writes.
    func open(in directory: TemporaryDirectory, sealByteCount: Int64 = 64 << 20) throws -> any ChunkStore {
        switch self {
        case .local: try LocalChunkStore(path: directory.file("store"), sealByteCount: sealByteCount)
        case .bucket, .gateway: try openBucket(directory, sealByteCount: sealByteCount)
        }
    }

    /// The same store as another process sees it that does not write.
    func openBeside(in directory: TemporaryDirectory) throws -> any ChunkStore {
        switch self {
        case .local: try LocalChunkStore(path: directory.file("store"), forServing: false)
        case .bucket, .gateway: try openBucket(directory, forServing: false)
        }
    }

    /// A bucket named after the directory; made where it is not there.
    private func openBucket(
        _ directory: TemporaryDirectory, sealByteCount: Int64 = 64 << 20, forServing: Bool = true
    ) throws -> S3ChunkStore {
        let name = "t" + String(SHA256.digest(of: Array(directory.path.utf8)).hex.prefix(20))
        let endpoint = try self == .gateway ? TestGateway.url : "http://\(FakeBucket.shared().address)"
        let bucket = try S3Bucket(name, region: "us-east-1", endpoint: endpoint)
        if self == .gateway && forServing { try TestGateway.make(bucket: name) }
        return try S3ChunkStore(
            bucket, TestGateway.credentials, journal: TestJournal(), sealByteCount: sealByteCount, forServing: forServing)
    }

    /// A pack as a writer says that it left it.
    func written(_ name: PackName, _ byteCount: Int64, isSealed: Bool = false) -> WrittenPack {
        let isObject = self != .local
        return WrittenPack(name: name, byteCount: byteCount, isSealed: isSealed || isObject, isLoose: isObject)
    }
}

extension PackWriter {
    func append(_ bytes: [UInt8]) throws(StorageError) -> Extent {
        try unsafe bytes.span.withUnsafeBytes { buffer throws(StorageError) in try unsafe append(buffer) }
    }
}

/// Bytes that differ from place to place and from seed to seed.
func patterned(_ count: Int, seed: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: ($0 &* 31) ^ ($0 >> 8) ^ (seed &* 97)) }
}

/// Runs `body` on as many threads, and returns when all have ended.
func onThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
    if count == 0 { return }
    let thread = Thread(named: "test-\(count)") { body(count - 1) }
    onThreads(count - 1, body)
    thread.join()
}

extension ChunkStore {
    /// Punches, or says that a bucket, or the file system under the test, has no holes; the latter is asked itself whether that is so.
    ///
    /// - Parameter directory: on that file system.
    func punchesHoles(_ extents: [Extent], in directory: String) throws -> Bool {
        do throws(StorageError) { try punch(extents) } catch {
            guard error.cause == .unsupported else { throw error }
            if packKind == .object { return false }
            let file = try File.open(directory + "/probe", .create(permissions: 0o600))
            #expect(throws: Errno.notSupported) { try file.punchHole(at: 0, byteCount: 4096) }
            return false
        }
        return true
    }
}
