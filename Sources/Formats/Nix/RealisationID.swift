import Crypto
import Encoding

/// Which output of which derivation a realisation is about: Nix's `DrvOutput` (nix/src/libstore/realisation.cc).
///
/// Nix has named it in two ways, and a name of one kind does not tell that of the other.
package enum RealisationID: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// By the derivation's hash modulo fixed outputs: Nix to 2.34, and Lix.
    case hash(SHA256Digest, output: String)
    /// By the derivation's path: Nix from 2.35 on.
    case derivation(StorePath, output: String)

    /// Where a binary cache keeps the two kinds, below its root.
    package static let hashFolder = "realisations"
    package static let derivationFolder = "build-trace-v2"
    /// What a file of either kind ends in.
    package static let fileSuffix = ".doi"

    /// Reads `sha256:HEX!OUTPUT`, as Nix writes it: with base 16 in lower case.
    package init(parsing text: String) throws(NixFormatError) {
        let bytes = text.utf8
        guard let mark = bytes.firstIndex(of: UInt8(ascii: "!")) else { throw Self.fail(text) }
        let (hash, output) = (String(text[..<mark]), String(text[bytes.index(after: mark)...]))
        // One spelling for each, so that nothing is kept twice.
        guard let digest = try? NixHash(parsing: hash), digest.typedHex == hash, StorePath.isName(output) else {
            throw Self.fail(text)
        }
        self = .hash(digest.digest, output: output)
    }

    /// The id behind the file that a binary cache keeps a realisation in, by its path below the cache's root:
    /// `realisations/sha256:HEX!OUTPUT.doi` or `build-trace-v2/HASH-NAME.drv/OUTPUT.doi`.
    package init(file segments: [String]) throws(NixFormatError) {
        guard let last = segments.last, last.utf8.count > Self.fileSuffix.utf8.count, last.hasSuffix(Self.fileSuffix) else {
            throw Self.fail(segments.joined(separator: "/"))
        }
        let stem = String(last.dropLast(Self.fileSuffix.count))
        switch (segments.count, segments[0]) {
        case (2, Self.hashFolder): try self.init(parsing: stem)
        case (3, Self.derivationFolder):
            let path = try StorePath(baseName: segments[1])
            guard path.isDerivation, StorePath.isName(stem) else { throw Self.fail(segments.joined(separator: "/")) }
            self = .derivation(path, output: stem)
        default: throw Self.fail(segments.joined(separator: "/"))
        }
    }

    /// The file's path below the root of a binary cache. In a URL the question marks that a name may have are escaped.
    package var filePath: String {
        switch self {
        case .hash: "\(Self.hashFolder)/\(self)\(Self.fileSuffix)"
        case .derivation(let path, let output): "\(Self.derivationFolder)/\(path)/\(output)\(Self.fileSuffix)"
        }
    }

    /// As Nix writes it: `sha256:HEX!OUTPUT` or `HASH-NAME.drv^OUTPUT`.
    package var description: String {
        switch self {
        case .hash(let digest, let output): "\(NixHash(digest).typedHex)!\(output)"
        case .derivation(let path, let output): "\(path)^\(output)"
        }
    }

    /// By the bytes of their text.
    package static func < (left: Self, right: Self) -> Bool {
        left.description.utf8.lexicographicallyPrecedes(right.description.utf8)
    }

    private static func fail(_ text: String) -> NixFormatError {
        NixFormatError(
            "realisation", "\(quoted(text)) is neither sha256:<64 hex digits>!<output> nor a derivation and the name of an output")
    }
}
