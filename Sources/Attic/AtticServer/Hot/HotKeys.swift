import Nix
import Platform

/// Signing keys that were read from their text before: reading one derives its public half, which costs as much as a
/// signature. Thread: any.
package final class HotKeys: Sendable {
    /// Keys kept at most; a full table begins anew.
    private static let keysMax = 256

    private let keys = Monitor<[String: SigningKey]>([:])

    package init() {}

    /// The key of that text, `name:base64`. A cache that gets another key has another text: nothing here grows stale.
    ///
    /// - Throws: as `SigningKey` does.
    func key(_ text: String) throws(NixFormatError) -> SigningKey {
        if let known = keys.withLock({ $0[text] }) { return known }
        let key = try SigningKey(parsing: text)
        keys.withLock { keys in
            if keys.count >= HotKeys.keysMax { keys = [:] }
            keys[text] = key
        }
        return key
    }
}
