import AtticAPI
import Database
import HTTP
import HTTPServer
import Nix
import Storage

/// `GET /{cache}/nar/{name}`: the NAR in its stored compression, whole or one range of it, or where else it is to be had; opened
/// where its frames cannot be joined.
///
/// A NAR is reached only through an object of this cache. What is answered is a `NarAnswer`; that of a whole NAR is kept for
/// the loops.
enum GetNar {
    static func respond(_ call: Call, _ name: CacheName, _ nar: NarName) throws -> Response {
        let generation = call.context.hot.currentGeneration
        let cache = try call.enter(name, needing: .pull)
        guard let found = try find(call.context, cache, nar) else { return try GetReceivedNar.respond(call, cache, nar) }
        let head = call.request.head
        let (context, record) = (call.context, found.nar)
        let answer = NarAnswer(record, objectID: found.objectID, in: cache, nar.lifetime) { LostBytes.note($0, on: record, context) }
        if let notModified = answer.notModified(head) { return notModified }
        // All sizes are checked here, before the status line: a damaged NAR is an error and never a short answer.
        let assembly: NarAssembly
        let elsewhere: Response?
        do {
            assembly = try NarAssembly(found.places, byteCount: found.nar.fileSize, in: call.context.store, watching: call.context.bytesToFree)
            // Bytes that are wrong may have the right size: what is known of them counts.
            if found.nar.isDamaged { throw Problem.incompleteNar }
            // What has to be opened on the way is not what the bucket has.
            elsewhere = record.isSentAsStored ? try NarRedirect.response(to: head, assembly, in: cache, context) : nil
        } catch {
            LostBytes.note(error, on: found.nar, call.context)
            throw refusal(of: error, head)
        }
        call.context.accessTimes.note(found.objectID, at: call.now)
        if let elsewhere { return elsewhere }
        if head.wantsWhole { keepHot(call, name, nar, answer, assembly, cache, readAt: generation) }
        return answer.response(to: head, assembly)
    }

    /// Keeps the whole NAR's answer for the loops, until the object is pushed anew or something is collected.
    private static func keepHot(
        _ call: Call, _ name: CacheName, _ nar: NarName, _ answer: NarAnswer, _ assembly: NarAssembly,
        _ cache: CacheRecord, readAt generation: UInt64
    ) {
        // A loop sends files; what comes from a bucket, or is opened on the way, takes a thread.
        guard let objectID = answer.objectID, answer.nar.isSentAsStored, assembly.extents != nil else { return }
        let hot = HotAnswers.Answer(
            path: Array("/\(name)/nar/\(nar)".utf8), cache: cache.name, isPublic: cache.isPublic,
            response: answer.whole(assembly).prepared(),
            nar: HotAnswers.Nar(objectID: objectID, assembly: assembly))
        call.context.hot.keep(hot, readAt: generation)
    }

    /// What is told of a NAR that cannot be answered.
    static func refusal(of error: any Error, _ head: RequestHead) -> any Error {
        // Who asks before a push (plain Nix, by HEAD) is to push it again, which heals it.
        head.method == .head && LostBytes.areShown(by: error) ? Problem.noSuchObject : error
    }

    /// A part of one of its packs could not be read while a NAR was sent: looks for what is lost. Thread: any that may block.
    static func note(unsent part: FileExtent, of name: CacheName, _ nar: NarName, _ context: Context) throws {
        let found = try context.catalog.read { session throws(DatabaseError) in try session.findCache(name) }
        guard let cache = found else { return }
        if let nar = try find(context, cache, nar)?.nar { return LostBytes.note(unsent: part, of: nar, context) }
        if let nar = try GetReceivedNar.find(context, cache, nar) { LostBytes.note(unsent: part, of: nar, context) }
    }

    /// A NAR, and where it lay when its row said so: read apart, a repair in between would make a healthy NAR look damaged.
    private typealias Found = (nar: NarRecord, objectID: Int64, places: [StoredExtent])

    /// The NAR of our own name; nil where a client may know it by another.
    private static func find(_ context: Context, _ cache: CacheRecord, _ nar: NarName) throws -> Found? {
        switch nar {
        case .file(let hash, let suffix):
            let found = try context.catalog.read { session throws(DatabaseError) -> Found? in
                guard let (nar, objectID) = try session.findNar(fileHash: hash, cacheID: cache.id) else { return nil }
                return (nar, objectID, try session.extents(ofNar: nar.id))
            }
            guard let found, found.nar.kind != nil, found.nar.sentSuffix == suffix else { return nil }
            return found
        case .storePath(let hash):
            let found = try context.catalog.read { session throws(DatabaseError) -> Found? in
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
    fileprivate var lifetime: Headers.Lifetime {
        switch self {
        case .file: .immutable
        case .storePath: .hour
        }
    }
}
