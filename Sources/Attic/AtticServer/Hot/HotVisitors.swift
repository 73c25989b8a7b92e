import AtticAPI
import HTTP
import Platform

/// Visitors by their Authorization header: a token is verified once and then known, until it expires. Thread: any.
package final class HotVisitors: Sendable {
    final class Known: Sendable {
        let header: [UInt8]
        let visitor: Visitor
        private let permissions = Monitor<[CacheName: Permissions]>([:])

        init(header: [UInt8], visitor: Visitor) {
            self.header = header
            self.visitor = visitor
        }

        /// What the token says of a cache; its patterns are tried once a cache.
        func permissions(on cache: CacheName) -> Permissions {
            permissions.withLock { known in
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

    private let known = Monitor<[Int: Known]>([:])
    /// What was verified before it changed is not kept after.
    private let revocations = RevocationList()
    /// Is called when other tokens are revoked than before.
    private let onRevocation = Monitor<@Sendable () -> Void>({})
    private let access: Access

    package init(_ access: Access) { self.access = access }

    /// The visitor behind a request, verified now or before.
    func visitor(of head: RequestHead, nowSeconds: Int64) -> Visitor {
        if let found = find(head, nowSeconds) { return found.visitor }
        let generation = revocations.generation
        let stranger = access.visitor(of: head, nowSeconds: nowSeconds)
        // Only good tokens are kept: the others cost their bearer a verification each time.
        guard let token = stranger.token else { return stranger }
        if revocations.refuses(token) { return Visitor(token: nil, refusal: Visitor.revoked) }
        let visitor = Visitor(
            token: token, refusal: stranger.refusal, standing: TokenStanding(token, revocations, goodAt: generation))
        if let header = unsafe head.withHeader("Authorization", { unsafe [UInt8]($0) }) {
            let key = unsafe header.span.withUnsafeBytes { unsafe HotVisitors.key($0) }
            known.withLock { known in
                guard revocations.generation == generation else { return }
                if known.count >= HotVisitors.tokensMax { known = [:] }
                known[key] = Known(header: header, visitor: visitor)
            }
        }
        return visitor
    }

    /// Calls `action` when other tokens are revoked than before.
    func tellOfRevocations(_ action: @escaping @Sendable () -> Void) { onRevocation.withLock { $0 = action } }

    /// Takes the revocations that hold from now on, and verifies everyone anew where they are others than before.
    func take(_ revocations: Revocations) {
        guard self.revocations.take(revocations) else { return }
        known.withLock { $0 = [:] }
        onRevocation.withLock({ $0 })()
    }

    /// Who brings the request's token, where that is known; nil where it must be verified first.
    func find(_ head: RequestHead, _ nowSeconds: Int64) -> Known? {
        let found: Known?? = unsafe head.withHeader("Authorization") { value in
            let key = unsafe HotVisitors.key(value)
            guard let candidate = known.withLock({ $0[key] }) else { return nil }
            return unsafe candidate.header.withUnsafeBytes { unsafe Bytes.equal($0, value) } ? candidate : nil
        }
        guard let known = found ?? nil else { return nil }
        if let expiry = known.visitor.token?.expirySeconds, nowSeconds >= expiry { return nil }
        return known
    }

    /// A token ends with its signature, and no two verified ones end alike: that much of it tells them apart.
    private static func key(_ header: UnsafeRawBufferPointer) -> Int {
        var hasher = Hasher()
        unsafe hasher.combine(bytes: UnsafeRawBufferPointer(rebasing: header.suffix(32)))
        return hasher.finalize()
    }
}
