import AtticAPI
import HTTPClient
import Nix

/// `tetryx use`: makes Nix pull from a cache.
package struct UseCache {
    private let reference: String

    package init(_ reference: String) { self.reference = reference }

    package func run(_ context: ClientContext) throws(ClientFailure) {
        let client = try context.client(for: reference)
        let target = client.target
        let cache = try Self.settings(of: try client.configuration(), target)
        context.console.say("Configuring Nix to use \(target.quoted):")
        let outcome = try NixFiles(directory: "\(context.directories.configuration)/nix").use(cache)
        context.console.say("+ Substituter: \(cache.substituter)")
        if let key = cache.publicKey { context.console.say("+ Trusted Public Key: \(key)") }
        if cache.credentials != nil { context.console.say("+ Access Token") }
        for warning in Self.placeWarnings(cache.substituter, target) + Self.warnings(outcome) { context.console.say("⚠️ \(warning)") }
    }

    /// What goes into Nix's files. All of it was said by a server, so each part must be what it claims to be: a line of
    /// nix.conf can make Nix run programs.
    static func settings(of config: CacheConfig, _ target: ResolvedCache) throws(ClientFailure) -> NixFiles.Cache {
        func refusal(_ reason: String) -> ClientFailure {
            ClientFailure(.failed, "cannot use \(target.quoted): the server's answer cannot be used: \(reason)")
        }
        let substituter = config.substituterEndpoint ?? "\(target.endpoint)".trimmingSlash + "/\(target.cache)"
        let url: HTTPURL
        do throws(ClientError) { url = try HTTPURL(substituter) } catch { throw refusal("\(error)") }
        if target.token != nil, target.endpoint.scheme == .https, url.scheme == .http {
            throw refusal("it names \(substituter), where anyone on the way could read the token")
        }
        var publicKey: String?
        if let text = config.publicKey {
            do throws(NixFormatError) { publicKey = try PublicKey(parsing: text).rendered } catch { throw refusal("\(error)") }
        }
        return NixFiles.Cache(
            substituter: substituter, publicKey: publicKey,
            credentials: target.token.map { NixFiles.Credentials(host: url.host, token: $0, isForItsServer: url.host == target.endpoint.host) })
    }

    /// A server below a path does not know of it unless it is told, and then names itself without.
    static func placeWarnings(_ substituter: String, _ target: ResolvedCache) -> [String] {
        let prefix = target.endpoint.path(below: "/")
        guard prefix != "/", let url = try? HTTPURL(substituter), url.isSameServer(as: target.endpoint), !url.path.hasPrefix(prefix) else {
            return []
        }
        return [
            "The server says that the cache is at \(substituter), which is not below its endpoint, \(target.endpoint). "
                + "If Nix does not find it there, substituter-endpoint in its server.toml has to be \(target.endpoint.serverText)\(prefix)"
        ]
    }

    static func warnings(_ outcome: NixFiles.Outcome) -> [String] {
        var warnings: [String] = []
        switch outcome.keyChange {
        case .replaced(let old): warnings.append("It replaces another key of the same name: \(old)")
        case .hiddenBehind(let old):
            warnings.append(
                "nix.conf trusts another key of the same name, and Nix takes the first: \(old)\n"
                    + "   Remove that one from trusted-public-keys.")
        case .added, .kept, nil: break
        }
        if let path = outcome.netrc, let permissions = outcome.looseNetrcPermissions {
            warnings.append(
                "\(path) holds the token now, and others can read it (mode \(String(permissions, radix: 8))). "
                    + "Unless that is meant: chmod 600 \(path)")
        }
        return warnings
    }
}

extension String {
    /// Without the slash at its end, where it has one.
    var trimmingSlash: String { hasSuffix("/") ? String(dropLast()) : self }
}
