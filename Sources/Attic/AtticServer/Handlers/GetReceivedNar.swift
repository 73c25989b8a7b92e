import Compression
import Database
import HTTP
import HTTPServer
import Platform
import Storage

/// `GET /{cache}/nar/{name}` where the name is that of a file as plain Nix pushed it: whoever pushes asks (HEAD) whether it is here.
///
/// The file itself was not kept, only its NAR. What is sent in the same coding anyway is answered as under our own
/// name for it (`NarAnswer`); all else is made anew while it is sent (`RecodedNar`).
enum GetReceivedNar {
    static func respond(_ call: Call, _ cache: CacheRecord, _ name: NarName) throws -> Response {
        // Whoever hears that it is here sends no file, and its narinfo later: what may be gone by then is not here.
        let needed = call.now + .seconds(Bounds.receivedFileSecondsLeftMin)
        guard case .file(let hash, let suffix) = name,
            // Both at once: a repair in between would make a healthy NAR look damaged.
            let (file, places) = try call.context.catalog.read({ session throws(DatabaseError) -> (ReceivedFile, [StoredExtent])? in
                guard let file = try session.findReceivedFile(hash, cacheID: cache.id, heldBeyond: needed) else { return nil }
                return (file, try session.extents(ofNar: file.nar.id))
            }),
            let coding = StreamCoding(rawValue: file.coding), coding.takesSuffix(suffix)
        else { throw Problem.noSuchObject }
        let head = call.request.head
        let nar = file.nar
        let assembly: NarAssembly
        do {
            assembly = try NarAssembly(places, byteCount: nar.fileSize, in: call.context.store, watching: call.context.bytesToFree)
            if nar.isDamaged { throw Problem.incompleteNar }
        } catch {
            LostBytes.note(error, on: nar, call.context)
            throw GetNar.refusal(of: error, head)
        }
        if let objectID = file.objectID { call.context.accessTimes.note(objectID, at: call.now) }
        // Without an object it may be gone in an hour, or sooner where its cache is destroyed.
        let lifetime: Headers.Lifetime = file.objectID == nil ? .never : .hour
        let context = call.context
        if coding == nar.kind?.sentCoding {
            let answer = NarAnswer(nar, objectID: file.objectID, in: cache, lifetime) { LostBytes.note($0, on: nar, context) }
            return answer.notModified(head) ?? answer.response(to: head, assembly)
        }
        let recoded = RecodedNar(nar: nar, assembly: assembly, coding: coding) { LostBytes.note($0, on: nar, context) }
        return recoded.response(to: head, in: cache, lifetime)
    }

    /// The NAR of a file that was pushed under that name; nil where there is none.
    static func find(_ context: Context, _ cache: CacheRecord, _ name: NarName) throws(DatabaseError) -> NarRecord? {
        guard case .file(let hash, _) = name else { return nil }
        return try context.catalog.read { session throws(DatabaseError) in
            try session.findReceivedFile(hash, cacheID: cache.id)?.nar
        }
    }
}

extension StreamCoding {
    /// Whether a file of this coding may have that behind `.nar`.
    func takesSuffix(_ suffix: String) -> Bool { suffix == fileSuffix || self == .gzip && suffix == ".gz" }
}
