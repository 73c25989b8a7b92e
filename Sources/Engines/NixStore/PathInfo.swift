import Crypto
import Nix

/// What Nix knows of a valid store path.
package struct PathInfo: Sendable, Hashable {
    package let path: StorePath
    package let narHash: SHA256Digest
    package let narSize: Int64
    /// Sorted; the path itself where it refers to itself.
    package let references: [StorePath]
    package let deriver: StorePath?
    /// `name:base64` each.
    package let signatures: [String]
    package let ca: String?

    package init(
        path: StorePath, narHash: SHA256Digest, narSize: Int64, references: [StorePath], deriver: StorePath?,
        signatures: [String], ca: String?
    ) {
        self.path = path
        self.narHash = narHash
        self.narSize = narSize
        self.references = references
        self.deriver = deriver
        self.signatures = signatures
        self.ca = ca
    }
}
