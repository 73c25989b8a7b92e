import Encoding

/// What `nix-cache-info` says about a cache (nix/src/libstore/binary-cache-store.cc).
package struct CacheInfo: Hashable, Sendable {
    package var storeDirectory: String
    /// Whether clients may ask for many paths at once without being told to.
    package var wantMassQuery: Bool
    /// Lower is asked first. cache.nixos.org has 40; Nix takes 50 where nothing is said.
    package var priority: Int

    /// Where many narinfos are had in one request, as a reference against the cache's root (RFC 3986, section 4.2); nil: nowhere.
    /// Determinate Nix knows it (doc/manual/source/protocols/nix-cache-info.md), other clients pass over the line.
    package var narInfosReference: String?

    package static let priorityUnlessSaid = 50

    package init(storeDirectory: String, wantMassQuery: Bool, priority: Int, narInfosReference: String? = nil) {
        self.storeDirectory = storeDirectory
        self.wantMassQuery = wantMassQuery
        self.priority = priority
        self.narInfosReference = narInfosReference
    }

    /// The file: a line each, WantMassQuery, StoreDir, Priority, and GetNarInfosV1 where there is that.
    package func rendered() -> [UInt8] {
        var text = "WantMassQuery: \(wantMassQuery ? 1 : 0)\nStoreDir: \(storeDirectory)\nPriority: \(priority)\n"
        if let narInfosReference { text += "GetNarInfosV1: \(narInfosReference)\n" }
        return Array(text.utf8)
    }

    /// Reads the file as Nix does: lines in any order, unknown ones passed over, what is absent as Nix takes it.
    ///
    /// - Throws: where a number is none, or the text is not UTF-8.
    package static func parse(_ bytes: [UInt8]) throws(NixFormatError) -> CacheInfo {
        var info = CacheInfo(
            storeDirectory: StorePath.defaultStoreDirectory, wantMassQuery: false, priority: priorityUnlessSaid)
        for line in try ManifestText.lines(of: bytes, kind: "nix-cache-info", isStrict: false) {
            switch line.name {
            case "StoreDir": info.storeDirectory = line.value
            case "WantMassQuery": info.wantMassQuery = line.value == "1"
            case "GetNarInfosV1": info.narInfosReference = line.value
            case "Priority":
                guard let priority = Int(line.value) else {
                    throw NixFormatError("nix-cache-info", "Priority \(quoted(line.value)) is not a whole number")
                }
                info.priority = priority
            default: continue
            }
        }
        return info
    }
}
