import Platform

/// The setting `store` of Nix's configuration: which store Nix works on where its command line does not say.
enum StoreSetting {
    /// The first that has it of NIX_CONFIG, the user's files, and the machine's, as Nix reads them
    /// (nix/src/libstore/globals.cc, `loadConfFile`); nil where none has: then NIX_REMOTE says it.
    static func inNixConf(_ environment: [String: String], _ directories: UserDirectories) -> String? {
        if let text = environment["NIX_CONFIG"], let value = ConfigText(Array(text.utf8)).value(of: "store") { return value }
        let users = environment["NIX_USER_CONF_FILES"].map { $0.split(separator: ":").map(String.init) }
            ?? ["\(directories.configuration)/nix/nix.conf"]
        let machine = "\(environment["NIX_CONF_DIR"] ?? "/etc/nix")/nix.conf"
        for path in users + [machine] {
            guard let bytes = try? File.readAll(path, byteCountMax: 1 << 20) else { continue }
            if let value = ConfigText(bytes).value(of: "store", includedFrom: File.parent(of: path)) { return value }
        }
        return nil
    }
}
