import AtticAPI
import HTTP
import HTTPServer
import Platform

// Narinfos, cache infos, and where NARs lie, found, rendered and signed once, kept in memory for the loops.
//
// What makes them right: whoever changes what an answer says tells this table after the commit (`forget`, `forgetAll`), and
// `ForeignCommitWatch` tells it when another process has committed. How long ago its last look may be says `Freshness`, and who
// answers from here asks that first. An answer that was read from the database before such a change and comes to be kept after it
// is recognised by the generation, and not kept.

/// Answers that loops give without a thread, a query or a signature. Thread: any.
package final class HotAnswers: Sendable {
    /// One answer, for those who may pull from its cache.
    final class Answer: Sendable {
        let path: [UInt8]
        let cache: CacheName
        let isPublic: Bool
        let response: Response
        /// Where the answer is a NAR, whole.
        let nar: Nar?
        /// Where the answer is a narinfo, its object: who may push and is told of it counts as having pulled it.
        let objectID: Int64?

        init(path: [UInt8], cache: CacheName, isPublic: Bool, response: Response, nar: Nar? = nil, objectID: Int64? = nil) {
            self.path = path
            self.cache = cache
            self.isPublic = isPublic
            self.response = response
            self.nar = nar
            self.objectID = objectID
        }

        /// What it takes in memory, in bytes; the constants stand for the objects themselves and their rendered heads.
        var byteCount: Int {
            if let nar { return path.count + (nar.assembly.places.count + nar.assembly.packs.count) * 32 + 1024 }
            return path.count + Int(response.body.byteCount ?? 0) + 512
        }
    }

    /// What a loop must know of a NAR before it sends it.
    struct Nar: Sendable {
        /// The object that is pulled with it.
        let objectID: Int64
        let assembly: NarAssembly
    }

    /// Answers by key, and what they take.
    private struct Table {
        var answers: [Int: Answer] = [:]
        var byteCount = 0

        /// Puts an answer in; one too many begins the table anew.
        mutating func keep(_ answer: Answer, _ key: Int, byteCountMax: Int) {
            if let former = answers[key] { byteCount -= former.byteCount }
            if byteCount + answer.byteCount > byteCountMax { self = Table() }
            answers[key] = answer
            byteCount += answer.byteCount
        }

        mutating func forget(_ key: Int) {
            if let former = answers.removeValue(forKey: key) { byteCount -= former.byteCount }
        }
    }

    private struct Shard {
        var found = Table()
        /// What there is not. Apart, because anyone can ask for what there is not, as often as they like, and must not put out
        /// what there is.
        var missing = Table()
        /// Apart, because all of them go together; the books know what they take.
        var nars: [Int: Answer] = [:]

        func answer(_ key: Int) -> Answer? { found.answers[key] ?? missing.answers[key] ?? nars[key] }
    }

    /// What is known of the whole table; its lock is taken before a shard's.
    private struct Books {
        var generation: UInt64 = 0
        /// The keys of NARs, by the object that they were reached through.
        var narKeys: [Int64: [Int]] = [:]
        var narBytes = 0
        /// The packs that NARs keep open.
        var files: [ObjectIdentifier: OpenFile] = [:]
    }

    /// Shards keep the loops out of each other's way; a power of two.
    private static let shardCount = 16
    private let shards: [Monitor<Shard>]
    private let books = Monitor(Books())
    /// Of a shard.
    private let foundBytesMax: Int
    private let missingBytesMax: Int
    private let narBytesMax: Int
    private let filesMax: Int

    /// A NAR in more packs than this is looked at by its handler each time: a loop has no time for so many files.
    private static let packsPerNarMax = 64

    /// What is full begins anew: finding an answer must not cost a list of who was used last.
    ///
    /// - Parameters:
    ///   - byteCountMax: what all answers take at most, a quarter of it for NARs and a quarter for what there is not.
    ///   - filesMax: packs that are kept open for NARs at most, beside those that the storage keeps open.
    package init(byteCountMax: Int = 64 << 20, filesMax: Int = 128) {
        shards = (0..<HotAnswers.shardCount).map { _ in Monitor(Shard()) }
        narBytesMax = byteCountMax / 4
        foundBytesMax = byteCountMax / 2 / HotAnswers.shardCount
        missingBytesMax = byteCountMax / 4 / HotAnswers.shardCount
        self.filesMax = filesMax
    }

    /// The answer to a path, whoever asks; nil where there is none ready.
    func find(_ path: UnsafeRawBufferPointer) -> Answer? {
        let key = unsafe HotAnswers.key(path)
        guard let answer = shard(key).withLock({ $0.answer(key) }) else { return nil }
        // Two paths may share a key; the bytes decide.
        return unsafe answer.path.withUnsafeBytes { unsafe Bytes.equal($0, path) } ? answer : nil
    }

    /// The generation to be read before the database is, for an answer that is to be kept.
    var currentGeneration: UInt64 { books.withLock { $0.generation } }

    /// Keeps an answer, unless something changed since `readAt`.
    func keep(_ answer: Answer, readAt: UInt64) {
        let key = unsafe answer.path.withUnsafeBytes { unsafe HotAnswers.key($0) }
        // Under the books' lock, so that no `forget` can come between the check and the keeping.
        books.withLock { books in
            guard books.generation == readAt else { return }
            if let nar = answer.nar { return keep(answer, nar, key, &books) }
            shard(key).withLock { shard in
                if answer.response.status == .notFound {
                    shard.missing.keep(answer, key, byteCountMax: missingBytesMax)
                } else {
                    shard.found.keep(answer, key, byteCountMax: foundBytesMax)
                }
            }
        }
    }

    private func keep(_ answer: Answer, _ nar: Nar, _ key: Int, _ books: inout Books) {
        let packs = nar.assembly.packs
        // One that takes a good part of the room would throw out all others each time.
        guard packs.count <= min(HotAnswers.packsPerNarMax, filesMax), answer.byteCount <= narBytesMax / 16 else { return }
        let newFiles = packs.count { books.files[ObjectIdentifier($0.file)] == nil }
        if books.narBytes + answer.byteCount > narBytesMax || books.files.count + newFiles > filesMax { forgetNars(&books) }
        // Two who asked for it first at once: it is kept once.
        let former = shard(key).withLock { $0.nars[key]?.byteCount } ?? 0
        books.narBytes += answer.byteCount - former
        if books.narKeys[nar.objectID]?.contains(key) != true { books.narKeys[nar.objectID, default: []].append(key) }
        for pack in packs { books.files[ObjectIdentifier(pack.file)] = pack.file }
        shard(key).withLock { $0.nars[key] = answer }
    }

    /// Forgets what was kept for an object: it was committed anew.
    ///
    /// - Parameters:
    ///   - narInfo: the path of its narinfo.
    ///   - objectID: what its NARs were kept for.
    func forget(narInfo: String, objectID: Int64) {
        let bytes = Array(narInfo.utf8)
        let key = unsafe bytes.span.withUnsafeBytes { unsafe HotAnswers.key($0) }
        books.withLock { books in
            books.generation += 1
            shard(key).withLock { shard in
                shard.found.forget(key)
                shard.missing.forget(key)
            }
            // Their bytes stay counted until all NARs begin anew.
            guard let narKeys = books.narKeys.removeValue(forKey: objectID) else { return }
            for key in narKeys { shard(key).withLock { $0.nars[key] = nil } }
        }
    }

    /// Forgets everything: a cache was changed, objects were collected, or another process committed.
    package func forgetAll() {
        books.withLock { books in
            books.generation += 1
            forgetNars(&books)
            for shard in shards { shard.withLock { $0 = Shard() } }
        }
    }

    /// Lets go of every pack, too.
    private func forgetNars(_ books: inout Books) {
        for shard in shards { shard.withLock { $0.nars = [:] } }
        (books.narKeys, books.narBytes, books.files) = ([:], 0, [:])
    }

    /// Packs that are kept open here.
    var fileCount: Int { books.withLock { $0.files.count } }

    /// Seeded anew in each process, so that nobody outside can make keys collide.
    private static func key(_ path: UnsafeRawBufferPointer) -> Int {
        var hasher = Hasher()
        unsafe hasher.combine(bytes: path)
        return hasher.finalize()
    }

    private func shard(_ key: Int) -> Monitor<Shard> { shards[key & (HotAnswers.shardCount - 1)] }
}
