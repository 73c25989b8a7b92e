import AtticAPI
import Database
import HTTP
import HTTPServer
import Nix

/// `PATCH /_api/v1/cache-config/{cache}`: changes what was named, and nothing else.
enum ConfigureCache {
    static func respond(_ call: Call, _ name: CacheName) throws -> Response {
        // protocol: changing anything takes configure_cache, the retention period its own permission besides. Who has not
        // even the first is told so before a byte of the body is asked for.
        let cache = try call.enter(name, needing: .configureCache)
        let wanted = try CacheConfig(json: call.body(byteCountMax: Bounds.configurationBytesMax))
        var changes = CacheChanges()
        switch wanted.keypair {
        case nil: break
        case .generate: changes.keypair = try SigningKey.generate(name: name.rawValue).rendered
        case .keypair(let text): changes.keypair = try CacheRules.signingKey(text).rendered
        }
        changes.isPublic = wanted.isPublic
        changes.storeDirectory = try wanted.storeDirectory.map(CacheRules.storeDirectory)
        changes.priority = wanted.priority
        changes.upstreamCacheKeyNames = try wanted.upstreamCacheKeyNames.map(CacheRules.keyNames)
        var needed: Permissions = []
        let namesSettings = changes.keypair != nil || changes.isPublic != nil || changes.storeDirectory != nil
            || changes.priority != nil || changes.upstreamCacheKeyNames != nil
        if namesSettings { needed.insert(.configureCache) }
        switch wanted.retentionPeriod {
        case nil: break
        case .global:
            needed.insert(.configureCacheRetention)
            changes.retention = .global
        case .period(let seconds):
            needed.insert(.configureCacheRetention)
            changes.retention = .seconds(seconds)
        }
        guard !needed.isEmpty else { throw Problem.request("No modifiable fields were set.") }
        _ = try call.visitor.enter(name, cache, needing: needed)
        let changed = try call.context.catalog.write { [changes] session throws(DatabaseError) in
            try session.changeCache(name, changes)
        }
        guard changed else { throw Problem.noSuchCache }
        call.context.hot.forgetAll()
        return Response(.ok)
    }
}
