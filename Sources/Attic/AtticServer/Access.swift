import AtticAPI
import Database
import Encoding
import HTTP

/// Who asks: what the request's credentials allow, or why they allow nothing.
///
/// A token that is missing, expired or wrong makes an anonymous visitor; `refusal` then says which, to be told when
/// something is refused.
package struct Visitor: Sendable {
    package let token: Token?
    package let refusal: String
    /// Of the token, where there is one: what the request does may be over only after it was revoked.
    let standing: TokenStanding?

    init(token: Token?, refusal: String, standing: TokenStanding? = nil) {
        self.token = token
        self.refusal = refusal
        self.standing = standing
    }

    /// Turns away whose token was revoked since the request began.
    func requireStanding() throws(Problem) {
        if standing?.holds == false { throw .unauthorized(reason: Visitor.revoked) }
    }

    static let revoked = "The token was revoked; ask for a new one."

    /// What this visitor may do with a cache of that name; `isPublic` adds pull for everyone.
    package func permissions(on cache: CacheName, isPublic: Bool) -> Permissions {
        var permissions = token?.permissions(for: cache) ?? []
        if isPublic { permissions.insert(.pull) }
        return permissions
    }

    /// Turns away who may push to no cache at all, before a body is read that would say which one is meant: neither strangers nor readers
    /// make the server wait for bytes or hold them.
    package func requirePush() throws(Problem) {
        guard let token else { throw .unauthorized(reason: refusal) }
        guard token.caches.contains(where: { $0.permissions.contains(.push) }) else { throw .accessDenied }
    }

    /// Lets the visitor through to a cache, or says what it may be told.
    ///
    /// - Parameters:
    ///   - record: the cache, nil where there is none of that name.
    ///   - needed: every one of these must be held.
    /// - Throws: `.unauthorized` where the visitor may not even know of the cache (so that a missing cache and a hidden
    ///   one read the same), `.noSuchCache`, or `.accessDenied`.
    package func enter(
        _ name: CacheName, _ record: CacheRecord?, needing needed: Permissions
    ) throws(Problem) -> CacheRecord {
        let held = permissions(on: name, isPublic: record?.isPublic ?? false)
        guard held.allowsDiscovery else { throw .unauthorized(reason: refusal) }
        guard let record else { throw .noSuchCache }
        guard held.isSuperset(of: needed) else {
            // An anonymous visitor to a public cache is told to bring a token, not that its token is too weak.
            throw token == nil ? .unauthorized(reason: refusal) : .accessDenied
        }
        return record
    }
}

/// Reads credentials and checks tokens against the server's key.
package struct Access: Sendable {
    private let key: TokenKey
    private let rules: TokenRules

    package init(key: TokenKey, rules: TokenRules) {
        self.key = key
        self.rules = rules
    }

    /// The visitor behind a request: `Authorization: Bearer JWT`, or Basic whose password is the JWT, the scheme in any
    /// case (RFC 9110 section 11.1).
    package func visitor(of head: RequestHead, nowSeconds: Int64) -> Visitor {
        guard let value = head.header("Authorization") else {
            return Visitor(token: nil, refusal: "No token came with the request: run \"tetryx login\", or give one as Bearer or Basic password.")
        }
        guard let jwt = Access.token(inAuthorization: value) else {
            return Visitor(token: nil, refusal: "The Authorization header holds no token: it must be \"Bearer TOKEN\", or Basic with the token as password.")
        }
        do {
            return Visitor(
                token: try Token.verify(jwt, with: key, nowSeconds: nowSeconds, rules: rules),
                refusal: "The token gives no permission here.")
        } catch {
            let reason = "\(error)"
            return Visitor(token: nil, refusal: "\(reason.prefix(1).uppercased())\(reason.dropFirst()).")
        }
    }

    /// The JWT inside an Authorization header's value; nil where the form is another.
    static func token(inAuthorization value: String) -> String? {
        guard let space = value.utf8.firstIndex(of: UInt8(ascii: " ")) else { return nil }
        let scheme = value[..<space].lowercased()
        let rest = value[space...].drop { $0 == " " }
        switch scheme {
        case "bearer":
            return rest.isEmpty ? nil : String(rest)
        case "basic":
            guard let bytes = Base64.decode(String(rest)), let colon = bytes.firstIndex(of: UInt8(ascii: ":")) else { return nil }
            let password = bytes[(colon + 1)...]
            return password.isEmpty ? nil : String(validating: password, as: UTF8.self)
        default:
            return nil
        }
    }
}
