/// What a token, or the public, may do with a cache.
package struct Permissions: OptionSet, Hashable, Sendable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Read objects and the cache's configuration.
    package static let pull = Permissions(rawValue: 1 << 0)
    /// Add objects.
    package static let push = Permissions(rawValue: 1 << 1)
    /// Delete objects.
    package static let delete = Permissions(rawValue: 1 << 2)
    /// Create a cache of this name.
    package static let createCache = Permissions(rawValue: 1 << 3)
    /// Change the cache's configuration.
    package static let configureCache = Permissions(rawValue: 1 << 4)
    /// Change how long the cache keeps objects; needs `configureCache` too.
    package static let configureCacheRetention = Permissions(rawValue: 1 << 5)
    /// Destroy the cache.
    package static let destroyCache = Permissions(rawValue: 1 << 6)

    /// Everything there is; what the root token has.
    package static let all: Permissions = [
        .pull, .push, .delete, .createCache, .configureCache, .configureCacheRetention, .destroyCache,
    ]

    /// The members of a token's entry, in the order in which they are written.
    package static let claimNames: [(name: String, permission: Permissions)] = [
        ("r", .pull), ("w", .push), ("d", .delete), ("cc", .createCache), ("cr", .configureCache),
        ("cq", .configureCacheRetention), ("cd", .destroyCache),
    ]

    /// Whether the holder may know that the cache exists: any permission grants that.
    package var allowsDiscovery: Bool { !isEmpty }
}
