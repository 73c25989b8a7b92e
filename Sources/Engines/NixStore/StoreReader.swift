import Nix

/// What can be asked of a Nix store: who answers is its database or its daemon.
///
/// May be called from any thread; calls wait for one another.
package protocol StoreReader: AnyObject, Sendable {
    /// `/nix/store`, where nothing else is configured.
    var storeDirectory: String { get }
    /// Where the paths are in the file system: the same directory, but for a chroot store.
    var physicalStoreDirectory: String { get }
    /// Where logs are; those of builds below it (`BuildLogFile`).
    var logDirectory: String { get }

    /// What is known of these paths, in their order, each once for each time it is named.
    ///
    /// - Throws: `.notValid` with all that the store does not have.
    func pathInfos(of paths: [StorePath]) throws(NixStoreError) -> [PathInfo]

    /// The paths and all that they need, each once, dependencies first. The same question gets the same order.
    ///
    /// - Throws: `.notValid` with the paths that the store does not have.
    func closure(of paths: [StorePath]) throws(NixStoreError) -> [PathInfo]

    /// Those of `paths` that are valid, in their order.
    func validPaths(among paths: [StorePath]) throws(NixStoreError) -> [StorePath]

    /// The realisations that are known to have these content-addressed paths for output, and those that they depend on. None where
    /// the store keeps none; nor by a daemon, whose protocol can only ask for one whose id is known.
    func realisations(of paths: [StorePath]) throws(NixStoreError) -> [Realisation]
}

extension StoreReader {
    package func realisations(of paths: [StorePath]) throws(NixStoreError) -> [Realisation] { [] }

    /// Where a path of this store is in the file system.
    package func location(of path: StorePath) -> String { path.absolute(in: physicalStoreDirectory) }
}

/// Path infos in an order in which every path comes after those that it refers to.
enum ClosureOrder {
    /// - Parameters:
    ///   - roots: where to begin, in this order.
    ///   - infos: everything that can be reached from there.
    /// - Returns: all that is reached. A cycle, which Nix never makes, is cut where it closes.
    static func dependenciesFirst(from roots: [StorePath], _ infos: [StorePath: PathInfo]) -> [PathInfo] {
        var ordered: [PathInfo] = []
        ordered.reserveCapacity(infos.count)
        var seen: Set<StorePath> = []
        // A chain of dependencies may be long: a stack of our own, not the thread's.
        var stack: [(info: PathInfo, next: Int)] = []
        for root in roots {
            guard let info = infos[root], seen.insert(root).inserted else { continue }
            stack.append((info, 0))
            while let top = stack.last {
                guard top.next < top.info.references.count else {
                    ordered.append(top.info)
                    stack.removeLast()
                    continue
                }
                stack[stack.count - 1].next += 1
                let reference = top.info.references[top.next]
                if let info = infos[reference], seen.insert(reference).inserted { stack.append((info, 0)) }
            }
        }
        return ordered
    }
}
