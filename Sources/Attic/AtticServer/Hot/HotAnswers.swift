import AtticAPI
import HTTP
import HTTPServer
import Platform

// Narinfos and cache infos, rendered and signed once, kept in memory for the loops.
//
// What makes them right: whoever changes what an answer says tells this table after the commit (`forget`, `forgetAll`), and
// upkeep tells it when another process has committed. An answer that was read from the database before such a
// change and comes to be kept after it is recognised by the generation, and not kept.

/// Answers that loops give without a thread, a query or a signature. Thread: any.
package final class HotAnswers: Sendable {
    /// One answer, for those who may pull from its cache.
    final class Answer: Sendable {
        let path: [UInt8]
        let cache: CacheName
        let isPublic: Bool
        let response: Response

        init(path: [UInt8], cache: CacheName, isPublic: Bool, response: Response) {
            self.path = path
            self.cache = cache
            self.isPublic = isPublic
            self.response = response
        }

        /// What it takes in memory, in bytes; the constant stands for the objects themselves.
        var byteCount: Int { path.count + Int(response.body.byteCount) + 512 }
    }

    private struct Shard {
        var answers: [Int: Answer] = [:]
        var byteCount = 0
    }

    /// Shards keep the loops out of each other's way; a power of two.
    private static let shardCount = 16
    private let shards: [Monitor<Shard>]
    private let generation = Monitor<UInt64>(0)
    private let shardBytesMax: Int

    /// - Parameter byteCountMax: what all answers take at most. A shard that is full begins anew: finding an answer must
    ///   not cost a list of who was used last.
    package init(byteCountMax: Int = 64 << 20) {
        shards = (0..<HotAnswers.shardCount).map { _ in Monitor(Shard()) }
        shardBytesMax = byteCountMax / HotAnswers.shardCount
    }

    /// The answer to a path, whoever asks; nil where there is none ready.
    func find(_ path: UnsafeRawBufferPointer) -> Answer? {
        let key = unsafe HotAnswers.key(path)
        guard let answer = shard(key).peek({ $0.answers[key] }) else { return nil }
        // Two paths may share a key; the bytes decide.
        return unsafe answer.path.withUnsafeBytes { unsafe Bytes.equal($0, path) } ? answer : nil
    }

    /// The generation to be read before the database is, for an answer that is to be kept.
    var currentGeneration: UInt64 { generation.peek { $0 } }

    /// Keeps an answer, unless something changed since `readAt`.
    func keep(_ answer: Answer, readAt: UInt64) {
        let key = unsafe answer.path.withUnsafeBytes { unsafe HotAnswers.key($0) }
        let limit = shardBytesMax
        // Under the generation's lock, so that no `forget` can come between the check and the keeping.
        generation.peek { now in
            guard now == readAt else { return }
            shard(key).peek { shard in
                if let former = shard.answers[key] { shard.byteCount -= former.byteCount }
                if shard.byteCount + answer.byteCount > limit { shard = Shard() }
                shard.answers[key] = answer
                shard.byteCount += answer.byteCount
            }
        }
    }

    /// Forgets what was kept for a path: it was committed anew.
    func forget(_ path: String) {
        let bytes = Array(path.utf8)
        let key = unsafe bytes.span.withUnsafeBytes { unsafe HotAnswers.key($0) }
        generation.peek { now in
            now += 1
            shard(key).peek { shard in
                if let former = shard.answers.removeValue(forKey: key) { shard.byteCount -= former.byteCount }
            }
        }
    }

    /// Forgets everything: a cache was changed, objects were collected, or another process committed.
    package func forgetAll() {
        generation.peek { now in
            now += 1
            for shard in shards { shard.peek { $0 = Shard() } }
        }
    }

    /// Seeded anew in each process, so that nobody outside can make keys collide.
    private static func key(_ path: UnsafeRawBufferPointer) -> Int {
        var hasher = Hasher()
        unsafe hasher.combine(bytes: path)
        return hasher.finalize()
    }

    private func shard(_ key: Int) -> Monitor<Shard> { shards[key & (HotAnswers.shardCount - 1)] }
}
