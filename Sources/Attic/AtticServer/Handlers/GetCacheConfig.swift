import AtticAPI
import Database
import HTTP
import HTTPServer

/// `GET /_api/v1/cache-config/{cache}`: what a client needs to use a cache, and how it is configured.
enum GetCacheConfig {
    static func respond(_ call: Call, _ name: CacheName) throws -> Response {
        let cache = try call.enter(name, needing: .pull)
        let base = call.baseURL
        let configuration = call.context.configuration
        var config = CacheConfig()
        config.substituterEndpoint = (configuration.substituterEndpoint ?? base) + name.rawValue
        config.apiEndpoint = configuration.apiEndpoint ?? base
        config.publicKey = try call.context.keys.key(cache.keypair).publicKey.rendered
        config.isPublic = cache.isPublic
        config.storeDirectory = cache.storeDirectory
        config.priority = cache.priority
        config.upstreamCacheKeyNames = cache.upstreamCacheKeyNames
        config.retentionPeriod = cache.retentionSeconds.map { .period(seconds: $0) } ?? .global
        config.uploadPaths = UploadPathsLimits(
            pathsMax: Int64(Bounds.uploadPathsMax), narBytesMax: Bounds.uploadPathsNarBytesMax,
            infoBytesMax: Int64(Bounds.uploadPathsInfoBytesMax))
        config.buildLogs = DocumentLimits(bytesMax: Int64(Bounds.buildLogBytesMax))
        config.realisations = DocumentLimits(bytesMax: Int64(Bounds.realisationBytesMax))
        // Kept on the way, the URLs that one client made up by its Host would be given to the next.
        let headers = Headers.caching(of: cache, .never) + Headers.visibility(of: cache)
        return Response(.ok, headers: [("Content-Type", "application/json")] + headers,
            body: .bytes(config.json()))
    }
}

extension Call {
    /// The server's own URL as this client sees it, ending in a slash: scheme by `X-Forwarded-Proto` where a proxy says
    /// https, host by the target or `Host`.
    var baseURL: String {
        let isHTTPS = request.head.header("X-Forwarded-Proto")?.lowercased() == "https"
        let host = request.head.authority ?? "localhost"
        return "\(isHTTPS ? "https" : "http")://\(host)/"
    }
}
