import AtticAPI
import HTTP
import Platform

/// Visitors by their Authorization header: a token is verified once and then known, until it expires. Thread: any.
package final class HotVisitors: Sendable {
    private final class Known: Sendable {
        let header: [UInt8]
        let visitor: Visitor
        private let permissions = Monitor<[CacheName: Permissions]>([:])

        init(header: [UInt8], visitor: Visitor) {
            self.header = header
            self.visitor = visitor
        }

        /// What the token says of a cache; its patterns are tried once a cache.
        func permissions(on cache: CacheName) -> Permissions {
            permissions.peek { known in
                if let held = known[cache] { return held }
                let held = visitor.permissions(on: cache, isPublic: false)
                if known.count >= HotVisitors.cachesMax { known = [:] }
                known[cache] = held
                return held
            }
        }
    }

    /// Tokens kept at most; those beyond are verified each time until the table begins anew.
    private static let tokensMax = 4096
    /// Caches whose permissions are kept for one token at most.
    private static let cachesMax = 256

    private struct State {
        var known: [Int: Known] = [:]
        var revocations = Revocations()
        /// Moves with the revocations: what was verified before they changed is not kept after.
        var generation = 0
    }

    private let state = Monitor(State())
    private let access: Access

    package init(_ access: Access) { self.access = access }

    /// The visitor behind a request, verified now or before.
    func visitor(of head: RequestHead, nowSeconds: Int64) -> Visitor {
        if let found = find(head, nowSeconds) { return found.visitor }
        let (revocations, generation) = state.peek { ($0.revocations, $0.generation) }
        let visitor = access.visitor(of: head, nowSeconds: nowSeconds)
        if let token = visitor.token, revocations.refuse(token) {
            return Visitor(token: nil, refusal: "The token was revoked; ask for a new one.")
        }
        // Only good tokens are kept: the others cost their bearer a verification each time.
        if visitor.token != nil, let header = unsafe head.withHeader("Authorization", { unsafe [UInt8]($0) }) {
            let key = unsafe header.span.withUnsafeBytes { unsafe HotVisitors.key($0) }
            state.peek { state in
                guard state.generation == generation else { return }
                if state.known.count >= HotVisitors.tokensMax { state.known = [:] }
                state.known[key] = Known(header: header, visitor: visitor)
            }
        }
        return visitor
    }

    /// Takes the revocations that hold from now on, and verifies everyone anew where they are others than before.
    func take(_ revocations: Revocations) {
        state.peek { state in
            guard state.revocations != revocations else { return }
            state.revocations = revocations
            state.generation += 1
            state.known = [:]
        }
    }

    /// What a request may do with a private cache, where its token is known; nil where it must be verified first.
    func permissions(of head: RequestHead, on cache: CacheName, nowSeconds: Int64) -> Permissions? {
        find(head, nowSeconds)?.permissions(on: cache)
    }

    private func find(_ head: RequestHead, _ nowSeconds: Int64) -> Known? {
        let found: Known?? = unsafe head.withHeader("Authorization") { value in
            let key = unsafe HotVisitors.key(value)
            guard let candidate = state.peek({ $0.known[key] }) else { return nil }
            return unsafe candidate.header.withUnsafeBytes { unsafe Bytes.equal($0, value) } ? candidate : nil
        }
        guard let known = found ?? nil else { return nil }
        if let expiry = known.visitor.token?.expiry, nowSeconds >= expiry { return nil }
        return known
    }

    /// A token ends with its signature, and no two verified ones end alike: that much of it tells them apart.
    private static func key(_ header: UnsafeRawBufferPointer) -> Int {
        var hasher = Hasher()
        unsafe hasher.combine(bytes: UnsafeRawBufferPointer(rebasing: header.suffix(32)))
        return hasher.finalize()
    }
}
