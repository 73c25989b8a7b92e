/// The paths and header names of the API, once for server and client.
package enum Endpoint {
    /// The segments that paths of the API are made of, for who takes a path apart.
    package enum Segment {
        /// No cache name starts with `_`, so nothing collides.
        package static let api = "_api"
        package static let version = "v1"
        package static let cacheConfig = "cache-config"
        package static let getMissingPaths = "get-missing-paths"
        package static let uploadPath = "upload-path"
        package static let uploadPaths = "upload-paths"
        package static let health = "_health"
    }

    /// What all paths of the API begin with.
    package static let apiPrefix = "/\(Segment.api)/\(Segment.version)"

    /// GET, POST, PATCH, DELETE: `/_api/v1/cache-config/{cache}`. Also what all such paths begin with, slash included.
    package static let cacheConfigPrefix = "\(apiPrefix)/\(Segment.cacheConfig)/"
    package static func cacheConfig(_ cache: CacheName) -> String { cacheConfigPrefix + cache.rawValue }

    /// GET: the same configuration below the cache itself, as the first servers had it.
    package static let atticCacheInfo = "attic-cache-info"

    /// POST or QUERY, below the cache itself: what is known of many store paths.
    package static let getNarInfos = "get-narinfos-v1"

    /// POST: which of these paths the cache has not.
    package static let getMissingPaths = "\(apiPrefix)/\(Segment.getMissingPaths)"

    /// PUT: a NAR, with what is known of it in a header or before it.
    package static let uploadPath = "\(apiPrefix)/\(Segment.uploadPath)"

    /// PUT: several NARs, each with what is known of it before it; all are taken or none.
    package static let uploadPaths = "\(apiPrefix)/\(Segment.uploadPaths)"

    /// GET: whether the server can do its work, for whoever shares requests out among several.
    package static let health = "/\(Segment.health)"

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
