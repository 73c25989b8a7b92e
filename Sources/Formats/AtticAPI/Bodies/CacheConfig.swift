import Encoding

/// How long a cache keeps objects that nobody asks for.
package enum RetentionConfig: Hashable, Sendable {
    /// As the server's configuration says.
    case global
    /// This many seconds; 0: never collected by age.
    case period(seconds: Int64)

    /// The known clients keep it in 32 bits; 136 years.
    package static let secondsMax = Int64(UInt32.max)

    fileprivate init?(_ json: JSON) {
        if json.stringValue == "Global" { self = .global; return }
        guard
            let object = json.objectValue, object.count == 1, let seconds = object["Period"]?.integerValue,
            (0...Self.secondsMax).contains(seconds)
        else { return nil }
        self = .period(seconds: seconds)
    }

    fileprivate var json: JSON {
        switch self {
        case .global: "Global"
        case .period(let seconds): ["Period": .integer(seconds)]
        }
    }
}

/// The key pair that a cache is to sign with. Its description never shows the secret.
package enum KeypairConfig: Hashable, Sendable, CustomStringConvertible, CustomDebugStringConvertible {
    /// A new one, made by the server.
    case generate
    /// This one: `name:base64` of 64 bytes; not checked here.
    case keypair(String)

    init?(_ json: JSON) {
        if json.stringValue == "Generate" { self = .generate; return }
        guard let object = json.objectValue, object.count == 1, let text = object["Keypair"]?.stringValue else { return nil }
        self = .keypair(text)
    }

    static let allowed = "\"Generate\" or {\"Keypair\": \"name:base64\"}"

    var json: JSON {
        switch self {
        case .generate: "Generate"
        case .keypair(let text): ["Keypair": .string(text)]
        }
    }

    package var description: String {
        switch self {
        case .generate: "a new key pair"
        case .keypair: "a given key pair"
        }
    }
    package var debugDescription: String { description }
}

/// What a server takes in one request of several paths; where it says nothing of it, each path goes alone.
package struct UploadPathsLimits: Hashable, Sendable {
    package let pathsMax: Int64
    /// Of all NARs together, in bytes.
    package let narBytesMax: Int64
    /// Of all descriptions together, in bytes.
    package let infoBytesMax: Int64

    package init(pathsMax: Int64, narBytesMax: Int64, infoBytesMax: Int64) {
        self.pathsMax = pathsMax
        self.narBytesMax = narBytesMax
        self.infoBytesMax = infoBytesMax
    }

    fileprivate init?(_ json: JSON) {
        guard let object = json.objectValue, let paths = object["paths_max"]?.integerValue,
            let narBytes = object["nar_bytes_max"]?.integerValue, let infoBytes = object["info_bytes_max"]?.integerValue,
            min(paths, narBytes, infoBytes) >= 0
        else { return nil }
        self.init(pathsMax: paths, narBytesMax: narBytes, infoBytesMax: infoBytes)
    }

    fileprivate var json: JSON {
        ["paths_max": .integer(pathsMax), "nar_bytes_max": .integer(narBytesMax), "info_bytes_max": .integer(infoBytesMax)]
    }
}

/// Documents of one kind that a server takes beside store paths; where it says nothing of them, it takes none.
package struct DocumentLimits: Hashable, Sendable {
    /// Of one document, in bytes, before any compression.
    package let bytesMax: Int64

    package init(bytesMax: Int64) { self.bytesMax = bytesMax }

    fileprivate static let allowed = "an object with \"bytes_max\", a number from 0"

    fileprivate init?(_ json: JSON) {
        guard let bytesMax = json.objectValue?["bytes_max"]?.integerValue, bytesMax >= 0 else { return nil }
        self.init(bytesMax: bytesMax)
    }

    fileprivate var json: JSON { ["bytes_max": .integer(bytesMax)] }
}

