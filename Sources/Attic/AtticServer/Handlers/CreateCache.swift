import AtticAPI
import Database
import HTTP
import HTTPServer
import Nix

/// `POST /_api/v1/cache-config/{cache}`: makes a cache, with a key of its own unless one is brought along.
enum CreateCache {
    static func respond(_ call: Call, _ name: CacheName) throws -> Response {
        let held = call.visitor.permissions(on: name, isPublic: false)
        guard held.contains(.createCache) else {
            throw held.allowsDiscovery ? Problem.accessDenied : .unauthorized(reason: call.visitor.refusal)
        }
        let wanted = try CreateCacheRequest(json: call.body(byteCountMax: Bounds.configurationBytesMax))
        let key: SigningKey =
            switch wanted.keypair {
            case .generate: try SigningKey.generate(name: name.rawValue)
            case .keypair(let text): try CacheRules.signingKey(text)
            }
        let cache = NewCache(
            name: name,
            keypair: key.rendered,
            isPublic: wanted.isPublic,
            storeDirectory: try CacheRules.storeDirectory(wanted.storeDirectory),
            priority: wanted.priority,
            upstreamCacheKeyNames: try CacheRules.keyNames(wanted.upstreamCacheKeyNames),
            createdAt: call.now)
        let made = try call.context.catalog.write { session throws(DatabaseError) in try session.createCache(cache) }
        guard made else { throw Problem.cacheAlreadyExists }
        call.context.hot.forgetAll()
        return Response(.ok)
    }
}

/// What a cache's settings may be; each function gives its argument back, or throws a `.request` that says what is
/// allowed.
enum CacheRules {
    static func signingKey(_ text: String) throws(Problem) -> SigningKey {
        do { return try SigningKey(parsing: text) } catch {
            // The text is a secret: it is never repeated.
            throw .request("\"keypair\" is no signing key: it must be name:base64 of 64 bytes, as nix-store --generate-binary-cache-key writes it.")
        }
    }

    static func storeDirectory(_ path: String) throws(Problem) -> String {
        let isClean = path.hasPrefix("/") && path.utf8.count > 1 && path.utf8.count <= 1024 && !path.hasSuffix("/")
            && path.unicodeScalars.allSatisfy { $0.value > 32 && $0.value != 127 }
            && !path.split(separator: "/", omittingEmptySubsequences: false).dropFirst().contains { $0 == "" || $0 == "." || $0 == ".." }
        guard isClean else { throw .request("\"store_dir\" must be an absolute path like /nix/store, without white space, and without a slash at its end.") }
        return path
    }

    static func keyNames(_ names: [String]) throws(Problem) -> [String] {
        let isClean = names.count <= 100 && names.allSatisfy { name in
            !name.isEmpty && name.utf8.count <= 200 && name.utf8.allSatisfy { $0 > 32 && $0 < 127 && $0 != UInt8(ascii: ":") }
        }
        guard isClean else {
            throw .request("\"upstream_cache_key_names\" takes at most 100 names of signing keys, such as cache.nixos.org-1.")
        }
        return names
    }
}
