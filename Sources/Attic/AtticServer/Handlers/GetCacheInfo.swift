import AtticAPI
import HTTP
import HTTPServer
import Nix

/// `GET /{cache}/nix-cache-info`: what Nix asks of a substituter first.
enum GetCacheInfo {
    static func respond(_ call: Call, _ name: CacheName) throws -> Response {
        let generation = call.context.hot.currentGeneration
        let cache = try call.enter(name, needing: .pull)
        // Relative, so that it is below the cache wherever a proxy puts that: with a slash before it, it would name the root of
        // the host.
        let info = CacheInfo(
            storeDirectory: cache.storeDirectory, wantMassQuery: true, priority: Int(cache.priority),
            narInfosReference: Endpoint.getNarInfos)
        let answer = TextAnswer(info.rendered(), contentType: "text/x-nix-cache-info", of: cache)
        call.keepHot(answer.whole, path: "/\(name)/nix-cache-info", of: cache, readAt: generation)
        return answer.response(to: call.request.head)
    }
}
