import AtticAPI
import Encoding
import HTTP

/// What a token says of itself, read without its key: good enough to tell its holder why it was refused, and for
/// nothing else.
struct TokenGlance {
    /// Seconds since 1970; nil where it never expires.
    let expirySeconds: Int64?
    /// Seconds since 1970.
    let notBeforeSeconds: Int64?
    private let caches: [(pattern: CacheNamePattern, permissions: Permissions)]

    /// Nil where the text is no JSON Web Token.
    init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, let bytes = Base64.decodeURL(parts[1]), let json = try? JSON.parse(bytes),
            let claims = json.objectValue
        else { return nil }
        expirySeconds = claims["exp"]?.integerValue
        notBeforeSeconds = claims["nbf"]?.integerValue
        let entries = claims[Token.claim]?.objectValue?["caches"]?.objectValue
        caches = (entries?.members ?? []).compactMap { key, value in
            guard let pattern = CacheNamePattern(key), let flags = value.objectValue else { return nil }
            var permissions: Permissions = []
            for (name, permission) in Permissions.claimNames where flags[name]?.integerValue == 1 {
                permissions.insert(permission)
            }
            return (pattern, permissions)
        }
    }

    /// A moment of a token in words; whoever made it may have written any number.
    static func date(_ seconds: Int64) -> String {
        HTTPDate.secondsSince1970.contains(seconds) ? HTTPDate.render(secondsSince1970: seconds) : "second \(seconds) since 1970"
    }

    /// What it claims to allow with a cache, by the rule that servers go by.
    func permissions(for cache: CacheName) -> Permissions {
        Token(subject: nil, expirySeconds: nil, caches: caches.map { ($0.pattern, $0.permissions) }).permissions(for: cache)
    }
}

extension Permissions {
    /// The options of `atticadm make-token` that grant them, without dashes: `pull`, `create-cache`.
    var optionNames: [String] {
        let names: [(Permissions, String)] = [
            (.pull, "pull"), (.push, "push"), (.delete, "delete"), (.createCache, "create-cache"),
            (.configureCache, "configure-cache"), (.configureCacheRetention, "configure-cache-retention"),
            (.destroyCache, "destroy-cache"),
        ]
        return names.filter { contains($0.0) }.map(\.1)
    }
}
