import Crypto
import Encoding

/// A SHA-256 digest in the ways Nix writes it (nix/src/libutil/hash.cc). Other algorithms do not occur in a binary cache.
package struct NixHash: Hashable, Sendable {
    package let digest: SHA256Digest

    package init(_ digest: SHA256Digest) { self.digest = digest }

    /// Reads `sha256:` with 64 characters of base 16, 52 of Nix's base 32 or 44 of base 64, or `sha256-` with
    /// base 64 (SRI).
    ///
    /// - Throws: with the forms that are allowed.
    package init(parsing text: String) throws(NixFormatError) {
        let bytes = Array(text.utf8)
        let prefix = Array("sha256".utf8)
        guard bytes.count > prefix.count, bytes.starts(with: prefix) else { throw Self.fail(text) }
        let separator = bytes[prefix.count]
        let digits = String(decoding: bytes[(prefix.count + 1)...], as: UTF8.self)
        let decoded: [UInt8]? = switch (separator, digits.utf8.count) {
        case (UInt8(ascii: ":"), 64): Hex.decode(digits)
        case (UInt8(ascii: ":"), 52): NixBase32.decode(digits)
        case (UInt8(ascii: ":"), 44), (UInt8(ascii: "-"), 44): Base64.decode(digits)
        default: nil
        }
        guard let decoded, let digest = SHA256Digest(decoded) else { throw Self.fail(text) }
        self.digest = digest
    }

    /// `sha256:` and 52 characters of Nix's base 32, as in a narinfo and in a fingerprint.
    package var typedBase32: String { "sha256:\(digest.base32)" }
    /// `sha256:` and 64 characters of base 16, as in JSON and in Nix's database.
    package var typedHex: String { "sha256:\(digest.hex)" }
    /// `sha256-` and base 64.
    package var sri: String { "sha256-\(Base64.encode(digest.bytes))" }

    private static func fail(_ text: String) -> NixFormatError {
        NixFormatError("hash", "\(quoted(text)) is neither sha256:<hex or base-32> nor sha256-<base64>")
    }
}
