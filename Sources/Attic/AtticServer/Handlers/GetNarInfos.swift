import AtticAPI
import Database
import Encoding
import HTTP
import HTTPServer
import Nix

/// `POST /{cache}/get-narinfos-v1`, or QUERY (RFC 10008): what the cache knows of many store paths, in one request.
///
/// As Determinate Nix asks and reads it (doc/manual/source/protocols/nix-cache-info.md, and src/libstore/http-binary-cache-store.cc):
/// the body has the store path hashes, a line each; the answer a JSON object a line, in no certain order. What is not in
/// the answer is not in the cache. Each may name paths that will be asked for next: see `PartialClosures`.
enum GetNarInfos {
    static func respond(_ call: Call, _ name: CacheName) throws -> Response {
        let cache = try call.enter(name, needing: .pull)
        let hashes = try hashes(in: call.body(byteCountMax: Bounds.narInfosRequestBytesMax))
        let bounds = CatalogSession.ObjectListBounds(
            countMax: Bounds.closurePathsMax, byteCountMax: Bounds.narInfosAnswerBytesMax)
        // All that they need is looked up for the hints; where that is too much there are none.
        let found = try call.context.catalog.read { session throws(DatabaseError) -> (objects: [ObjectRecord], all: [ObjectRecord])? in
            if let closure = try session.closure(cache.id, hashes, bounds) {
                let asked = Set(hashes)
                return (Array(closure.prefix { asked.contains($0.storePathHash) }), closure)
            }
            return try session.findObjects(cache.id, hashes, bounds).map { ($0, $0) }
        }
        guard let (objects, all) = found else {
            throw Problem.tooLarge("the answer would have more than \(Bounds.narInfosAnswerBytesMax) bytes. Ask for fewer store paths at once.")
        }
        call.noteUse(of: objects, in: cache)
        var lines: [UInt8] = []
        var hints = PartialClosures(all, asked: hashes, storeDirectory: cache.storeDirectory)
        for object in objects {
            guard let info = try GetClosure.narInfo(of: object, in: cache, call.context) else { continue }
            lines += info.json(partialClosure: hints.take(of: object.storePathHash)).serializedBytes()
            lines.append(UInt8(ascii: "\n"))
        }
        // Never kept on the way: to a cache the body of a POST is nothing that tells answers apart. So a tag is of no use either.
        let text = CodedText(lines, tag: EntityTag(""), for: call.request.head)
        let headers = text.headers.filter { $0.0 != "ETag" } + [("Cache-Control", "no-store")] + Headers.visibility(of: cache)
        return Response(.ok, headers: [("Content-Type", "application/x-ndjson")] + headers, body: text.body)
    }

    /// The hashes, each once, in their order, with any white space between them.
    static func hashes(in body: [UInt8]) throws(Problem) -> [StorePathHash] {
        var hashes: [StorePathHash] = []
        var seen: Set<StorePathHash> = []
        for word in body.split(whereSeparator: { [0x20, 0x09, 0x0a, 0x0d].contains($0) }) {
            guard let hash = StorePathHash(utf8: Array(word)) else {
                let text = String(decoding: word.prefix(80), as: UTF8.self)
                throw .request("\"\(Route.printable(text))\" is no store path hash: the body must have 32 characters of Nix base-32 a line.")
            }
            if seen.insert(hash).inserted { hashes.append(hash) }
            if hashes.count > Bounds.narInfosMax {
                throw .tooLarge("one request may ask for \(Bounds.narInfosMax) store paths. Ask for fewer at once.")
            }
        }
        return hashes
    }
}