/// The configuration of a cache: the answer to GET, and the changes of a PATCH, where absent means keep.
package struct CacheConfig: Hashable, Sendable {
    /// Write only.
    package var keypair: KeypairConfig?
    /// Read only: where Nix pulls from.
    package var substituterEndpoint: String?
    /// Read only: where this API is.
    package var apiEndpoint: String?
    /// Read only: `name:base64`.
    package var publicKey: String?
    package var isPublic: Bool?
    package var storeDirectory: String?
    /// As in nix-cache-info: Nix asks caches with smaller numbers first.
    package var priority: Int64?
    /// Paths signed by one of these keys are not pushed by clients.
    package var upstreamCacheKeyNames: [String]?
    package var retentionPeriod: RetentionConfig?
    /// Read only: what one request of several paths may have; nil where the server takes none.
    package var uploadPaths: UploadPathsLimits?
    /// Read only: build logs (`log/{derivation}`) and realisations that it takes; nil where it takes none.
    package var buildLogs: DocumentLimits?
    package var realisations: DocumentLimits?

    package init(
        keypair: KeypairConfig? = nil, substituterEndpoint: String? = nil, apiEndpoint: String? = nil,
        publicKey: String? = nil, isPublic: Bool? = nil, storeDirectory: String? = nil, priority: Int64? = nil,
        upstreamCacheKeyNames: [String]? = nil, retentionPeriod: RetentionConfig? = nil,
        uploadPaths: UploadPathsLimits? = nil, buildLogs: DocumentLimits? = nil, realisations: DocumentLimits? = nil
    ) {
        self.keypair = keypair
        self.substituterEndpoint = substituterEndpoint
        self.apiEndpoint = apiEndpoint
        self.publicKey = publicKey
        self.isPublic = isPublic
        self.storeDirectory = storeDirectory
        self.priority = priority
        self.upstreamCacheKeyNames = upstreamCacheKeyNames
        self.retentionPeriod = retentionPeriod
        self.uploadPaths = uploadPaths
        self.buildLogs = buildLogs
        self.realisations = realisations
    }

    /// The priorities that the known clients and servers can keep.
    package static let priorities = Int64(Int32.min)...Int64(Int32.max)

    /// Whether a PATCH of this would change nothing: none of what may be changed is set.
    package var changesNothing: Bool {
        keypair == nil && isPublic == nil && storeDirectory == nil && priority == nil && upstreamCacheKeyNames == nil
            && retentionPeriod == nil
    }

    package init(json bytes: [UInt8]) throws(APIFormatError) {
        let members = try MemberReader(bytes)
        self.init(
            keypair: try members.value("keypair", KeypairConfig.allowed) { KeypairConfig($0) },
            substituterEndpoint: try members.line("substituter_endpoint"),
            apiEndpoint: try members.line("api_endpoint"),
            publicKey: try members.line("public_key"),
            isPublic: try members.bool("is_public"),
            storeDirectory: try members.storeDirectory("store_dir"),
            priority: try members.integer("priority", in: Self.priorities),
            upstreamCacheKeyNames: try members.lines("upstream_cache_key_names"),
            retentionPeriod: try members.value(
                "retention_period", "\"Global\" or {\"Period\": seconds}, with seconds from 0 to \(RetentionConfig.secondsMax)"
            ) { RetentionConfig($0) },
            uploadPaths: try members.value(
                "upload_paths", "an object with \"paths_max\", \"nar_bytes_max\" and \"info_bytes_max\", numbers from 0"
            ) { UploadPathsLimits($0) },
            buildLogs: try members.value("build_logs", DocumentLimits.allowed) { DocumentLimits($0) },
            realisations: try members.value("realisations", DocumentLimits.allowed) { DocumentLimits($0) })
    }

    package func json() -> [UInt8] {
        JSONObject(present: [
            ("keypair", keypair?.json),
            ("substituter_endpoint", substituterEndpoint.map { .string($0) }),
            ("api_endpoint", apiEndpoint.map { .string($0) }),
            ("public_key", publicKey.map { .string($0) }),
            ("is_public", isPublic.map { .bool($0) }),
            ("store_dir", storeDirectory.map { .string($0) }),
            ("priority", priority.map { .integer($0) }),
            ("upstream_cache_key_names", upstreamCacheKeyNames.map { .strings($0) }),
            ("retention_period", retentionPeriod?.json),
            ("upload_paths", uploadPaths?.json),
            ("build_logs", buildLogs?.json),
            ("realisations", realisations?.json),
        ]).wireBytes
    }
}

/// The body of a POST that creates a cache.
package struct CreateCacheRequest: Hashable, Sendable {
    package let keypair: KeypairConfig
    package let isPublic: Bool
    package let storeDirectory: String
    package let priority: Int64
    package let upstreamCacheKeyNames: [String]

    package init(
        keypair: KeypairConfig, isPublic: Bool, storeDirectory: String, priority: Int64, upstreamCacheKeyNames: [String]
    ) {
        self.keypair = keypair
        self.isPublic = isPublic
        self.storeDirectory = storeDirectory
        self.priority = priority
        self.upstreamCacheKeyNames = upstreamCacheKeyNames
    }

    /// All members must be there.
    package init(json bytes: [UInt8]) throws(APIFormatError) {
        let members = try MemberReader(bytes)
        self.init(
            keypair: try required("keypair") { name throws(APIFormatError) in
                try members.value(name, KeypairConfig.allowed) { KeypairConfig($0) }
            },
            isPublic: try required("is_public", members.bool),
            storeDirectory: try required("store_dir", members.storeDirectory),
            priority: try required("priority") { name throws(APIFormatError) in
                try members.integer(name, in: CacheConfig.priorities)
            },
            upstreamCacheKeyNames: try required("upstream_cache_key_names", members.lines))
    }

    package func json() -> [UInt8] {
        JSONObject([
            ("keypair", keypair.json), ("is_public", .bool(isPublic)), ("store_dir", .string(storeDirectory)),
            ("priority", .integer(priority)), ("upstream_cache_key_names", .strings(upstreamCacheKeyNames)),
        ]).wireBytes
    }
}
