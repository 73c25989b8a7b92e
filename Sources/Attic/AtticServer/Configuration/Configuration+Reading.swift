import AtticAPI
import Chunking
import Compression
import ConfigFile
import Database
import HTTP
import HTTPServer
import Platform

// From TOML to a checked configuration, section by section in the order of server.toml.example. The defaults are those
// of `Configuration`'s properties: a key that is absent leaves its property alone.

extension Configuration {
    /// - Throws: the first thing that is wrong, missing or unknown.
    init(reading file: TOMLFile, environment: [String: String]) throws(ConfigurationError) {
        self.init()
        let (noDatabase, noKey): (ConfigFileError?, ConfigFileError?)
        do throws(ConfigFileError) {
            try readServer(file.root)
            try checkSections(of: file)
            try limits.read(file.root.section("limits"))
            noDatabase = try readDatabase(file.root.section("database"))
            try readStorage(file.root.section("storage"), environment)
            try readChunking(file.root.section("chunking"))
            try readCompression(file.root.section("compression"))
            try readGarbageCollection(file.root.section("garbage-collection"))
            noKey = try readJWT(file.root.section("jwt"))
            try file.finish()
        } catch { throw .file(error) }
        if case .rs256PublicKey = tokenKey {} else if noKey == nil { holdsSecret = true }
        // Only what the file leaves out is taken from the environment, so that a file means the same everywhere.
        if let noDatabase { try readDatabase(environment, otherwise: noDatabase) }
        if let noKey { try readKey(environment, otherwise: noKey) }
        if case .hs256(let secret) = tokenKey, secret.count < Self.secretByteCountAdvised {
            warnings.append(
                "the HS256 secret has only \(secret.count) bytes; RFC 7518 asks for \(Self.secretByteCountAdvised) and more: "
                + "make one with \"openssl rand 64 | base64 -w0\"")
        }
    }

    /// A section with a slip in its name is better named than what is then missing from the right one.
    private func checkSections(of file: TOMLFile) throws(ConfigFileError) {
        for section in ["limits", "database", "storage", "chunking", "compression", "garbage-collection", "jwt"] {
            _ = try file.root.section(section)
        }
        try file.finish(depth: 1)
    }

    private static var secretByteCountAdvised: Int { 32 }

    // MARK: The server

    private mutating func readServer(_ root: TOMLSection) throws(ConfigFileError) {
        if let text = try root.string("listen") {
            guard (try? ListenAddress(parsing: text)) != nil else {
                throw root.error(
                    at: "listen", "\"\(text)\" is no address; write host:port, as in \"[::]:8080\" or \"127.0.0.1:8080\", or unix:/path of a socket")
            }
            listen = text
        }
        if let text = try root.string("socket-mode") {
            do throws(ValueError) { socketPermissions = try permissions(text) } catch { throw root.error(at: "socket-mode", error.sentence) }
        }
        if let hosts = try root.strings("allowed-hosts") {
            if let wrong = hosts.first(where: { $0.isEmpty || $0.contains("/") || $0.contains(where: \.isWhitespace) }) {
                throw root.error(at: "allowed-hosts", "\"\(wrong)\" is no host; write it as in \"cache.example.org\"")
            }
            allowedHosts = hosts
        }
        apiEndpoint = try endpoint(root, "api-endpoint")
        substituterEndpoint = try endpoint(root, "substituter-endpoint")
        if let value = try root.integer("max-connections-per-address", in: 0...1_000_000) { maxConnectionsPerAddress = Int(value) }
        if let texts = try root.strings("proxies") {
            proxies = []
            for text in texts {
                guard let address = HostAddress(text) else {
                    throw root.error(at: "proxies", "\"\(text)\" is no address; write it as in \"192.0.2.1\" or \"2001:db8::1\"")
                }
                proxies.append(address)
            }
        }
        if let value = try root.seconds("drain-delay", in: 0...3600) { drainDelaySeconds = value }
        if let value = try root.bool("access-log") { logsAccess = value }
        if let value = try root.bool("soft-delete-caches") { softDeleteCaches = value }
        if let value = try root.bool("require-proof-of-possession") { requireProofOfPossession = value }
        if let value = try root.integer("refused-read-status", in: 401...404) {
            guard value != 402 else {
                throw root.error(at: "refused-read-status", "402 is not allowed for \"refused-read-status\"; write 401, 403 or 404")
            }
            refusedReadStatus = Status(Int(value))
        }
        if let value = try root.integer("max-nar-info-size", in: 4096...(64 << 20)) { maxNarInfoSize = Int(value) }
        if let value = try root.integer("max-nar-size", in: (1 << 20)...(1 << 40)) { maxNarSize = value }
    }

    private func endpoint(_ root: TOMLSection, _ key: String) throws(ConfigFileError) -> String? {
        guard let text = try root.string(key) else { return nil }
        let host = text.hasPrefix("https://") ? text.dropFirst(8) : text.hasPrefix("http://") ? text.dropFirst(7) : ""
        guard
            host.count > 1, !host.hasPrefix("/"), text.hasSuffix("/"),
            !text.contains(where: { $0.isWhitespace || $0 == "?" || $0 == "#" })
        else {
            throw root.error(
                at: key,
                "\"\(text)\" is no endpoint; write a URL that ends in a slash, as in \"https://cache.example.org/\"")
        }
        return text
    }

    // MARK: Database and storage

