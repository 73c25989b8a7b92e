import AtticAPI
import Database
import HTTP
import HTTPServer
import Nix

/// `GET /{cache}/{hash}.closure.narinfo`: the narinfos of a store path and of all that it needs, as far as the cache has them.
///
/// An empty line stands between two of them. The path itself comes first, then what it refers to, and so on: whoever reads
/// while it comes knows at once what it asked for.
enum GetClosure {
    static func respond(_ call: Call, _ name: CacheName, _ hash: StorePathHash) throws -> Response {
        let cache = try call.enter(name, needing: .pull)
        let bounds = CatalogSession.ObjectListBounds(
            countMax: Bounds.closurePathsMax, byteCountMax: Bounds.narInfosAnswerBytesMax)
        let found = try call.context.catalog.read { session throws(DatabaseError) in
            try session.closure(cache.id, [hash], bounds)
        }
        guard let objects = found else {
            throw Problem.tooLarge("this closure has more than \(Bounds.closurePathsMax) paths, or \(Bounds.narInfosAnswerBytesMax) bytes of narinfos. Ask for its narinfos one by one.")
        }
        call.noteUse(of: objects, in: cache)
        var text: [UInt8] = []
        for object in objects {
            guard let info = try narInfo(of: object, in: cache, call.context) else {
                // The one that was asked for is the first.
                if text.isEmpty { throw Problem.noSuchObject }
                continue
            }
            if !text.isEmpty { text.append(UInt8(ascii: "\n")) }
            text += info.rendered()
        }
        if text.isEmpty { throw Problem.noSuchObject }
        return TextAnswer(text, contentType: GetNarInfo.contentType, of: cache).codedResponse(to: call.request.head)
    }

    /// One narinfo of several; nil where its path is of another store directory than the cache is for.
    static func narInfo(of object: ObjectRecord, in cache: CacheRecord, _ context: Context) throws -> NarInfo? {
        do { return try GetNarInfo.narInfo(of: object, in: cache, context) } catch Problem.noSuchObject { return nil }
    }
}
