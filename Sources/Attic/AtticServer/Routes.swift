import AtticAPI
import Crypto
import Encoding
import HTTP
import HTTPServer
import Nix
import Storage

/// The whole HTTP surface: what a method and a path ask for.
package enum Route: Sendable {
    case welcome
    case health
    // The binary cache protocol, below /{cache}
    case cacheInfo(CacheName)
    case narInfo(CacheName, StorePathHash)
    case narInfos(CacheName)
    case closure(CacheName, StorePathHash)
    case nar(CacheName, NarName)
    case putCacheInfo(CacheName)
    case putNarInfo(CacheName, StorePathHash)
    case putNar(CacheName, NarName)
    case getListing(CacheName, StorePathHash)
    case putListing(CacheName, StorePathHash)
    case getBuildLog(CacheName, of: StorePath)
    case putBuildLog(CacheName, of: StorePath)
    case getRealisation(CacheName, RealisationID)
    case putRealisation(CacheName, RealisationID)
    // The API, below /_api/v1
    case getCacheConfig(CacheName)
    case createCache(CacheName)
    case configureCache(CacheName)
    case destroyCache(CacheName)
    case findMissingPaths
    case uploadPath
    case uploadPaths

    /// The lane that runs it: bodies of NARs and build logs travel on a transfer thread, what is pushed with a short body has
    /// threads of its own, and so has what anyone may read of a public cache and brings a body or takes many milliseconds, and what
    /// asks a bucket before it is answered; all else is a query.
    package func lane(packs: PackKind) -> Lane {
        switch self {
        case .uploadPath, .uploadPaths, .putNar, .putListing, .putBuildLog: .transfer
        case .createCache, .configureCache, .findMissingPaths, .putNarInfo, .putRealisation: .document
        case .nar where packs == .object, .getListing where packs == .object: .fetching
        case .narInfos, .closure, .getListing, .getBuildLog, .getRealisation: .reading
        case .welcome, .health, .cacheInfo, .narInfo, .nar, .putCacheInfo, .getCacheConfig, .destroyCache: .query
        }
    }

    /// Whether it reads a binary cache, as Nix does.
    var readsBinaryCache: Bool {
        switch self {
        case .cacheInfo, .narInfo, .narInfos, .closure, .nar, .getListing, .getBuildLog, .getRealisation: true
        case .welcome, .health, .putCacheInfo, .putNarInfo, .putNar, .putListing, .putBuildLog, .putRealisation, .getCacheConfig,
            .createCache, .configureCache, .destroyCache, .findMissingPaths, .uploadPath, .uploadPaths:
            false
        }
    }

    /// Whether plain Nix pushes with it: see `Problem.toPlainNix`.
    var isPushOfPlainNix: Bool {
        switch self {
        case .putCacheInfo, .putNarInfo, .putNar, .putListing, .putBuildLog, .putRealisation: true
        case .welcome, .health, .cacheInfo, .narInfo, .narInfos, .closure, .nar, .getListing, .getBuildLog, .getRealisation, .getCacheConfig,
            .createCache, .configureCache, .destroyCache, .findMissingPaths, .uploadPath, .uploadPaths:
            false
        }
    }

    /// What a PUT of the same URL asks for; nil where it can only be read.
    private var writing: Route? {
        switch self {
        case .cacheInfo(let cache): .putCacheInfo(cache)
        case .narInfo(let cache, let hash): .putNarInfo(cache, hash)
        case .nar(let cache, let name): .putNar(cache, name)
        default: nil
        }
    }

    /// Finds the route of a request.
    ///
    /// - Throws: `.notFound`, `.methodNotAllowed`, or `.request` where a name in the path is malformed.
    package init(_ method: Method, _ segments: [String]) throws(Problem) {
        if segments.isEmpty {
            try Route.requireReading(method)
            self = .welcome
        } else if segments.count == 1 && segments[0] == Endpoint.Segment.health {
            try Route.requireReading(method)
            self = .health
        } else if segments[0] == Endpoint.Segment.api {
            self = try Route.api(method, Array(segments.dropFirst()))
        } else if segments[0].hasPrefix("_") {
            // Reserved: a segment that begins with an underscore is never a cache.
            throw .notFound
        } else {
            self = try Route.binaryCache(method, segments)
        }
    }

    private static func api(_ method: Method, _ segments: [String]) throws(Problem) -> Route {
        guard segments.first == Endpoint.Segment.version else { throw .notFound }
        switch (segments.count, segments.count > 1 ? segments[1] : "") {
        case (2, Endpoint.Segment.getMissingPaths):
            guard method == .post else { throw .methodNotAllowed(allowed: "POST") }
            return .findMissingPaths
        case (2, Endpoint.Segment.uploadPath):
            guard method == .put else { throw .methodNotAllowed(allowed: "PUT") }
            return .uploadPath
        case (2, Endpoint.Segment.uploadPaths):
            guard method == .put else { throw .methodNotAllowed(allowed: "PUT") }
            return .uploadPaths
        case (3, Endpoint.Segment.cacheConfig):
            let name = try cacheName(segments[2])
            switch method {
            case .get, .head: return .getCacheConfig(name)
            case .post: return .createCache(name)
            case .patch: return .configureCache(name)
            case .delete: return .destroyCache(name)
            case .put, .options, .query, .other: throw .methodNotAllowed(allowed: "GET, HEAD, POST, PATCH, DELETE")
            }
        default:
            throw .notFound
        }
    }

    private static func binaryCache(_ method: Method, _ segments: [String]) throws(Problem) -> Route {
        guard segments.count >= 2 else { throw .notFound }
        guard let name = CacheName(segments[0]) else { throw .notFound }
        if let document = try document(method, name, segments) { return document }
        let file = segments[1]
        let route: Route
        if segments.count == 2 && file == "nix-cache-info" {
            route = .cacheInfo(name)
        } else if segments.count == 2 && file == Endpoint.atticCacheInfo {
            route = .getCacheConfig(name)
        } else if segments.count == 2 && file == Endpoint.getNarInfos {
            guard method == .post || method == .query else { throw .methodNotAllowed(allowed: "POST, QUERY") }
            return .narInfos(name)
        } else if segments.count == 2 && file.hasSuffix(".closure.narinfo") {
            route = .closure(name, try storePathHash(file, before: ".closure.narinfo"))
        } else if segments.count == 2 && file.hasSuffix(".narinfo") {
            route = .narInfo(name, try storePathHash(file, before: ".narinfo"))
        } else if segments.count == 3 && file == "nar" {
            guard let nar = NarName(segments[2]) else { throw .notFound }
            route = .nar(name, nar)
        } else {
            throw .notFound
        }
        if let writing = route.writing {
            switch method {
            case .get, .head: return route
            case .put: return writing
            case .post, .patch, .delete, .options, .query, .other: throw .methodNotAllowed(allowed: "GET, HEAD, PUT")
            }
        }
        try requireReading(method)
        return route
    }

    /// What a cache keeps beside store paths, and takes by PUT: `{store path hash}.ls`, `log/{derivation}` and realisations. Nil for anything else.
    private static func document(_ method: Method, _ name: CacheName, _ segments: [String]) throws(Problem) -> Route? {
        let (get, put): (Route, Route)
        switch segments[1] {
        case let file where segments.count == 2 && file.hasSuffix(".ls"):
            let hash = try storePathHash(file, before: ".ls")
            (get, put) = (.getListing(name, hash), .putListing(name, hash))
        case "log" where segments.count == 3:
            guard let derivation = try? StorePath(baseName: segments[2]), derivation.isDerivation else {
                throw .request("\"\(printable(segments[2]))\" is no derivation's base name (HASH-NAME.drv).")
            }
            (get, put) = (.getBuildLog(name, of: derivation), .putBuildLog(name, of: derivation))
        case RealisationID.hashFolder where segments.count == 3, RealisationID.derivationFolder where segments.count == 4:
            let id: RealisationID
            do throws(NixFormatError) { id = try RealisationID(file: Array(segments.dropFirst())) } catch { throw .request("\(error).") }
            (get, put) = (.getRealisation(name, id), .putRealisation(name, id))
        default: return nil
        }
        switch method {
        case .get, .head: return get
        case .put: return put
        case .post, .patch, .delete, .options, .query, .other: throw .methodNotAllowed(allowed: "GET, HEAD, PUT")
        }
    }

    private static func requireReading(_ method: Method) throws(Problem) {
        guard method == .get || method == .head else { throw .methodNotAllowed(allowed: "GET, HEAD") }
    }

    private static func storePathHash(_ file: String, before suffix: String) throws(Problem) -> StorePathHash {
        guard let hash = StorePathHash(file.dropLast(suffix.utf8.count)) else {
            throw .request("\"\(printable(file))\" does not begin with a store path hash (32 characters of Nix base-32).")
        }
        return hash
    }

    private static func cacheName(_ text: String) throws(Problem) -> CacheName {
        guard let name = CacheName(text) else {
            throw .request("\"\(printable(text))\" is no cache name: a letter or digit, then at most 49 of letters, digits, '-', '_' and '+'.")
        }
        return name
    }

    /// A client's word as it may stand in an answer: short, and without control characters.
    static func printable(_ text: String) -> String {
        withoutControls(text.unicodeScalars.prefix(80))
    }
}

/// The last segment of a NAR's URL.
package enum NarName: Hashable, Sendable, CustomStringConvertible {
    /// `{file hash, base-32}.nar` and the compression's suffix: immutable, what our narinfo names.
    case file(SHA256Digest, suffix: String)
    /// `{store path hash}.nar`, as older clients of the protocol ask.
    case storePath(StorePathHash)

    init?(_ segment: String) {
        guard let dot = segment.utf8.firstIndex(of: UInt8(ascii: ".")) else { return nil }
        let stem = segment[..<dot]
        let suffix = segment[dot...]
        guard suffix.hasPrefix(".nar") else { return nil }
        if let hash = StorePathHash(stem) {
            guard suffix == ".nar" else { return nil }
            self = .storePath(hash)
        } else if let bytes = NixBase32.decode(stem), let digest = SHA256Digest(bytes) {
            self = .file(digest, suffix: String(suffix.dropFirst(".nar".utf8.count)))
        } else {
            return nil
        }
    }

    /// As it stands in a URL.
    package var description: String {
        switch self {
        case .file(let digest, let suffix): "\(digest.base32).nar\(suffix)"
        case .storePath(let hash): "\(hash).nar"
        }
    }
}
