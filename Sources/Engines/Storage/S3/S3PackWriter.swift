import Platform

/// Writes packs of a bucket. Thread: one at a time; parts are sent by the store's workers beside it.
///
/// A pack is whole, and can be read, when it is complete: when it is full, when the upload is made durable, or when bytes of a
/// part that is gone from memory are asked for. The next bytes go into another pack.
final class S3PackWriter: PackWriter {
    private let store: S3ChunkStore
    private let journal: any PackJournal
    private var begun: [S3PackUpload] = []
    private var isEnded = false
    /// When the time of all packs was made longer last.
    private var renewed = MonotonicTime.now

    /// A pack that is whole waits for the others; where that takes days its time runs out.
    private static let renewalInterval = Duration.seconds(3600)

    init(store: S3ChunkStore, journal: any PackJournal) {
        self.store = store
        self.journal = journal
    }

    deinit { abandon() }

    func append(_ bytes: UnsafeRawBufferPointer) throws(StorageError) -> Extent {
        precondition(!isEnded, "a writer that was given back or abandoned appends no more")
        precondition(bytes.count > 0, "a stored chunk is never empty")
        let pack = try currentPack()
        return try unsafe pack.append(bytes)
    }

    private func currentPack() throws(StorageError) -> S3PackUpload {
        if let last = begun.last, !last.isComplete {
            if last.byteCount < store.sealByteCount { return last }
            // Its last part is on its way while the next pack begins.
            try last.sendRest()
        }
        if MonotonicTime.now - renewed > S3PackWriter.renewalInterval {
            for pack in begun { journal.renew(pack.name) }
            renewed = .now
        }
        let pack = S3PackUpload(try store.beginPack(journal), store, journal)
        begun.append(pack)
        return pack
    }

    func read(_ extent: Extent) throws(StorageError) -> [UInt8] {
        guard let own = begun.first(where: { $0.name == extent.pack }), !own.isComplete else { return try store.read(extent) }
        if let bytes = own.bytesInMemory(extent) { return bytes }
        try own.complete()
        return try store.read(extent)
    }

    func makeDurable() throws(StorageError) {
        for pack in begun { try pack.sendRest() }
        for pack in begun { try pack.complete() }
        try store.client.reach(.sync, "make durable", "packs")
    }

    var packs: [WrittenPack] {
        begun.filter { $0.byteCount > 0 }.map { WrittenPack(name: $0.name, byteCount: $0.byteCount, isSealed: true, isLoose: true) }
    }

    func giveBack() { leave() }

    func abandon() {
        for pack in begun where !isEnded { pack.discard() }
        isEnded = true
        begun = []
    }

    func leave() {
        // Where rows name the packs they are in the journal no more; else their time there runs out.
        for pack in begun { pack.settle() }
        isEnded = true
        begun = []
    }
}

/// One pack on its way into the bucket. Thread: its writer's.
final class S3PackUpload {
    /// What the workers bring.
    private struct Parts {
        var tags: [Int: String] = [:]
        var underWayCount = 0
        var failure: StorageError?
    }

    let name: PackName
    private(set) var byteCount: Int64 = 0
    private(set) var isComplete = false
    /// Whether a write, or a try of it, ended without an answer: it may be done yet, also after a deletion.
    private var isInDoubt = false
    private let store: S3ChunkStore
    private let journal: any PackJournal
    private let key: String
    /// What is not sent yet, from `byteCount - rest.count` on.
    private var rest: [UInt8] = []
    /// Of the upload in parts; nil where none was begun.
    private var uploadID: String?
    private var partCount = 0
    private let parts = Monitor(Parts())

    /// Parts that are sent at once; so many are in memory, and one more.
    private static let underWayMax = 3

    init(_ name: PackName, _ store: S3ChunkStore, _ journal: any PackJournal) {
        self.name = name
        self.store = store
        self.journal = journal
        key = S3ChunkStore.key(of: name)
    }

    func append(_ bytes: UnsafeRawBufferPointer) throws(StorageError) -> Extent {
        let extent = Extent(pack: name, offset: byteCount, byteCount: Int64(bytes.count))
        unsafe rest.append(contentsOf: bytes)
        byteCount = extent.end
        if rest.count >= store.client.limits.partBytes { try sendPart() }
        return extent
    }

    /// The bytes of an extent that has not been sent; nil where it has, or ends beyond.
    func bytesInMemory(_ extent: Extent) -> [UInt8]? {
        let start = byteCount - Int64(rest.count)
        guard extent.offset >= start, extent.end <= byteCount else { return nil }
        return Array(rest[Int(extent.offset - start)..<Int(extent.end - start)])
    }

    /// Sends what is left of a pack that has parts; a small one waits for `complete`.
    func sendRest() throws(StorageError) {
        if !isComplete, uploadID != nil, !rest.isEmpty { try sendPart() }
    }

    private func sendPart() throws(StorageError) {
        let id: String
        if let uploadID { id = uploadID } else {
            id = try store.client.beginUpload(key)
            uploadID = id
        }
        let failure = parts.wait { parts -> StorageError?? in
            if let failure = parts.failure { return .some(failure) }
            guard parts.underWayCount < S3PackUpload.underWayMax else { return nil }
            parts.underWayCount += 1
            return .some(nil)
        }
        if let failure { throw failure }
        journal.renew(name)
        partCount += 1
        let (number, bytes) = (partCount, rest)
        rest = []
        let (client, key, parts) = (store.client, key, parts)
        let send: @Sendable () -> Void = {
            let result: Result<String, StorageError>
            do throws(StorageError) {
                result = .success(try client.putPart(key, upload: id, number: number, bytes))
            } catch { result = .failure(error) }
            parts.update { parts in
                parts.underWayCount -= 1
                switch result {
                case .success(let tag): parts.tags[number] = tag
                case .failure(let error): parts.failure = parts.failure ?? error
                }
            }
        }
        // Where all workers are busy, and as many wait, this thread has the time.
        if !store.workers.submit(send) { send() }
    }

    /// Waits until no part is on its way.
    func settle() { parts.wait { $0.underWayCount == 0 ? () : nil } }

    /// Makes the object: from here on it can be read.
    func complete() throws(StorageError) {
        if isComplete { return }
        do throws(StorageError) { try write() } catch {
            // Also where it was refused: a try before that one may have had no answer, and be carried out yet.
            isInDoubt = true
            throw error
        }
        isComplete = true
        rest = []
        store.sizes.keep(byteCount, of: name)
    }

    private func write() throws(StorageError) {
        try sendRest()
        if let uploadID {
            settle()
            let (tags, failure) = parts.withLock { ($0.tags, $0.failure) }
            if let failure { throw failure }
            let ordered = tags.sorted { $0.key < $1.key }.map(\.value)
            try store.client.endUpload(key, upload: uploadID, tags: ordered, byteCount: byteCount)
        } else {
            isInDoubt = try store.client.put(key, rest)
        }
    }

    /// Takes back whatever is in the bucket. Where that fails, or nobody knows what is still to come there, the journal keeps the
    /// name, and a collection does it.
    func discard() {
        settle()
        store.sizes.drop(name)
        if parts.withLock({ $0.failure != nil }) { isInDoubt = true }
        do throws(StorageError) {
            if let uploadID, !isComplete { try store.client.abortUpload(key, uploadID) }
            // Also where its PUT failed: the answer may have been lost.
            try store.client.delete(key)
        } catch {
            store.log.warning("\(error); a collection will")
            return
        }
        if !isInDoubt { journal.forget(name) }
    }
}
