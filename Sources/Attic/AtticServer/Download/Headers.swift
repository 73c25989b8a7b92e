import AtticAPI
import Database

/// Headers that answers share.
enum Headers {
    /// How long whoever keeps an answer may give it again without asking here.
    enum Lifetime {
        /// For good: what is behind the URL never changes.
        case immutable
        /// For a while: a path may be pushed anew, a cache get another key, an object be collected.
        case hour
        /// Not at all: it is here for the moment.
        case never
    }

    /// The header that marks answers about a public cache.
    static func visibility(of cache: CacheRecord) -> [(String, String)] {
        cache.isPublic ? [(Endpoint.cacheVisibilityHeader, "public")] : []
    }

    /// Who may keep an answer, and for how long (RFC 9111, section 5.2.2).
    ///
    /// Whoever may read a public cache may keep what it has; what is of a private one stays with the client, and counts for its
    /// token only.
    static func caching(of cache: CacheRecord, _ lifetime: Lifetime) -> [(String, String)] {
        let term: String
        switch lifetime {
        case .immutable: term = "max-age=31536000, immutable"
        case .hour: term = "max-age=3600"
        case .never: return [("Cache-Control", "no-store")]
        }
        if cache.isPublic { return [("Cache-Control", "public, \(term)")] }
        return [("Cache-Control", "private, \(term)"), ("Vary", "Authorization")]
    }
}
