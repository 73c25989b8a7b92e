import Nix
import Platform

/// What building a derivation printed, as a local store keeps it (nix/src/libstore/local-fs-store.cc, `getBuildLogExact`).
package struct BuildLogFile: Hashable, Sendable {
    package let path: String
    /// Nix compresses logs by bzip2, unless its setting `compress-build-log` is off.
    package let isBzip2: Bool

    package init(path: String, isBzip2: Bool) {
        self.path = path
        self.isBzip2 = isBzip2
    }

    /// Finds the log of a derivation; nil where there is none.
    ///
    /// - Parameter logDirectory: the store's; logs of builds are in `drvs` below it, in folders by the first two characters of
    ///   the derivation's base name, those of old versions beside one another.
    package init?(of derivation: StorePath, in logDirectory: String) {
        let name = derivation.baseName.utf8
        let folders = "\(String(decoding: name.prefix(2), as: UTF8.self))/\(String(decoding: name.dropFirst(2), as: UTF8.self))"
        for place in [folders, derivation.baseName] {
            let path = "\(logDirectory)/drvs/\(place)"
            for (file, isBzip2) in [(path, false), ("\(path).bz2", true)] where File.exists(file) {
                self.init(path: file, isBzip2: isBzip2)
                return
            }
        }
        return nil
    }
}
