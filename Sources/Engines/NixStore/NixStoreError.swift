import Nix
import Platform
import SQL

/// Why the Nix store did not answer.
package enum NixStoreError: Error, Sendable, CustomStringConvertible {
    /// No valid paths of this store. Never empty.
    case notValid([StorePath])
    /// A path that a user named is not in the store.
    case notInStore(path: String, storeDirectory: String)
    /// A path that a user named is not there at all, or is a link to what is not there.
    case notThere(path: String)
    /// A name in the store's directory that a user gave, and that no store path can have.
    case noStorePath(path: String, reason: String)
    /// Something is no store path, hash or size where Nix should have one.
    case malformed(path: String, reason: String)
    /// Nix's database cannot be opened or read.
    case database(SQLError)
    /// The daemon refused, in its own words.
    case daemon(message: String)
    /// The daemon's version of the protocol.
    case daemonTooOld(minor: Int)
    /// What came from the daemon's socket is not its protocol.
    case daemonProtocol(reason: String)
    case system(SystemError)
    /// There is no store that could be opened, and what to do.
    case noStore(reason: String)

    package var description: String {
        switch self {
        case .notValid(let paths):
            let others = paths.count > 1 ? " (and \(paths.count - 1) more)" : ""
            let first = paths.first?.baseName ?? ""
            return "the store has no valid path \(first)\(others): build or fetch it first"
        case .notInStore(let path, let storeDirectory):
            return "\"\(path)\" is not in the Nix store \(storeDirectory): name a store path, or a link to one such as result"
        case .notThere(let path): return "\"\(path)\" does not exist, or is a link to what does not"
        case .noStorePath(let path, let reason):
            let output = path.utf8.contains { $0 == UInt8(ascii: "!") || $0 == UInt8(ascii: "^") }
                ? "; an output is named by its path, as nix-store -q --outputs prints it" : ""
            return "\"\(path)\" is no store path: \(reason)\(output)"
        case .malformed(let path, let reason): return "Nix's record of \(path) cannot be used: \(reason)"
        case .database(let error): return "cannot read Nix's database: \(error)"
        case .daemon(let message): return "the Nix daemon says: \(message)"
        case .daemonTooOld(let minor):
            return "the Nix daemon speaks protocol 1.\(minor); at least 1.\(DaemonConnection.oldestMinor) is needed: "
                + "update Nix to 2.3 or later"
        case .daemonProtocol(let reason): return "the Nix daemon's answer makes no sense: \(reason)"
        case .system(let error): return "\(error)"
        case .noStore(let reason): return reason
        }
    }
}
