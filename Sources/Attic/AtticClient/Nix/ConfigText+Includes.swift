import Platform

extension ConfigText {
    /// The value of a setting in this text or, where it is not there, in a file that the text includes.
    ///
    /// - Parameter directory: what a relative name of an included file starts from. A file that cannot be read is passed over.
    package func value(of name: String, includedFrom directory: String) -> String? {
        value(of: name) ?? included(name, in: directory, depth: 0)
    }

    private func included(_ name: String, in directory: String, depth: Int) -> String? {
        // Nix has no such bound; a file that includes itself would never end.
        if depth == 8 { return nil }
        var found: String?
        for file in includes {
            let path = file.hasPrefix("/") ? file : "\(directory)/\(file)"
            guard let bytes = try? File.readAll(path, byteCountMax: 1 << 20) else { continue }
            let inner = ConfigText(bytes)
            found = inner.value(of: name) ?? inner.included(name, in: File.parent(of: path), depth: depth + 1) ?? found
        }
        return found
    }
}
