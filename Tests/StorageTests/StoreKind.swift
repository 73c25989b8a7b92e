import Platform
import Storage
import Support

/// The backends that the conformance suite runs on; each further one is a case here.
enum StoreKind: String, CaseIterable, Sendable {
    case local

    /// Opens the store in `directory` as the server that writes.
    func open(in directory: TemporaryDirectory, sealByteCount: Int64 = 64 << 20) throws -> any ChunkStore {
        switch self {
        case .local: try LocalChunkStore(path: directory.file("store"), sealByteCount: sealByteCount)
        }
    }

    /// The same store as another process sees it that does not write.
    func openBeside(in directory: TemporaryDirectory) throws -> any ChunkStore {
        switch self {
        case .local: try LocalChunkStore(path: directory.file("store"), forServing: false)
        }
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
    /// Punches, or says that the file system under the test has no holes.
    func punchesHoles(_ extents: [Extent]) throws(StorageError) -> Bool {
        do throws(StorageError) {
            try punch(extents)
            return true
        } catch {
            if error.cause == .unsupported { return false }
            throw error
        }
    }
}
