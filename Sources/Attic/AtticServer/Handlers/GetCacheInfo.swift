import AtticAPI
import HTTP
import HTTPServer
import Nix

/// `GET /{cache}/nix-cache-info`: what Nix asks of a substituter first.
enum GetCacheInfo {
    static func respond(_ call: Call, _ name: CacheName) throws -> Response {
        let generation = call.context.hot.currentGeneration
        let cache = try call.enter(name, needing: .pull)
        let info = CacheInfo(storeDirectory: cache.storeDirectory, wantMassQuery: true, priority: Int(cache.priority))
        let response = Response(
            .ok,
            headers: [("Content-Type", "text/x-nix-cache-info")] + Headers.visibility(of: cache),
            body: .bytes(info.rendered()))
        call.keepHot(response, path: "/\(name)/nix-cache-info", of: cache, readAt: generation)
        return response
    }
}
