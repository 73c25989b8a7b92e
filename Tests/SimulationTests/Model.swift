import AtticAPI
import Platform

/// What must be there, by what was asked and answered.
struct Model {
    struct Object {
        /// Its number in the pool.
        var nar: Int
        /// When it was last used: between these.
        var low: WallTime
        var high: WallTime
    }

    struct Cache {
        /// Each that is made has its own.
        let serial: Int
        var isPublic: Bool
        /// In seconds; 0: for ever.
        var retention: Int64 = 0
        /// By the number of the path.
        var objects: [Int: Object] = [:]
        /// NARs that plain Nix sent and that are surely held, and until when.
        var received: [Int: WallTime] = [:]
        /// NARs whose file was ever sent.
        var sent: Set<Int> = []
        /// Pulls that upkeep has not written yet, as far as is known, by NAR: when, and which paths had it; of those that were pushed anew
        /// since, the push may count.
        var pulled: [Int: (at: WallTime, paths: Set<Int>, pushed: Set<Int>)] = [:]
    }

    static let names: [CacheName] = ["a0", "a1", "b0", "b1"].compactMap { CacheName($0) }

    /// By the number of the name.
    var caches: [Int: Cache] = [:]
    private var serial = 0

    mutating func remove(_ path: Int, of name: Int) { caches[name]?.objects[path] = nil }

    mutating func make(_ name: Int, isPublic: Bool) {
        serial += 1
        caches[name] = Cache(serial: serial, isPublic: isPublic)
    }

    /// Whether any cache has an object of that NAR.
    func isNamed(_ nar: Int) -> Bool { caches.values.contains { $0.objects.values.contains { $0.nar == nar } } }

    /// The NARs that something names.
    var namedNars: Set<Int> { Set(caches.values.flatMap { $0.objects.values.map(\.nar) }) }

    /// A NAR was asked for, which is a use of all objects of the cache that have it, from when upkeep has written it.
    ///
    /// - Returns: the paths of those.
    @discardableResult
    mutating func mayBeUsed(nar: Int, of name: Int, at now: WallTime) -> Set<Int> {
        let sharing = Set(caches[name]?.objects.filter { $0.value.nar == nar }.map(\.key) ?? [])
        for path in sharing { caches[name]?.objects[path]?.high.raise(to: now) }
        return sharing
    }

    /// Upkeep has written when objects were pulled.
    mutating func flush() {
        for name in caches.keys {
            for (nar, pull) in caches[name]?.pulled ?? [:] {
                // Where one of them has another NAR by now, it may have been that one which stood for all.
                let isSure = pull.paths.allSatisfy { caches[name]?.objects[$0]?.nar == nar }
                for path in caches[name]?.objects.filter({ $0.value.nar == nar }).map(\.key) ?? [] {
                    if isSure && !pull.pushed.contains(path) { caches[name]?.objects[path]?.low.raise(to: pull.at) }
                    caches[name]?.objects[path]?.high.raise(to: pull.at)
                }
                if !isSure { for path in pull.paths { caches[name]?.objects[path]?.high.raise(to: pull.at) } }
            }
            caches[name]?.pulled = [:]
        }
    }
}

extension Model.Cache {
    /// The paths whose objects stay in a collection of what was last used before `cutoff`: those used since, and what they
    /// refer to, through objects that are there.
    ///
    /// - Parameter extra: paths that may be there as well, just used.
    func kept(since cutoff: WallTime, by time: KeyPath<Model.Object, WallTime>, extra: Set<Int> = [], _ pool: Pool) -> Set<Int> {
        var kept: Set<Int> = []
        var open = objects.filter { $0.value[keyPath: time] >= cutoff }.map(\.key) + extra
        while let path = open.popLast() {
            guard kept.insert(path).inserted else { continue }
            for reference in pool.paths[path].references where objects[reference] != nil || extra.contains(reference) {
                open.append(reference)
            }
        }
        return kept
    }
}

extension WallTime {
    mutating func raise(to other: WallTime) { if self < other { self = other } }
    mutating func lower(to other: WallTime) { if other < self { self = other } }
}

/// Who asks.
struct User {
    let name: String
    let grants: [(pattern: String, permissions: Permissions)]
    /// Nil for a visitor without one.
    var token: String?

    static func all() -> [User] {
        [
            User(name: "root", grants: [("*", .all)]),
            User(name: "alice", grants: [("a*", [.pull, .push])]),
            User(name: "bob", grants: [("b*", .push), ("a0", .pull)]),
            User(name: "nobody", grants: []),
        ]
    }

    func permissions(on cache: CacheName, isPublic: Bool) -> Permissions {
        var held: Permissions = isPublic ? .pull : []
        for (pattern, permissions) in grants {
            guard let pattern = CacheNamePattern(pattern), pattern.matches(cache) else { continue }
            held.formUnion(permissions)
        }
        return held
    }
}
