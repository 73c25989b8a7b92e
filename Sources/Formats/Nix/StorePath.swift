import Encoding

/// A path in a Nix store by its base name, `HASH-NAME`; the store's directory is kept elsewhere.
///
/// Checked as `StorePath::StorePath` and `checkName` do (nix/src/libstore/path.cc), so that its text may stand in a
/// file name, a narinfo or SQL without further care.
package struct StorePath: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// Characters of NAME that a store path may have; with hash and dash, and Nix's own suffixes, it fits a file name.
    package static let nameCharacterCountMax = 211
    /// Where stores are unless said otherwise.
    package static let defaultStoreDirectory = "/nix/store"

    /// `HASH-NAME`
    package let baseName: String
    package let hash: StorePathHash

    /// NAME
    package var name: String { String(decoding: baseName.utf8.dropFirst(StorePathHash.characterCount + 1), as: UTF8.self) }

    package var description: String { baseName }

    /// Checks `HASH-NAME`.
    ///
    /// - Throws: with what is wrong about it.
    package init(baseName: String) throws(NixFormatError) {
        let bytes = Array(baseName.utf8)
        let hashCount = StorePathHash.characterCount
        func fail(_ reason: String) -> NixFormatError { NixFormatError("store path", "\(quoted(baseName)) \(reason)") }
        if bytes.count < hashCount + 1 { throw fail("is too short: it has to be HASH-NAME, HASH of 32 characters") }
        guard let hash = StorePathHash(utf8: Array(bytes[..<hashCount])) else {
            throw fail("does not begin with 32 characters of Nix's base 32 (no e, o, t or u)")
        }
        if bytes[hashCount] != UInt8(ascii: "-") { throw fail("has no dash after its hash") }
        if let reason = Self.flaw(inName: Array(bytes[(hashCount + 1)...])) { throw fail(reason) }
        self.hash = hash
        self.baseName = baseName
    }

    /// Checks `/nix/store/HASH-NAME`: directly in the store, nothing below it.
    package init(
        absolute path: String, storeDirectory: String = StorePath.defaultStoreDirectory
    ) throws(NixFormatError) {
        let prefix = "\(storeDirectory)/"
        guard path.utf8.starts(with: prefix.utf8) else {
            throw NixFormatError("store path", "\(quoted(path)) is not in the store \(storeDirectory)")
        }
        try self.init(baseName: String(decoding: path.utf8.dropFirst(prefix.utf8.count), as: UTF8.self))
    }

    /// The path with its store's directory: `/nix/store/HASH-NAME`.
    package func absolute(in storeDirectory: String = StorePath.defaultStoreDirectory) -> String {
        "\(storeDirectory)/\(baseName)"
    }

    /// Whether it is a derivation, by its name.
    package var isDerivation: Bool { baseName.utf8.suffix(4).elementsEqual(".drv".utf8) }

    // Of two paths with the same text, the hash was read from the same characters.
    package static func == (left: Self, right: Self) -> Bool { left.hash == right.hash && left.baseName == right.baseName }
    package func hash(into hasher: inout Hasher) { hasher.combine(hash) }

    /// By the bytes of the base name, as Nix sorts references.
    package static func < (left: Self, right: Self) -> Bool {
        left.hash == right.hash ? left.baseName.utf8.lexicographicallyPrecedes(right.baseName.utf8) : left.hash < right.hash
    }

    /// Whether Nix takes `text` for the NAME of a store path. Names of a derivation's outputs have the same form
    /// (nix/src/libstore/derived-path.cc, `OutputName`).
    package static func isName(_ text: some StringProtocol) -> Bool { flaw(inName: Array(text.utf8)) == nil }

    /// What Nix has against a name, or nil.
    private static func flaw(inName name: [UInt8]) -> String? {
        if name.isEmpty { return "has no name after its hash" }
        if name.count > nameCharacterCountMax { return "has a name of more than \(nameCharacterCountMax) characters" }
        let first = name.prefix { $0 != UInt8(ascii: "-") }
        if first.elementsEqual(".".utf8) || first.elementsEqual("..".utf8) {
            return "has a name whose first part is \"\(String(decoding: first, as: UTF8.self))\""
        }
        for character in name where !isNameCharacter(character) {
            return "has a character in its name that is none of A-Z a-z 0-9 + - . _ ? ="
        }
        return nil
    }

    private static func isNameCharacter(_ character: UInt8) -> Bool {
        switch character {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "?"), UInt8(ascii: "="):
            true
        default:
            false
        }
    }
}
