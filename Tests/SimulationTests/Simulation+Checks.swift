import AtticAPI
import HTTP
import HTTPServer
import Nix
import Platform

extension Simulation {
    /// A path's narinfo as somebody gets it who may pull; nil where it is not there.
    func narInfo(_ cache: Int, _ path: Int) throws -> NarInfo? {
        let hash = pool.paths[path].storePath.hash
        let response = try server.send("GET", "/\(Model.names[cache])/\(hash).narinfo", token: observer)
        switch response.status {
        case .ok: return try NarInfo.parse(response.shortBytes)
        case .notFound: return nil
        default: throw fail("the narinfo of \(path) in \(Model.names[cache]) is answered \(response.status.code): \(response.shortText)")
        }
    }

    /// What pushes that run may have put there already.
    func arriving(_ cache: Int, _ path: Int) -> Set<Int> {
        var nars: Set<Int> = []
        for work in running {
            if case .push(let push) = work.work, push.cache == cache {
                for item in push.items where item.path == path { nars.insert(item.nar) }
            }
        }
        return nars
    }

    /// Compares what is told of a path with the model.
    func check(_ cache: Int, _ path: Int) throws {
        let wanted = model.caches[cache]?.objects[path]
        let name = "path \(path) in \(Model.names[cache])"
        guard let info = try narInfo(cache, path) else {
            guard let wanted else { return }
            guard mayBeGone(cache, path) else { throw fail("\(name) is gone: NAR \(wanted.nar)") }
            model.remove(path, of: cache)
            return noteStateChange()
        }
        var allowed = arriving(cache, path)
        if let wanted { allowed.insert(wanted.nar) }
        guard let nar = allowed.first(where: { pool.nars[$0].hash == info.narHash }) else {
            // Seen to be gone in the database, and not told to those who answer from memory yet.
            if wanted == nil && mayBeGone(cache, path) { return }
            throw fail("\(name) has the NAR \(pool.nars.firstIndex { $0.hash == info.narHash } ?? -1), and should have \(wanted.map { "\($0.nar)" } ?? "none")")
        }
        let references = pool.paths[path].references.map { pool.paths[$0].storePath.baseName }.sorted()
        guard info.storePath == pool.paths[path].storePath, info.narSize == pool.nars[nar].bytes.count, info.references.sorted() == references
        else { throw fail("\(name) has a narinfo of another: \(info.rendered())") }
    }

    /// A few paths, after every step.
    func checkSome() throws {
        for _ in 0..<3 { try check(dice.below(Model.names.count), dice.below(pool.paths.count)) }
    }

    /// All paths, the questions of pushers, and some NARs byte for byte.
    func checkAll() throws {
        for cache in Model.names.indices {
            for path in pool.paths.indices { try check(cache, path) }
        }
        // Of one only, and not always: what is asked for is used, and never collected.
        if dice.chance(30) { try checkMissing(dice.below(Model.names.count)) }
        for _ in 0..<3 {
            let cache = dice.below(Model.names.count)
            let paths = model.caches[cache]?.objects.keys.sorted() ?? []
            if paths.isEmpty { continue }
            let path = dice.pick(paths)
            let hash = pool.paths[path].storePath.hash
            let response = try server.send("GET", "/\(Model.names[cache])/\(hash).ls", token: users[0].token)
            if response.status != .ok && !mayBeGone(cache, path) {
                throw fail("the listing of \(path) in \(Model.names[cache]) is answered \(response.status.code): \(response.shortText)")
            }
        }
    }

    /// What get-missing-paths says of all paths; which counts as a use of those that are there.
    func checkMissing(_ name: Int) throws {
        let hashes = pool.paths.map(\.storePath.hash)
        let body = MissingPathsRequest(cache: Model.names[name], storePathHashes: hashes).json()
        let response = try server.send("POST", Endpoint.getMissingPaths, token: users[0].token, body: body)
        guard let cache = model.caches[name] else {
            if response.status == .notFound { return }
            throw fail("\(Model.names[name]) is not there, and its missing paths are told")
        }
        guard response.status == .ok else { throw fail("what is missing in \(Model.names[name]) is answered \(response.status.code): \(response.shortText)") }
        let missing = Set(try MissingPathsResponse(json: response.shortBytes).missingPaths)
        for (path, hash) in hashes.enumerated() {
            let isMissing = missing.contains(hash)
            if isMissing == (cache.objects[path] == nil) {
                if !isMissing && cache.retention > 0 {
                    model.caches[name]?.objects[path]?.low.raise(to: now)
                    model.caches[name]?.objects[path]?.high.raise(to: now)
                }
                continue
            }
            if !isMissing {
                if arriving(name, path).isEmpty { throw fail("path \(path) of \(Model.names[name]) is not there, and not told as missing") }
            } else if mayBeGone(name, path) {
                model.remove(path, of: name)
            } else {
                throw fail("path \(path) of \(Model.names[name]) is there, and told as missing")
            }
        }
        noteUse(name, Array(pool.paths.indices))
        noteStateChange()
    }
}
