import Crypto
import Encoding

/// What a binary cache says about one store path (nix/src/libstore/nar-info.cc).
///
/// Whoever makes one has text from strangers in hand, and a line break within a field would add lines of its own: the
/// initializer refuses such fields, so whatever is rendered reads back as it was.
package struct NarInfo: Sendable, Hashable {
    package let storeDirectory: String
    package let storePath: StorePath
    /// Relative to the cache's root, or absolute.
    package let url: String
    /// `none`, `zstd`, `xz`, `bzip2`, `br`, …; the word in the file.
    package let compression: String
    /// Of the bytes behind the URL.
    package let fileHash: SHA256Digest?
    package let fileSize: Int64?
    package let narHash: SHA256Digest
    package let narSize: Int64
    /// Base names, in the order they are written in.
    package let references: [String]
    /// Base name of the derivation.
    package let deriver: String?
    /// `name:base64` each.
    package let signatures: [String]
    /// The content address of a path that has one: `fixed:r:sha256:…`.
    package let ca: String?

    /// - Throws: with the field that cannot stand in a narinfo.
    package init(
        storeDirectory: String = StorePath.defaultStoreDirectory, storePath: StorePath, url: String, compression: String,
        fileHash: SHA256Digest? = nil, fileSize: Int64? = nil, narHash: SHA256Digest, narSize: Int64,
        references: [String] = [], deriver: String? = nil, signatures: [String] = [], ca: String? = nil
    ) throws(NixFormatError) {
        try Self.checkWord(storeDirectory, "StoreDir")
        try Self.checkWord(url, "URL")
        try Self.checkWord(compression, "Compression")
        for reference in references { _ = try StorePath(baseName: reference) }
        if let deriver { _ = try StorePath(baseName: deriver) }
        for signature in signatures where !Self.isSignature(signature) {
            throw NixFormatError("narinfo", "the signature \(quoted(signature)) is not name:base64")
        }
        if let ca { try Self.checkWord(ca, "CA") }
        if narSize <= 0 { throw NixFormatError("narinfo", "NarSize \(narSize) is not above zero") }
        if let fileSize, fileSize < 0 { throw NixFormatError("narinfo", "FileSize \(fileSize) is below zero") }
        self.storeDirectory = storeDirectory
        self.storePath = storePath
        self.url = url
        self.compression = compression
        self.fileHash = fileHash
        self.fileSize = fileSize
        self.narHash = narHash
        self.narSize = narSize
        self.references = references
        self.deriver = deriver
        self.signatures = signatures
        self.ca = ca
    }

    /// Whether a signature may stand in a narinfo: a name, a colon, and something, without white space. Nix from 2.35
    /// refuses a whole narinfo for one that has no such form.
    package static func isSignature(_ text: String) -> Bool {
        guard let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")), colon != text.startIndex else { return false }
        let rest = text.utf8[text.utf8.index(after: colon)...]
        return !rest.isEmpty && !text.utf8.contains { $0 <= 0x20 || $0 == 0x7f }
    }

    private static func checkWord(_ text: String, _ field: String) throws(NixFormatError) {
        if text.isEmpty { throw NixFormatError("narinfo", "\(field) is empty") }
        for byte in text.utf8 where byte <= 0x20 || byte == 0x7f {
            throw NixFormatError("narinfo", "\(field) \(quoted(text)) holds white space or a control character")
        }
    }

    // MARK: - What is signed, what is sent

    /// What a signature signs: `1;PATH;sha256:BASE32;SIZE;REFERENCES`, references as full paths, sorted, with commas
    /// between (nix/src/libstore/path-info.cc, `ValidPathInfo::fingerprint`).
    package func fingerprint() -> [UInt8] {
        Self.fingerprint(
            storeDirectory: storeDirectory, storePath: storePath, narHash: narHash, narSize: narSize, references: references)
    }

    /// The same before there is a narinfo. `references` are base names in any order, each once or more.
    package static func fingerprint(
        storeDirectory: String, storePath: StorePath, narHash: SHA256Digest, narSize: Int64, references: [String]
    ) -> [UInt8] {
        var bytes = Array("1;\(storeDirectory)/\(storePath.baseName);\(NixHash(narHash).typedBase32);\(narSize);".utf8)
        let prefix = Array("\(storeDirectory)/".utf8)
        var previous: [UInt8]?
        for reference in references.map({ Array($0.utf8) }).sorted(by: { $0.lexicographicallyPrecedes($1) }) {
            // Nix keeps references as a set.
            if reference == previous { continue }
            if previous != nil { bytes.append(UInt8(ascii: ",")) }
            bytes += prefix
            bytes += reference
            previous = reference
        }
        return bytes
    }

    /// The file, its fields in Nix's order (`NarInfo::to_string`); References also when there are none.
    package func rendered() -> [UInt8] {
        var text = """
            StorePath: \(storeDirectory)/\(storePath.baseName)
            URL: \(url)
            Compression: \(compression)

            """
        if let fileHash { text += "FileHash: \(NixHash(fileHash).typedBase32)\n" }
        if let fileSize { text += "FileSize: \(fileSize)\n" }
        text += "NarHash: \(NixHash(narHash).typedBase32)\nNarSize: \(narSize)\nReferences: "
        text += references.joined(separator: " ")
        text += "\n"
        if let deriver { text += "Deriver: \(deriver)\n" }
        for signature in signatures { text += "Sig: \(signature)\n" }
        if let ca { text += "CA: \(ca)\n" }
        return Array(text.utf8)
    }
}
