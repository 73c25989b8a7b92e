import AtticAPI
import Encoding
import HTTP

/// What the client was about, for messages and for what it needs.
package enum CacheOperation: Hashable, Sendable {
    case readConfiguration
    case create
    case configure(retention: Bool)
    case destroy
    case push

    /// With the cache's name behind it.
    var verb: String {
        switch self {
        case .readConfiguration: "read the configuration of"
        case .create: "create"
        case .configure: "configure"
        case .destroy: "destroy"
        case .push: "push to"
        }
    }

    var permissions: Permissions {
        switch self {
        case .readConfiguration: .pull
        case .create: .createCache
        case .configure(let retention): retention ? [.configureCache, .configureCacheRetention] : .configureCache
        case .destroy: .destroyCache
        case .push: .push
        }
    }
}

/// An answer that says no, put into words: what was refused, why, and what its user can do about it.
struct RefusedOperation {
    let operation: CacheOperation
    let target: ResolvedCache
    let status: Status
    let body: [UInt8]
    let nowSeconds: Int64
    /// The server that answered without having been shown the token, since another sent the request there.
    var withheldFrom: String?

    var failure: ClientFailure {
        switch status.code {
        case 401, 403:
            if let withheldFrom {
                return failure(
                    .notPermitted, "the server redirects to \(withheldFrom), which is not shown the token (\(sentence))",
                    advice: "If the token is for that one, log in with it: tetryx login \(loginName) \(withheldFrom) TOKEN")
            }
            return status.code == 401 ? unauthorized : forbidden
        case 404 where serverError?.error == "NoSuchCache":
            return failure(.failed, sentence, advice: "Create it with: tetryx cache create \(target.reference)")
        case 404 where serverError?.error == "NotFound":
            return failure(
                .failed, sentence, advice: "Is \(target.endpoint) the URL of a server, and not of a cache? tetryx login changes it.")
        case 404 where serverError == nil:
            return failure(
                .failed, sentence, advice: "Is \(target.endpoint) the endpoint of an atticd? tetryx login changes it.")
        // What stands in front of the server does not reach it.
        case 502, 504: return failure(.unreachable, sentence, advice: "Is atticd running behind \(target.endpoint)? Try again in a while.")
        case 503: return failure(.failed, sentence, advice: "Try again in a while.")
        default: return failure(.failed, sentence, advice: nil)
        }
    }

    private func failure(_ kind: ClientFailure.Kind, _ reason: String, advice: String?) -> ClientFailure {
        ClientFailure(kind, "cannot \(operation.verb) \(target.quoted): \(reason)", advice: advice)
    }

    private var serverError: ErrorBody? { try? ErrorBody(json: body) }

    /// The server's own words; its status where it has none, as a proxy's page.
    private var sentence: String {
        guard let error = serverError else { return "the server answered \(status)" }
        // It goes to a terminal: no escape sequences, and no end of the line.
        return String(String.UnicodeScalarView(error.message.unicodeScalars.filter { !$0.isControl }.prefix(1000)))
    }

    private var unauthorized: ClientFailure {
        let makeToken = "Ask for one that is made by: atticadm make-token … " + options(operation.permissions)
        guard let token = target.token else {
            return failure(
                .notPermitted, "the server wants a token, and none is configured for it",
                advice: "\(makeToken), then run: tetryx login \(loginName) \(target.endpoint) TOKEN")
        }
        guard let glance = TokenGlance(token) else {
            return failure(
                .notPermitted, "the configured token is no token (\(sentence))",
                advice: "\(makeToken), then run: tetryx login \(loginName) \(target.endpoint) TOKEN")
        }
        if let expiry = glance.expirySeconds, expiry <= nowSeconds {
            return failure(
                .notPermitted, "the token expired on \(date(expiry))",
                advice: "\(makeToken), then run: tetryx login \(loginName) \(target.endpoint) TOKEN")
        }
        if let notBefore = glance.notBeforeSeconds, notBefore > nowSeconds {
            return failure(
                .notPermitted, "the token is not valid before \(date(notBefore))",
                advice: "Is the clock right?")
        }
        if glance.permissions(for: target.cache).isEmpty {
            return failure(
                .notPermitted, "the token allows nothing with a cache of this name (\(sentence))", advice: "\(makeToken).")
        }
        return failure(
            .notPermitted, "the server did not accept the token (\(sentence))",
            advice: "Was it made for this server? If the cache does not exist, it has to be created first. Else: \(makeToken), then run: tetryx login \(loginName) \(target.endpoint) TOKEN")
    }

    private var forbidden: ClientFailure {
        let needed = operation.permissions.optionNames.joined(separator: " and ")
        let advice = "Ask for a token that is made by: atticadm make-token … \(options(operation.permissions))."
        guard let token = target.token, let glance = TokenGlance(token) else {
            return failure(.notPermitted, "the permission \(needed) is needed (\(sentence))", advice: advice)
        }
        let held = glance.permissions(for: target.cache).optionNames.joined(separator: ", ")
        return failure(
            .notPermitted, "the permission \(needed) is needed, and the token has \(held.isEmpty ? "none" : held) here",
            advice: advice)
    }

    private func options(_ permissions: Permissions) -> String {
        permissions.optionNames.map { "--\($0) \(target.cache)" }.joined(separator: " ")
    }

    private func date(_ seconds: Int64) -> String { TokenGlance.date(seconds) }

    private var loginName: String { ServerName(target.serverName) == nil ? "NAME" : target.serverName }
}