    /// Gives the error for when the environment names no database either.
    private mutating func readDatabase(_ section: TOMLSection) throws(ConfigFileError) -> ConfigFileError? {
        if let value = try section.bool("heartbeat") { databaseHeartbeat = value }
        let connections = Int64(Catalog.otherConnections + 1)...1000
        if let value = try section.integer("max-connections", in: connections) { databaseConnectionsMax = Int(value) }
        if let value = try section.seconds("acquire-timeout", in: 1...3600) { databaseAcquireSeconds = value }
        guard let url = try section.string("url") else {
            return section.error(
                at: "url",
                "\"url\" in [database] is missing; write \"sqlite:///path/server.db\" or \"postgresql://user@host/database\", "
                + "or set \(EnvironmentVariable.databaseURL)")
        }
        do throws(ValueError) { database = try databaseLocation(ofURL: url) } catch {
            throw section.error(at: "url", error.sentence)
        }
        if database.hasPassword { holdsSecret = true }
        return nil
    }

    private mutating func readDatabase(
        _ environment: [String: String], otherwise missing: ConfigFileError
    ) throws(ConfigurationError) {
        let variable = EnvironmentVariable.databaseURL
        guard let url = environment[variable], !url.isEmpty else { throw .file(missing) }
        do throws(ValueError) { database = try databaseLocation(ofURL: url) } catch {
            throw .environment(variable: variable, reason: error.sentence)
        }
    }

    // MARK: Chunks and their compression

    private mutating func readChunking(_ section: TOMLSection) throws(ConfigFileError) {
        if let value = try section.integer("nar-size-threshold", in: 0...(.max)) { chunking.narSizeThreshold = value }
        func size(_ key: String, _ bounds: ClosedRange<Int>, _ standard: Int) throws(ConfigFileError) -> Int {
            Int(try section.integer(key, in: Int64(bounds.lowerBound)...Int64(bounds.upperBound)) ?? Int64(standard))
        }
        let standard = ChunkingRules.sizesDefault
        let minimum = try size("min-size", ChunkSizes.minimumBounds, standard.minimum)
        let average = try size("avg-size", ChunkSizes.averageBounds, standard.average)
        let maximum = try size("max-size", ChunkSizes.maximumBounds, standard.maximum)
        do throws(ChunkSizesError) {
            chunking.sizes = try ChunkSizes(minimum: minimum, average: average, maximum: maximum)
        } catch {
            throw section.error("\(error); \"min-size\", \"avg-size\" and \"max-size\" must rise")
        }
    }

    private mutating func readCompression(_ section: TOMLSection) throws(ConfigFileError) {
        let type = try section.string("type") ?? "zstd"
        guard let kind = CompressionKind(rawValue: type) else {
            throw section.error(at: "type", "\"\(type)\" is no compression type; write \"zstd\", \"xz\", \"brotli\" or \"none\"")
        }
        (compressionKind, compressionLevel) = (kind, kind.levelDefault)
        if kind == .none {
            guard !section.has("level") else {
                throw section.error(at: "level", "\"level\" means nothing with the compression type \"none\"; remove it")
            }
        } else if let level = try section.integer("level", in: Int64(kind.levels.lowerBound)...Int64(kind.levels.upperBound)) {
            compressionLevel = Int32(level)
        }
    }

    // MARK: Garbage collection

    private mutating func readGarbageCollection(_ section: TOMLSection) throws(ConfigFileError) {
        if let value = try section.seconds("interval") { garbageCollectionIntervalSeconds = value }
        if let value = try section.seconds("default-retention-period") { defaultRetentionSeconds = value }
    }

    // MARK: Tokens

    /// Gives the error for when the environment holds no key either.
    private mutating func readJWT(_ section: TOMLSection) throws(ConfigFileError) -> ConfigFileError? {
        tokenRules = TokenRules(
            issuer: try section.string("token-bound-issuer"),
            audiences: try section.strings("token-bound-audiences") ?? [])
        let signing = try section.section("signing")
        // All are asked for, so that none is an unknown key.
        let given = TokenKeySource.allCases.filter { signing.has($0.key) }
        if given.count > 1 { throw signing.error(at: given[1].key, "[jwt.signing] has \(given.count) keys; write exactly one") }
        guard let source = given.first else {
            return signing.error(
                at: TokenKeySource.hs256.key,
                "\"\(TokenKeySource.hs256.key)\" in [jwt.signing] is missing; "
                + "write the output of \"openssl rand 64 | base64 -w0\", or set \(EnvironmentVariable.hs256Secret)")
        }
        let text = try signing.string(source.key) ?? ""
        do throws(ValueError) { tokenKey = try source.tokenKey(base64: text) } catch { throw signing.error(at: source.key, error.sentence) }
        return nil
    }

    private mutating func readKey(
        _ environment: [String: String], otherwise missing: ConfigFileError
    ) throws(ConfigurationError) {
        let given = TokenKeySource.allCases.filter { environment[$0.variable]?.isEmpty == false }
        if given.count > 1 {
            throw .environment(variable: given[1].variable, reason: "\(given[0].variable) is set as well; exactly one key of tokens is taken")
        }
        guard let source = given.first, let text = environment[source.variable] else { throw .file(missing) }
        do throws(ValueError) { tokenKey = try source.tokenKey(base64: text) } catch {
            throw .environment(variable: source.variable, reason: error.sentence)
        }
    }
}
