import AtticAPI
import Database
import HTTP
import HTTPServer
import Nix
import Storage

/// `GET /{cache}/{hash}.ls`: what the NAR of a store path holds, and where in it.
enum GetListing {
    static func respond(_ call: Call, _ name: CacheName, _ hash: StorePathHash) throws -> Response {
        let cache = try call.enter(name, needing: .pull)
        let found = try call.context.catalog.read { session throws(DatabaseError) in
            try session.findObject(cache.id, hash)
        }
        guard let object = found else { throw Problem.noSuchObject }
        switch try listing(of: object.nar, call.context) {
        case .none(let reason):
            throw Problem.noListing(reason)
        case .text(let frame, let byteCount):
            // The NAR makes the listing, so its hash is its name.
            let text = try CodedText(
                zstd: frame, byteCount: Int(byteCount), tag: EntityTag(object.nar.narHash.base32), for: call.request.head)
            return text.response(to: call.request.head, contentType: Endpoint.jsonType, headers: Headers.caching(of: cache, .hour) + Headers.visibility(of: cache))
        }
    }

    private static func listing(of nar: NarRecord, _ context: Context) throws -> ListingRecord {
        do {
            return try context.listings.find(nar)
        } catch {
            LostBytes.note(error, on: nar, context)
            throw error
        }
    }
}
