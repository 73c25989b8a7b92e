import Nix
import Platform

/// A store whose daemon is asked.
///
/// Thread: any; one connection, on which calls wait for one another. A connection that was idle and turns out to be
/// broken (the daemon was restarted) is made again once.
package final class NixDaemon: StoreReader {
    package let storeDirectory: String
    package let physicalStoreDirectory: String
    package let logDirectory: String
    private let socket: String

    private struct State {
        var connection: DaemonConnection?
    }
    private let state: Monitor<State>

    /// Connects to the daemon at `socket`.
    ///
    /// - Throws: `.system` where nobody listens there, `.daemonTooOld`, `.daemon` where it does not want us.
    package init(
        socket: String, storeDirectory: String = StorePath.defaultStoreDirectory, physicalStoreDirectory: String? = nil,
        logDirectory: String = LocalStore.defaultLogDirectory
    ) throws(NixStoreError) {
        self.socket = socket
        self.storeDirectory = storeDirectory
        self.physicalStoreDirectory = physicalStoreDirectory ?? storeDirectory
        self.logDirectory = logDirectory
        state = Monitor(State(connection: try DaemonConnection(socket: socket, storeDirectory: storeDirectory)))
    }

    /// The minor number of the protocol that was agreed on.
    package var protocolMinor: Int { state.withLock { $0.connection?.minor ?? 0 } }

    package func pathInfos(of paths: [StorePath]) throws(NixStoreError) -> [PathInfo] {
        let infos = try asking { connection throws(NixStoreError) in try connection.pathInfos(of: paths) }
        try checkValid(paths, infos)
        return infos.compactMap { $0 }
    }

    /// Level by level: what a level's paths refer to is the next. The protocol has no question for a closure.
    package func closure(of paths: [StorePath]) throws(NixStoreError) -> [PathInfo] {
        let infos = try asking { connection throws(NixStoreError) in
            var infos: [StorePath: PathInfo] = [:]
            var seen = Set(paths)
            var level = Array(seen).sorted()
            while !level.isEmpty {
                let found = try connection.pathInfos(of: level)
                try self.checkValid(level, found)
                var next: [StorePath] = []
                for info in found.compactMap({ $0 }) {
                    infos[info.path] = info
                    for reference in info.references where seen.insert(reference).inserted { next.append(reference) }
                }
                level = next
            }
            return infos
        }
        return ClosureOrder.dependenciesFirst(from: paths, infos)
    }

    package func validPaths(among paths: [StorePath]) throws(NixStoreError) -> [StorePath] {
        let valid = Set(try asking { connection throws(NixStoreError) in try connection.validPaths(among: paths) })
        return paths.filter { valid.contains($0) }
    }

    /// Runs `body` with the connection, which is dropped where that fails: answers to what was asked may still come.
    private func asking<Result: Sendable>(
        _ body: (DaemonConnection) throws(NixStoreError) -> Result
    ) throws(NixStoreError) -> Result {
        try state.withLock { state throws(NixStoreError) in
            if let kept = state.connection {
                do throws(NixStoreError) {
                    return try body(kept)
                } catch {
                    if case .notValid = error { throw error }
                    state.connection = nil
                    guard case .system = error else { throw error }
                }
            }
            let connection = try DaemonConnection(socket: socket, storeDirectory: storeDirectory)
            let result = try body(connection)
            state.connection = connection
            return result
        }
    }

    private func checkValid(_ paths: [StorePath], _ infos: [PathInfo?]) throws(NixStoreError) {
        let absent = zip(paths, infos).compactMap { path, info in info == nil ? path : nil }
        if !absent.isEmpty { throw .notValid(absent) }
    }
}
