import AtticAPI
import Compression
import Database
import HTTP
import HTTPServer
import Nix
import Storage

/// `GET /{cache}/nar/{name}`: the NAR in its stored compression, whole or one range of it.
///
/// A NAR is reached only through an object of this cache. Its bytes are immutable, so the file hash is its entity tag.
enum GetNar {
    static func respond(_ call: Call, _ name: CacheName, _ nar: NarName) throws -> Response {
        let cache = try call.enter(name, needing: .pull)
        let (record, objectID) = try find(call, cache, nar)
        let head = call.request.head
        let tag = EntityTag(record.fileHash.base32)
        var headers: [(String, String)] = [
            ("Content-Type", "application/x-nix-nar"),
            ("Accept-Ranges", "bytes"),
            ("ETag", tag.description),
            // Whoever may read a public cache may keep its NARs for good; a private one's stay with the client.
            ("Cache-Control", cache.isPublic ? "public, max-age=31536000, immutable" : "private, max-age=31536000, immutable"),
        ]
        headers += Headers.visibility(of: cache)
        if let known = head.header("If-None-Match").flatMap(ETagList.init), known.matchesWeakly(tag) {
            return Response(.notModified, headers: headers, body: .empty)
        }
        let whole = try call.context.catalog.read { session throws(DatabaseError) in
            try session.extents(ofNar: record.id)
        }
        // All sizes are checked here, before the status line: a damaged NAR is an error and never a short answer.
        let assembly: NarAssembly
        do { assembly = try NarAssembly(whole, byteCount: record.fileSize, in: call.context.store) } catch {
            if !record.isDamaged, let loss = error as? StorageError { try note(loss, call.context.catalog) }
            throw error
        }
        call.context.accessTimes.note(objectID, at: call.now)
        // If-Range: the range counts only where the client's copy is of these bytes.
        let asked = EntityTag.ifRange(head.header("If-Range"), matches: tag) ? head.header("Range") : nil
        let range = ByteRange(asked, byteCount: record.fileSize)
        if let contentRange = range.contentRange(byteCount: record.fileSize) {
            headers.append(("Content-Range", contentRange))
        }
        switch range {
        case .whole:
            return Response(.ok, headers: headers, body: .files(assembly.extents, byteCount: record.fileSize))
        case .partial(let range):
            let part = assembly.extents(of: range)
            return Response(.partialContent, headers: headers, body: .files(part, byteCount: Int64(range.count)))
        case .unsatisfiable:
            return Response(.rangeNotSatisfiable, headers: headers, body: .empty)
        }
    }

    /// Remembers what was found to be lost: from now on its paths count as missing, so that a client pushes them again.
    private static func note(_ loss: StorageError, _ catalog: Catalog) throws(DatabaseError) {
        let (pack, end): (String, Int64)
        switch loss.cause {
        case .missing(let name): (pack, end) = (name.text, 0)
        case .short(let extent, let found): (pack, end) = (extent.pack.text, extent.offset + found)
        case .full, .unsupported, .inUse, .unknownVersion, .checkFailed, .system: return
        }
        try catalog.write { session throws(DatabaseError) in try session.markLost(pack: pack, beyond: end) }
    }

    private static func find(_ call: Call, _ cache: CacheRecord, _ nar: NarName) throws -> (NarRecord, objectID: Int64) {
        switch nar {
        case .file(let hash, let suffix):
            let found = try call.context.catalog.read { session throws(DatabaseError) in
                try session.findNar(fileHash: hash, cacheID: cache.id)
            }
            guard let (record, objectID) = found,
                CompressionKind(rawValue: record.compression)?.fileSuffix == suffix
            else { throw Problem.noSuchObject }
            return (record, objectID)
        case .storePath(let hash):
            let found = try call.context.catalog.read { session throws(DatabaseError) in
                try session.findObject(cache.id, hash)
            }
            guard let object = found else { throw Problem.noSuchObject }
            return (object.nar, object.id)
        }
    }
}
