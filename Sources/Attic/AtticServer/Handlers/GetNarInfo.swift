import AtticAPI
import Database
import HTTP
import HTTPServer
import Nix

/// `GET /{cache}/{hash}.narinfo`: what a store path is and where its NAR lies, signed by the cache's key.
enum GetNarInfo {
    static func respond(_ call: Call, _ name: CacheName, _ hash: StorePathHash) throws -> Response {
        let generation = call.context.hot.currentGeneration
        let cache = try call.enter(name, needing: .pull)
        let found = try call.context.catalog.read { session throws(DatabaseError) in
            try session.findObject(cache.id, hash)
        }
        // A NAR that is known to be damaged is not here: Nix asks the next cache, and who pushes sends it again.
        guard let object = found, !object.nar.isDamaged else {
            // Nix asks every substituter for every path: most answers of most caches are this one.
            let response = Problem.noSuchObject.response
            call.keepHot(response, path: "/\(name)/\(hash).narinfo", of: cache, readAt: generation)
            return response
        }
        call.noteUse(of: [object], in: cache)
        let info = try narInfo(of: object, in: cache, call.context)
        let answer = TextAnswer(info.rendered(), contentType: contentType, of: cache)
        call.keepHot(answer.whole, path: "/\(name)/\(hash).narinfo", of: cache, objectID: object.id, readAt: generation)
        return answer.response(to: call.request.head)
    }

    static let contentType = "text/x-nix-narinfo"

    /// The object as narinfo: the cache's own signature first, then those that came with the upload.
    ///
    /// - Throws: `Problem.noSuchObject` where its path is of another store directory, or what `HotKeys` and `NarInfo` throw.
    static func narInfo(of object: ObjectRecord, in cache: CacheRecord, _ context: Context) throws -> NarInfo {
        let nar = object.nar
        // Pushed when the cache was for another store directory: nothing that its clients could ask for.
        guard let path = try? StorePath(absolute: object.storePath, storeDirectory: cache.storeDirectory) else {
            throw Problem.noSuchObject
        }
        let fingerprint = NarInfo.fingerprint(
            storeDirectory: cache.storeDirectory, storePath: path, narHash: nar.narHash, narSize: nar.narSize,
            references: object.references)
        let own = context.signatures.signature(of: fingerprint, by: try context.keys.key(cache.keypair))
        // A signature by a key of the same name is the cache's own of another day: the fresh one is right.
        let ownName = own.prefix { $0 != ":" }
        return try NarInfo(
            storeDirectory: cache.storeDirectory,
            storePath: path,
            // The name stands for the stored bytes, also where others are sent: it finds the NAR.
            url: "nar/\(nar.fileHash.base32).nar\(nar.sentSuffix)",
            compression: nar.sentCompression,
            fileHash: nar.sentHash,
            fileSize: nar.sentByteCount,
            narHash: nar.narHash,
            narSize: nar.narSize,
            references: object.references,
            deriver: object.deriver,
            signatures: [own] + object.signatures.filter { !$0.hasPrefix("\(ownName):") },
            ca: object.ca)
    }
}
