import AtticAPI
import Platform
import SQL

/// A cache as the database keeps it.
package struct CacheRecord: Sendable, Hashable, CustomStringConvertible {
    package let id: Int64
    package let name: CacheName
    /// The secret signing key, `name:base64`. Never in a log.
    package let keypair: String
    package let isPublic: Bool
    package let storeDirectory: String
    package let priority: Int64
    package let upstreamCacheKeyNames: [String]
    /// Its own retention period; nil: the server's default; 0: objects never go by age.
    package let retentionSeconds: Int64?
    package let createdAt: WallTime

    /// Without the key.
    package var description: String { "the cache \(name)" }

    static let columns = """
        id, name, keypair, is_public, store_directory, priority, upstream_cache_key_names, retention_seconds, created_at
        """

    init(_ row: borrowing SQLRow) throws(SQLError) {
        id = try row.integer(0)
        guard let name = CacheName(try row.text(1)) else { throw row.mismatch(1, "it is not a name of a cache") }
        self.name = name
        keypair = try row.text(2)
        isPublic = try row.bool(3)
        storeDirectory = try row.text(4)
        priority = try row.integer(5)
        upstreamCacheKeyNames = Lines.split(try row.text(6))
        retentionSeconds = try row.optionalInteger(7)
        createdAt = WallTime(milliseconds: try row.integer(8))
    }
}

/// A cache to be made.
package struct NewCache: Sendable, CustomStringConvertible {
    package var name: CacheName
    package var keypair: String
    package var isPublic: Bool
    package var storeDirectory: String
    package var priority: Int64
    package var upstreamCacheKeyNames: [String]
    package var retentionSeconds: Int64?
    package var createdAt: WallTime

    package init(
        name: CacheName, keypair: String, isPublic: Bool, storeDirectory: String, priority: Int64,
        upstreamCacheKeyNames: [String] = [], retentionSeconds: Int64? = nil, createdAt: WallTime
    ) {
        self.name = name
        self.keypair = keypair
        self.isPublic = isPublic
        self.storeDirectory = storeDirectory
        self.priority = priority
        self.upstreamCacheKeyNames = upstreamCacheKeyNames
        self.retentionSeconds = retentionSeconds
        self.createdAt = createdAt
    }

    /// Without the key.
    package var description: String { "the new cache \(name)" }
}

/// What to change of a cache; nil keeps.
package struct CacheChanges: Sendable, CustomStringConvertible {
    package enum Retention: Sendable, Hashable {
        /// The server's default from now on.
        case global
        /// A period of its own; 0: never by age.
        case seconds(Int64)
    }
    package var keypair: String?
    package var isPublic: Bool?
    package var storeDirectory: String?
    package var priority: Int64?
    package var upstreamCacheKeyNames: [String]?
    package var retention: Retention?

    package init(
        keypair: String? = nil, isPublic: Bool? = nil, storeDirectory: String? = nil, priority: Int64? = nil,
        upstreamCacheKeyNames: [String]? = nil, retention: Retention? = nil
    ) {
        self.keypair = keypair
        self.isPublic = isPublic
        self.storeDirectory = storeDirectory
        self.priority = priority
        self.upstreamCacheKeyNames = upstreamCacheKeyNames
        self.retention = retention
    }

    /// Without the key.
    package var description: String { "changes of a cache" }
}

/// A list of texts in one column, one a line. A text that holds a line break comes back as two.
enum Lines {
    static func join(_ texts: [String]) -> String { texts.joined(separator: "\n") }
    static func split(_ text: String) -> [String] { text.split(separator: "\n").map(String.init) }
}
