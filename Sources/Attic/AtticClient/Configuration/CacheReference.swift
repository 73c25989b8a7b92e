import AtticAPI
import HTTPClient

/// A cache as a user names it: `cache`, `server:cache`, or `https://host/path/cache`.
package enum CacheReference: Hashable, Sendable {
    /// On the default server.
    case cache(CacheName)
    case onServer(ServerName, CacheName)
    /// The endpoint that the cache is below of, as it was written, without a slash at its end.
    case url(endpoint: String, CacheName)

    /// - Throws: a usage failure that says which forms there are.
    package init(_ text: String) throws(ClientFailure) {
        if text.contains("://") {
            self = try Self.parse(url: text)
            return
        }
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        switch parts.count {
        case 1:
            guard let cache = CacheName(parts[0]) else { throw Self.refusal(text) }
            self = .cache(cache)
        default:
            guard let server = ServerName(parts[0]), let cache = CacheName(parts[1]) else { throw Self.refusal(text) }
            self = .onServer(server, cache)
        }
    }

    private static func parse(url text: String) throws(ClientFailure) -> CacheReference {
        let trimmed = text.hasSuffix("/") ? String(text.dropLast()) : text
        do throws(ClientError) {
            let url = try HTTPURL(trimmed)
            guard url.query == nil, !url.path.isEmpty, let slash = trimmed.lastIndex(of: "/"),
                let cache = CacheName(String(trimmed[trimmed.index(after: slash)...]))
            else { throw ClientError.malformedURL(text, reason: "it does not end in /CACHE") }
            return .url(endpoint: String(trimmed[..<slash]), cache)
        } catch {
            throw ClientFailure(.usage, "\(error)", advice: forms)
        }
    }

    private static let forms =
        "Write CACHE, SERVER:CACHE or https://HOST/PATH/CACHE; names are \(CacheName.allowed)."

    private static func refusal(_ text: String) -> ClientFailure {
        ClientFailure(.usage, "\"\(text)\" does not name a cache", advice: forms)
    }
}

/// A cache on a server: everything that is needed to speak of it and to ask for it.
package struct ResolvedCache: Hashable, Sendable, CustomStringConvertible {
    /// What messages call the server: its name, or its URL where it has none.
    package let serverName: String
    package let endpoint: HTTPURL
    package let token: String?
    package let cache: CacheName

    /// Without the token.
    package var description: String { quoted }

    /// `"hello" on "local"`, as all messages have it.
    package var quoted: String { "\"\(cache)\" on \"\(serverName)\"" }

    /// What a user would write for it, on a command line.
    package var reference: String {
        ServerName(serverName) == nil ? "\(serverName)/\(cache)" : "\(serverName):\(cache)"
    }
}

extension ClientConfiguration {
    /// The cache that a reference means.
    ///
    /// - Throws: a usage failure where no such server is known, saying which ones are.
    package func resolve(_ reference: CacheReference) throws(ClientFailure) -> ResolvedCache {
        switch reference {
        case .cache(let cache):
            guard let name = defaultServer else {
                throw servers.isEmpty
                    ? ClientFailure(
                        .usage, "no server is known yet", advice: "Log in to one first: tetryx login NAME ENDPOINT TOKEN")
                    : ClientFailure(
                        .usage, "\"\(cache)\" names no server, and none is the default",
                        advice: "Write SERVER:\(cache), or run tetryx login with --set-default. Known: \(known)")
            }
            return try resolve(cache, on: name)
        case .onServer(let name, let cache):
            return try resolve(cache, on: name)
        case .url(let endpoint, let cache):
            let url = try Self.url(endpoint)
            // A token goes to the server that it was given for, and to no other.
            let matches = servers.sorted { $0.key.rawValue < $1.key.rawValue }.filter { server in
                (try? HTTPURL(server.value.endpoint)).map { Self.isSame($0, url) } ?? false
            }
            // One server may be known by several names, each with a token of its own.
            let match = matches.first { $0.key == defaultServer } ?? matches.first
            return ResolvedCache(
                serverName: match?.key.rawValue ?? endpoint, endpoint: url, token: try match?.value.loadToken(), cache: cache)
        }
    }

    private func resolve(_ cache: CacheName, on name: ServerName) throws(ClientFailure) -> ResolvedCache {
        guard let server = servers[name] else {
            throw ClientFailure(
                .usage, "there is no server \"\(name)\" in the configuration",
                advice: servers.isEmpty
                    ? "Log in to it first: tetryx login \(name) ENDPOINT TOKEN"
                    : "Known: \(known). A new one is added by: tetryx login \(name) ENDPOINT TOKEN")
        }
        return ResolvedCache(
            serverName: name.rawValue, endpoint: try Self.url(server.endpoint), token: try server.loadToken(), cache: cache)
    }

    private var known: String { servers.keys.map(\.rawValue).sorted().joined(separator: ", ") }

    private static func url(_ text: String) throws(ClientFailure) -> HTTPURL {
        do throws(ClientError) { return try HTTPURL(text) } catch { throw ClientFailure(.usage, "\(error)") }
    }

    private static func isSame(_ one: HTTPURL, _ other: HTTPURL) -> Bool {
        one.isSameServer(as: other) && one.path(below: "/") == other.path(below: "/")
    }
}
