import AtticAPI
import Compression
import Crypto
import Database
import HTTP
import HTTPServer
import Nix

/// `GET /{cache}/log/{derivation}`: what building it printed.
enum GetBuildLog {
    static func respond(_ call: Call, _ name: CacheName, _ derivation: StorePath) throws -> Response {
        let cache = try call.enter(name, needing: .pull)
        let found = try call.context.catalog.read { session throws(DatabaseError) in
            try session.findBuildLog(cache.id, of: derivation)
        }
        guard let found else { throw Problem.noSuchObject }
        call.context.accessTimes.note(buildLog: found.id, at: call.now)
        let head = call.request.head
        let text = try CodedText(
            zstd: found.body, byteCount: Int(found.byteCount), tag: EntityTag(SHA256.digest(of: found.body).base32), for: head)
        return text.response(to: head, contentType: "text/plain; charset=utf-8", headers: Headers.caching(of: cache, .hour) + Headers.visibility(of: cache))
    }
}
