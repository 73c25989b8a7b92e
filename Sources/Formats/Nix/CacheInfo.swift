/// What `nix-cache-info` says about a cache (nix/src/libstore/binary-cache-store.cc).
package struct CacheInfo: Hashable, Sendable {
    package var storeDirectory: String
    /// Whether clients may ask for many paths at once without being told to.
    package var wantMassQuery: Bool
    /// Lower is asked first. cache.nixos.org has 40; Nix takes 50 where nothing is said.
    package var priority: Int

    package static let priorityUnlessSaid = 50

    package init(storeDirectory: String, wantMassQuery: Bool, priority: Int) {
        self.storeDirectory = storeDirectory
        self.wantMassQuery = wantMassQuery
        self.priority = priority
    }

    /// The file: a line each, WantMassQuery, StoreDir, Priority.
    package func rendered() -> [UInt8] {
        Array("WantMassQuery: \(wantMassQuery ? 1 : 0)\nStoreDir: \(storeDirectory)\nPriority: \(priority)\n".utf8)
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
