import AtticAPI
import Database
import HTTP
import HTTPServer

/// `DELETE /_api/v1/cache-config/{cache}`: the cache and its objects go; NARs that nothing else names are collected later.
enum DestroyCache {
    static func respond(_ call: Call, _ name: CacheName) throws -> Response {
        _ = try call.enter(name, needing: .destroyCache)
        let soft = call.context.configuration.softDeleteCaches
        let now = call.now
        let gone = try call.context.catalog.write { session throws(DatabaseError) in
            try session.destroyCache(name, soft: soft, at: now)
        }
        guard gone else { throw Problem.noSuchCache }
        call.context.hot.forgetAll()
        return Response(.ok)
    }
}
