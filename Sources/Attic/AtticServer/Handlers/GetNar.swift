import AtticAPI
import Compression
import Database
import HTTP
import HTTPServer
import Nix
import Storage

/// `GET /{cache}/nar/{name}`: the NAR in its stored compression, whole or one range of it.
///
/// A NAR is reached only through an object of this cache. What is answered is a `NarAnswer`; that of a whole NAR is kept for
/// the loops.
enum GetNar {
    static func respond(_ call: Call, _ name: CacheName, _ nar: NarName) throws -> Response {
        let generation = call.context.hot.currentGeneration
        let cache = try call.enter(name, needing: .pull)
        guard let found = try find(call, cache, nar) else { return try GetReceivedNar.respond(call, cache, nar) }
        let head = call.request.head
        let answer = NarAnswer(found.nar, objectID: found.objectID, in: cache, nar.freshness)
        if let notModified = answer.notModified(head) { return notModified }
        // All sizes are checked here, before the status line: a damaged NAR is an error and never a short answer.
        let assembly: NarAssembly
        do { assembly = try NarAssembly(found.places, byteCount: found.nar.fileSize, in: call.context.store) } catch {
            if !found.nar.isDamaged { try note(error, on: found.nar, call.context) }
            throw error
        }
        // Bytes that are wrong may have the right size: what is known of them counts.
        if found.nar.isDamaged { throw Problem.incompleteNar }
        call.context.accessTimes.note(found.objectID, at: call.now)
        if head.wantsWhole { keepHot(call, name, nar, answer, assembly, cache, readAt: generation) }
        return answer.response(to: head, assembly)
    }

    /// Keeps the whole NAR's answer for the loops, until the object is pushed anew or something is collected.
    private static func keepHot(
        _ call: Call, _ name: CacheName, _ nar: NarName, _ answer: NarAnswer, _ assembly: NarAssembly,
        _ cache: CacheRecord, readAt generation: UInt64
    ) {
        guard let objectID = answer.objectID else { return }
        let hot = HotAnswers.Answer(
            path: Array("/\(name)/nar/\(nar)".utf8), cache: cache.name, isPublic: cache.isPublic,
            response: answer.whole(assembly).prepared(),
            nar: HotAnswers.Nar(objectID: objectID, assembly: assembly))
        call.context.hot.keep(hot, readAt: generation)
    }

    /// Whether an error says that stored bytes are not there, or not the NAR's.
    static func isLoss(_ error: any Error) -> Bool {
        if let problem = error as? Problem { return problem == .incompleteNar }
        return switch (error as? StorageError)?.cause {
        case .missing, .short: true
        case .full, .unsupported, .inUse, .unknownVersion, .checkFailed, .system, nil: false
        }
    }

    /// Remembers what was found to be lost: from now on its paths count as missing, so that a client pushes them again.
    /// What says nothing of its bytes (a database that is busy, a disk that does not answer) marks nothing.
    static func note(_ loss: any Error, on nar: NarRecord, _ context: Context) throws(DatabaseError) {
        if let problem = loss as? Problem, problem == .incompleteNar {
            // Its chunks are there, and do not add up to it.
            try context.catalog.write { session throws(DatabaseError) in
                try session.markDamaged(narID: nar.id, fileHash: nar.fileHash)
            }
            return context.hot.forgetAll()
        }
        guard let loss = loss as? StorageError else { return }
        let pack: PackName
        switch loss.cause {
        case .missing(let name): pack = name
        case .short(let extent, _): pack = extent.pack
        case .full, .unsupported, .inUse, .unknownVersion, .checkFailed, .system: return
        }
        let store = context.store
        try context.catalog.write { session throws(DatabaseError) in
            // Looked at again here, where no upload commits: one may have appended to the pack since, and what rows name by now
            // was in the file before them.
            let left: Int64?
            do throws(StorageError) { left = try store.packByteCount(pack) } catch { return }
            try session.markLost(pack: pack.text, beyond: left ?? 0)
        }
        context.hot.forgetAll()
    }

    /// A NAR, and where it lay when its row said so: read apart, a repair in between would make a healthy NAR look damaged.
    private typealias Found = (nar: NarRecord, objectID: Int64, places: [StoredExtent])

    /// The NAR of our own name; nil where a client may know it by another.
    private static func find(_ call: Call, _ cache: CacheRecord, _ nar: NarName) throws -> Found? {
        switch nar {
        case .file(let hash, let suffix):
            let found = try call.context.catalog.read { session throws(DatabaseError) -> Found? in
                guard let (nar, objectID) = try session.findNar(fileHash: hash, cacheID: cache.id) else { return nil }
                return (nar, objectID, try session.extents(ofNar: nar.id))
            }
            guard let found, CompressionKind(rawValue: found.nar.compression)?.fileSuffix == suffix else { return nil }
            return found
        case .storePath(let hash):
            let found = try call.context.catalog.read { session throws(DatabaseError) -> Found? in
                guard let object = try session.findObject(cache.id, hash) else { return nil }
                return (object.nar, object.id, try session.extents(ofNar: object.nar.id))
            }
            guard let found else { throw Problem.noSuchObject }
            return found
        }
    }
}

extension NarName {
    /// What is behind a store path's hash is what was pushed last.
    fileprivate var freshness: Headers.Freshness {
        switch self {
        case .file: .immutable
        case .storePath: .hour
        }
    }
}
