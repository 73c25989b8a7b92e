import Logging
import Platform
import S3

/// Packs as objects of an S3 bucket:
///
///     VERSION          `tetryx storage 1 (objects)`, and in the second line the bucket's id, which its database knows
///     packs/NAME       a pack
///
/// Any number of servers may use it at once. What they do to one another is settled in their database (`PackJournal`), and
/// nothing in the bucket is a lock.
package final class S3ChunkStore: ChunkStore {
    package var packKind: PackKind { .object }

    /// Tells the bucket from all others; nil where no server has given it one (`setID`).
    package let id: String?

    let client: S3Client
    let sealByteCount: Int64
    private let journal: (any PackJournal)?
    let log: Logger
    let sizes: PackSizes
    let ranges: S3Ranges
    /// What is done beside the thread that asks: parts that are sent, ranges that are read ahead. No job has the store, whose end
    /// waits for them.
    let workers: WorkerPool
    private let newName: @Sendable () -> PackName

    private static let version = "tetryx storage 1 (objects)"
    private static let versionKey = "VERSION"
    private static let packPrefix = "packs/"

    /// Opens a bucket, which must be there, and writes into an empty one what it is.
    ///
    /// - Parameters:
    ///   - credentials: as they are now.
    ///   - credentialsFile: where they were read, and are read again when they end; nil for those that stay.
    ///   - journal: where names are written down before objects are; without it nothing can be written.
    ///   - sealByteCount: a pack that has reached this many bytes gets no more. The last chunk may reach beyond.
    ///   - namesPacks: whether packs must be in it, where there is no journal to ask.
    ///   - forServing: writes what it is into a bucket that does not say so, where the journal names no pack that would be elsewhere.
    ///   - newName: names packs that are made; none twice.
    ///   - sleep: how a thread waits; for tests.
    /// - Throws: `.unknownVersion` where another layout lies in it; `.unreachable` and `.refused` where the bucket cannot be used.
    package init(
        _ bucket: S3Bucket, _ credentials: S3Credentials, readFrom credentialsFile: S3CredentialsFile.Place? = nil,
        limits: S3Limits = S3Limits(), journal: (any PackJournal)?,
        namesPacks: Bool = false, sealByteCount: Int64 = 64 << 20, forServing: Bool = true, time: TimeSource = .system,
        log: Logger = Logger(label: "tetryx.storage"), newName: @escaping @Sendable () -> PackName = { .random() },
        sleep: @escaping @Sendable (Duration) -> Void = { MonotonicTime.sleep($0) }
    ) throws(StorageError) {
        let keyring = S3Keyring(credentials, readFrom: credentialsFile, region: bucket.region, log: log)
        client = try S3Client(bucket, keyring, limits: limits, time: time, sleep: sleep)
        self.journal = journal
        self.sealByteCount = sealByteCount
        self.log = log
        self.newName = newName
        workers = WorkerPool(name: "bucket", threadsMax: limits.requestsMax, queueMax: 4096)
        sizes = PackSizes(countMax: 200_000, time: time)
        ranges = S3Ranges(client: client, sizes: sizes, budget: Monitor(limits.readAheadBytesOfAll))
        id = try S3ChunkStore.checkVersion(client, journal, namesPacks: namesPacks, forServing: forServing)
    }

    deinit { workers.stop() }

    /// - Returns: the bucket's id, where it has one.
    private static func checkVersion(
        _ client: S3Client, _ journal: (any PackJournal)?, namesPacks: Bool, forServing: Bool
    ) throws(StorageError) -> String? {
        guard let found = try client.get(versionKey) else {
            let location = client.bucket.location(of: versionKey)
            let isUsed: Bool
            do { isUsed = try journal?.namesPacks() ?? namesPacks } catch { throw StorageError("open storage", location, .checkFailed("\(error)")) }
            // In a wrong bucket every pack would seem to be lost.
            if isUsed {
                throw StorageError("open storage", location, .refused("it is not there, and the database names packs: is [storage] bucket the right one?"))
            }
            if forServing { try client.put(versionKey, Array("\(version)\n".utf8)) }
            return nil
        }
        let lines = String(decoding: found.prefix(200), as: UTF8.self).split(separator: "\n")
        let text = lines.first ?? ""
        if text != version { throw StorageError("open storage", client.bucket.location(of: versionKey), .unknownVersion(String(text))) }
        return lines.count > 1 ? String(lines[1]) : nil
    }

    /// Writes an id into the bucket's VERSION.
    package func setID(_ id: String) throws(StorageError) {
        try client.put(S3ChunkStore.versionKey, Array("\(S3ChunkStore.version)\n\(id)\n".utf8))
    }

    /// Whether there is any pack.
    package func hasPacks() throws(StorageError) -> Bool { try client.hasAny(below: S3ChunkStore.packPrefix) }

    /// Whether one of these packs is there; asks for each until then.
    package func hasAny(of names: [PackName]) throws(StorageError) -> Bool {
        for name in names where try packByteCount(name) != nil { return true }
        return false
    }

    /// As `ChunkStore.ping`, with one request: whether its VERSION is there.
    package func ping() throws(StorageError) { try client.ping(S3ChunkStore.versionKey) }

    static func key(of name: PackName) -> String { packPrefix + name.text }

    package func location(of name: PackName) -> String { client.bucket.location(of: S3ChunkStore.key(of: name)) }

    // MARK: Writing

    package func borrowPack() throws(StorageError) -> any PackWriter {
        guard let journal else { preconditionFailure("only a store that has a journal is written to") }
        return S3PackWriter(store: self, journal: journal)
    }

    /// A name for a pack that is about to be written; the journal has it.
    func beginPack(_ journal: any PackJournal) throws(StorageError) -> PackName {
        let name = newName()
        do { try journal.begin(name) } catch {
            throw error as? StorageError ?? StorageError("begin", location(of: name), .checkFailed("\(error)"))
        }
        return name
    }

    // MARK: Collecting

    /// Nothing of an object can be given back; `.unsupported`, but for those that are not there.
    package func punch(_ extents: [Extent]) throws(StorageError) {
        for extent in extents where try packByteCount(extent.pack) != nil {
            throw StorageError("punch a hole into", location(of: extent.pack), .unsupported)
        }
    }

    /// As `ChunkStore.removePack`. No writer goes on in a pack that is there, and one that is being written has its name in the
    /// journal: that nobody has it is what `ifStill` has to find there.
    package func removePack(_ name: PackName, ifStill: () throws -> Bool) throws(StorageError) -> Bool {
        let isStillDead: Bool
        do { isStillDead = try ifStill() } catch { throw StorageError("remove", location(of: name), .checkFailed("\(error)")) }
        guard isStillDead else { return false }
        sizes.drop(name)
        try client.delete(S3ChunkStore.key(of: name))
        return true
    }

    /// As `ChunkStore.discard`: parts of it, the object, or nothing.
    package func discard(_ name: PackName) throws(StorageError) {
        let key = S3ChunkStore.key(of: name)
        try client.abortUploads(key)
        sizes.drop(name)
        try client.delete(key)
    }

    // MARK: Looking

    package func packNames() throws(StorageError) -> [PackName] {
        var names: [PackName] = []
        try client.list { key, _ throws(StorageError) in if let name = S3ChunkStore.pack(key) { names.append(name) } }
        return names.sorted()
    }

    package func packByteCount(_ name: PackName) throws(StorageError) -> Int64? { try ranges.packByteCount(name) }

    package func truncatePack(_ name: PackName, to byteCount: Int64) throws(StorageError) -> Bool {
        guard let found = try packByteCount(name) else { throw StorageError("cut", location(of: name), .missing(name)) }
        if found > byteCount { throw StorageError("cut", location(of: name), .unsupported) }
        return true
    }

    package func lookAtIdlePack(_ name: PackName, _ look: (Int64) throws -> Int64?) throws(StorageError) -> Bool {
        guard let byteCount = try packByteCount(name) else { return false }
        let wanted: Int64?
        do { wanted = try look(byteCount) } catch { throw StorageError("look at", location(of: name), .checkFailed("\(error)")) }
        if let wanted, wanted < byteCount { throw StorageError("cut", location(of: name), .unsupported) }
        return true
    }

    package func otherFiles() throws(StorageError) -> OtherFiles {
        var found = OtherFiles()
        try client.list { key, _ throws(StorageError) in
            if key != S3ChunkStore.versionKey && S3ChunkStore.pack(key) == nil { found.strangers.append(client.bucket.location(of: key)) }
        }
        return found
    }

    /// There are none in a bucket.
    package func removeTemporary(_ path: String) throws(StorageError) {}

    /// There are none: nothing of a bucket is open here.
    @discardableResult
    package func releaseRemovedFiles() -> Int { 0 }

    private static func pack(_ key: String) -> PackName? {
        key.hasPrefix(packPrefix) ? PackName(key.dropFirst(packPrefix.count)) : nil
    }
}
