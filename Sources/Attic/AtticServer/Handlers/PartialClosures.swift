import Database
import Nix

/// What each of several store paths needs by way of its references, for a client that would otherwise find it out step by step, a
/// request a step.
///
/// A hint says nothing twice: not what was asked for, not what the references of the same answer say, not what an earlier hint
/// of it said. A client takes what is named here for granted, so only what the cache has is.
struct PartialClosures {
    private let objects: [StorePathHash: ObjectRecord]
    private let prefix: String
    /// What the client knows of when it has read so far, and all references.
    private var known: Set<StorePathHash>
    /// Whose references were followed: all that is behind them is known.
    private var walked: Set<StorePathHash> = []

    /// - Parameters:
    ///   - objects: those that were asked for, and all that they need, as far as the cache has it.
    ///   - asked: what the client asked for.
    init(_ objects: [ObjectRecord], asked: [StorePathHash], storeDirectory: String) {
        self.objects = Dictionary(objects.map { ($0.storePathHash, $0) }) { first, _ in first }
        known = Set(asked)
        for hash in asked { known.formUnion(Self.references(of: self.objects[hash])) }
        prefix = "\(storeDirectory)/"
    }

    /// Base names of what the path needs by way of its references, as far as nobody has said so before.
    mutating func take(of path: StorePathHash) -> [String] {
        var names: [String] = []
        var next = walked.insert(path).inserted ? Self.references(of: objects[path]) : []
        while let hash = next.popLast() {
            guard let object = objects[hash], object.storePath.hasPrefix(prefix) else { continue }
            if known.insert(hash).inserted { names.append(String(object.storePath.dropFirst(prefix.count))) }
            if walked.insert(hash).inserted { next += Self.references(of: object) }
        }
        return names
    }

    private static func references(of object: ObjectRecord?) -> [StorePathHash] {
        object?.references.compactMap { StorePathHash($0.prefix(32)) } ?? []
    }
}
