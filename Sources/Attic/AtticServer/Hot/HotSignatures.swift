import Crypto
import Nix
import Platform

/// Signatures that were made before. One costs fifty times what finding it again does, and answers that hold many of them would
/// make each anew. Thread: any.
///
/// An Ed25519 signature follows from key and message alone (RFC 8032, section 5.1.6), so nothing here grows stale.
package final class HotSignatures: Sendable {
    /// Signatures kept at most, some 200 bytes each; a full table begins anew.
    private let countMax: Int

    private let signatures = Monitor<[SHA256Digest: String]>([:])

    /// - Parameter countMax: 40,000 take 8 MB and are a few systems.
    package init(countMax: Int = 40_000) { self.countMax = countMax }

    /// `name:base64` of that key for a narinfo's fingerprint.
    func signature(of fingerprint: [UInt8], by key: SigningKey) -> String {
        let place = HotSignatures.place(fingerprint, key)
        if let known = signatures.withLock({ $0[place] }) { return known }
        let signature = key.sign(fingerprint)
        signatures.withLock { signatures in
            if signatures.count >= countMax { signatures = [:] }
            signatures[place] = signature
        }
        return signature
    }

    /// What was signed by whom. A key's name holds no line break, and its public half has no other length.
    private static func place(_ fingerprint: [UInt8], _ key: SigningKey) -> SHA256Digest {
        var hash = SHA256()
        hash.update(Array("\(key.publicKey.rendered)\n".utf8))
        hash.update(fingerprint)
        return hash.finish()
    }
}
