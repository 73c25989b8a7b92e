/// The paths and header names of the API, once for server and client.
package enum Endpoint {
    /// What all paths of the API begin with. No cache name starts with `_`, so nothing collides.
    package static let apiPrefix = "/_api/v1"

    /// GET, POST, PATCH, DELETE: `/_api/v1/cache-config/{cache}`. Also what all such paths begin with, slash included.
    package static let cacheConfigPrefix = "/_api/v1/cache-config/"
    package static func cacheConfig(_ cache: CacheName) -> String { cacheConfigPrefix + cache.rawValue }

    /// GET: the same configuration below the cache itself, as the first servers had it.
    package static let atticCacheInfo = "attic-cache-info"

    /// POST or QUERY, below the cache itself: what is known of many store paths.
    package static let getNarInfos = "get-narinfos-v1"

    /// POST: which of these paths the cache has not.
    package static let getMissingPaths = "/_api/v1/get-missing-paths"

    /// PUT: a NAR, with what is known of it in a header or before it.
    package static let uploadPath = "/_api/v1/upload-path"

    /// PUT: several NARs, each with what is known of it before it; all are taken or none.
    package static let uploadPaths = "/_api/v1/upload-paths"

    /// GET: whether the server can do its work, for whoever shares requests out among several.
    package static let health = "/_health"

    /// A NAR's info as JSON, where it is short.
    package static let narInfoHeader = "X-Attic-Nar-Info"

    /// How many bytes of NAR info stand before the NAR in the body.
    package static let narInfoPreambleSizeHeader = "X-Attic-Nar-Info-Preamble-Size"

    /// From this many bytes a NAR info goes before the body and not into the header.
    package static let narInfoPreambleThreshold = 4096

    /// Says that the cache an answer is about is public: `X-Attic-Cache-Visibility: public`.
    package static let cacheVisibilityHeader = "X-Attic-Cache-Visibility"

    /// The request's id, as the server's log has it.
    package static let requestIDHeader = "X-Request-Id"

    /// The media type of every JSON body.
    package static let jsonType = "application/json"
}
