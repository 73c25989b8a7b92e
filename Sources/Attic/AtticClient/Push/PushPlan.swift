import Nix
import NixStore

/// What a push has to send, and why it does not send the rest.
package struct PushPlan: Hashable, Sendable {
    /// What is to be sent, dependencies first.
    package let paths: [PathInfo]
    /// What the cache has already.
    package let cached: Set<StorePath>
    package var cachedCount: Int { cached.count }
    /// How many a cache that everyone is taken to have, has signed.
    package let upstreamCount: Int

    /// Takes out what an upstream cache has signed. It goes by the names of the keys, as the cache's configuration does:
    /// the signatures are those that the local store kept, and were checked when the paths came in.
    ///
    /// - Returns: those that remain, in their order.
    package static func withoutUpstream(_ closure: [PathInfo], keyNames: [String]) -> [PathInfo] {
        if keyNames.isEmpty { return closure }
        let names = Set(keyNames)
        return closure.filter { info in
            !info.signatures.contains { signature in
                guard let colon = signature.utf8.firstIndex(of: UInt8(ascii: ":")) else { return false }
                return names.contains(String(signature[..<colon]))
            }
        }
    }

    /// - Parameters:
    ///   - closureCount: how many paths there were at first.
    ///   - candidates: those that no upstream cache has, dependencies first.
    ///   - missing: what the cache does not have.
    package init(closureCount: Int, candidates: [PathInfo], missing: Set<StorePathHash>) {
        paths = candidates.filter { missing.contains($0.path.hash) }
        cached = Set(candidates.lazy.map(\.path).filter { !missing.contains($0.hash) })
        upstreamCount = closureCount - candidates.count
    }
}
