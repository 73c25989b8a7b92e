import AtticAPI
import Crypto
import HTTP
import HTTPServer
import Nix
import Platform

@testable import AtticServer

extension Simulation {
    /// An upload under way.
    struct Push {
        enum Kind: String { case path, paths, nar, narInfo }
        let kind: Kind
        /// The cache's number, and its serial at the beginning; nil where there was none.
        let cache: Int
        let serial: Int?
        let user: Int
        /// Paths and their NARs, by number; of `nar` the path is -1.
        let items: [(path: Int, nar: Int)]
        let isPermitted: Bool
        /// All bytes will come, and be right.
        let isHonest: Bool
        /// Whether the sender might have pulled each of the NARs, at some time while it sent.
        var isPullable = false
        /// What it names was surely there all the time.
        var isCertain = true
        var isTroubled = false
        /// The cache of that name was made or destroyed meanwhile.
        var hasCacheChanged = false
        var hasCollectionRun = false
        /// So does a check that repairs: it ends leases that are over.
        var hasRepairRun = false
        /// Another push met trouble meanwhile: what that could not read it has stored anew, elsewhere.
        var hasTroubledRival = false
        /// A collection has ended that takes for old what this may have put before it was told.
        var hasGrownOld = false
        /// Others pushed other NARs for its paths meanwhile: by path, what they may have left.
        var rivals: [Int: Set<Int>] = [:]
        /// Of the clock, since it began.
        var first: WallTime
        var last: WallTime
        /// Of the clock, since the last piece of its body came.
        var spanLow: WallTime

        /// Each piece of its body is so long that it goes to the press, and the lease is renewed.
        var isRenewedByPieces = false
        /// Of the clock, when it was last renewed for certain, and how long it was not.
        var renewed: WallTime
        var unrenewedMilliseconds: Int64 = 0

        /// A lease may have ended, by the clock: it is for an hour, and renewed where ten minutes have passed.
        var mayHaveLapsed: Bool { unrenewedMilliseconds >= 2_990_000 }

        mutating func note(_ now: WallTime) {
            first.lower(to: now)
            last.raise(to: now)
            spanLow.lower(to: now)
            unrenewedMilliseconds = max(unrenewedMilliseconds, now.milliseconds - renewed.milliseconds)
            renewed.lower(to: now)
        }

        /// A piece has come, and was worked on.
        mutating func notePiece(_ now: WallTime) {
            spanLow = now
            if isRenewedByPieces { renewed = now }
        }
    }

    func beginPush() throws {
        let (user, cache) = someone()
        let kind: Push.Kind = dice.pick([.path, .path, .path, .paths, .nar])
        let nars: [Int]
        var items: [(path: Int, nar: Int)] = []
        switch kind {
        case .path:
            let path = dice.below(pool.paths.count)
            items = [(path, dice.pick(pool.paths[path].nars))]
        case .paths:
            for _ in 0..<dice.from(1...7) {
                let path = dice.below(pool.paths.count)
                if !items.contains(where: { $0.path == path }) { items.append((path, dice.pick(pool.paths[path].nars))) }
            }
        case .nar, .narInfo: items = [(-1, dice.below(pool.nars.count))]
        }
        nars = items.map(\.nar)
        let isWrong = dice.chance(3)
        let isDropped = dice.chance(8)
        let target = model.caches[cache]
        var push = Push(
            kind: kind, cache: cache, serial: target?.serial, user: user, items: items,
            isPermitted: isPermitted(user, .push, cache), isHonest: !isWrong && !isDropped,
            first: now, last: now, spanLow: now, renewed: now)
        push.isPullable = nars.allSatisfy { isPullable($0, by: user) }
        push.hasCollectionRun = isCollecting
        let message = try message(push)
        let head = message.head
        var body = message.body
        let announced = body.count
        // In the NAR's last bytes: the smallest has 112.
        if isWrong { body[body.count - 1 - dice.below(min(body.count, 100))] ^= 4 }
        if isDropped { body.removeLast(dice.below(body.count) + 1) }
        let piece = max(16, dice.pick([body.count + 1, body.count / 2 + 1, body.count / 3 + 1, body.count / 7 + 1]))
        say("\(users[user].name) pushes \(kind) \(items.map { "\($0.path):\($0.nar)" }.joined(separator: " ")) to \(Model.names[cache])\(isWrong ? ", wrong" : "")\(isDropped ? ", dropped" : "")")
        count("pushes")
        push.isRenewedByPieces = piece >= 8000
        let feed = Feed(body, pieceByteCount: piece, isDropped: isDropped, on: stage)
        let server = server
        try begin(.push(push), pauseChance: dice.pick([0, 0, 10, 60])) {
            let response = server.send(head, feed.body(announcing: announced))
            return withExtendedLifetime(feed) { .answered(response) }
        }
    }

    /// Who pushes, and where: most often one who may, to a cache that is there.
    private func someone() -> (user: Int, cache: Int) {
        var (user, cache) = (0, 0)
        for _ in 0..<4 {
            (user, cache) = (dice.pick([0, 0, 1, 1, 1, 2, 2, 3]), dice.below(Model.names.count))
            if model.caches[cache] != nil && isPermitted(user, .push, cache) { break }
        }
        return (user, cache)
    }

    /// Plain Nix's second request, for a NAR that was sent before, or is here for another reason, or is not.
    func beginNarInfo() throws {
        let (user, cache) = someone()
        let received = model.caches[cache]?.received.keys.sorted() ?? []
        let nar = !received.isEmpty && dice.chance(80) ? dice.pick(received) : dice.below(pool.nars.count)
        guard !pool.pathsOfNar[nar].isEmpty else { return }
        let path = dice.pick(pool.pathsOfNar[nar])
        var push = Push(
            kind: .narInfo, cache: cache, serial: model.caches[cache]?.serial, user: user, items: [(path, nar)],
            isPermitted: isPermitted(user, .push, cache), isHonest: true, first: now, last: now, spanLow: now, renewed: now)
        push.isPullable = mayBeNamed(nar, by: user, in: cache)
        push.isCertain = isSurelyHere(nar, for: user, in: cache)
        push.hasCollectionRun = isCollecting
        let (head, body) = try message(push)
        say("\(users[user].name) puts the narinfo of \(path):\(nar) into \(Model.names[cache])")
        count("narinfos put")
        let server = server
        try begin(.push(push), pauseChance: dice.pick([0, 10, 60])) { .answered(server.send(head, RequestBody(body))) }
    }

    private func message(_ push: Push) throws -> (head: RequestHead, body: [UInt8]) {
        let name = Model.names[push.cache]
        let token = users[push.user].token
        func info(_ item: (path: Int, nar: Int)) -> UploadPathNarInfo {
            let (path, nar) = (pool.paths[item.path], pool.nars[item.nar])
            return UploadPathNarInfo(
                cache: name, storePathHash: path.storePath.hash, storePath: path.storePath.absolute(),
                references: path.references.map { pool.paths[$0].storePath }, narHash: nar.hash, narSize: Int64(nar.bytes.count))
        }
        func head(_ path: String, _ body: [UInt8], _ headers: [(String, String)] = []) throws -> RequestHead {
            try SimulatedServer.head("PUT", path, token: token, headers: headers, bodyByteCount: body.count)
        }
        switch push.kind {
        case .path:
            let json = info(push.items[0]).json()
            let nar = pool.nars[push.items[0].nar].bytes
            if push.items[0].path % 2 == 0 {
                return (try head(Endpoint.uploadPath, nar, [(Endpoint.narInfoHeader, String(decoding: json, as: UTF8.self))]), nar)
            }
            let body = json + nar
            return (try head(Endpoint.uploadPath, body, [(Endpoint.narInfoPreambleSizeHeader, String(json.count))]), body)
        case .paths:
            let body = push.items.flatMap { info($0).announcement() + pool.nars[$0.nar].bytes }
            return (try head(Endpoint.uploadPaths, body), body)
        case .nar:
            let nar = pool.nars[push.items[0].nar]
            return (try head("/\(name)/\(nar.url)", nar.file), nar.file)
        case .narInfo:
            let (path, nar) = (pool.paths[push.items[0].path], pool.nars[push.items[0].nar])
            let references = path.references.map { pool.paths[$0].storePath.baseName }.joined(separator: " ")
            let text = """
                StorePath: \(path.storePath.absolute())
                URL: \(nar.url)
                Compression: \(nar.coding.rawValue)
                FileHash: \(NixHash(nar.fileHash).typedBase32)
                FileSize: \(nar.file.count)
                NarHash: \(NixHash(nar.hash).typedBase32)
                NarSize: \(nar.bytes.count)
                References: \(references)

                """
            return (try head("/\(name)/\(path.storePath.hash).narinfo", Array(text.utf8)), Array(text.utf8))
        }
    }

    // MARK: What came of it

    func end(_ push: Push, _ response: Response, _ number: Int) throws {
        let status = Int(response.status.code)
        say("\(number) is answered \(status) \(status < 300 ? "" : response.shortText)")
        count("answers \(status)")
        var push = push
        if push.isTroubled {
            // What it could not read it has stored anew, elsewhere.
            for index in pulls.indices { pulls[index].unnamedSince = min(pulls[index].unnamedSince ?? push.first, push.first) }
        }
        push.isPullable = push.isPullable || push.items.allSatisfy { mayBeNamed($0.nar, by: push.user, in: push.kind == .narInfo ? push.cache : nil) }
        if status < 300 {
            guard push.isPermitted || push.hasCacheChanged else { throw fail("\(number) was let in without permission") }
            // Its cache was destroyed when all was done, before that was told.
            if push.hasCacheChanged {
                for item in push.items where item.path >= 0 && model.caches[push.cache] != nil {
                    if try narInfo(push.cache, item.path)?.narHash == pool.nars[item.nar].hash { put(item, push) }
                }
                return
            }
            guard model.caches[push.cache] != nil else { throw fail("\(number) was taken into a cache that is not there") }
            if !push.isHonest && push.kind == .path && push.isPullable {
                // Nobody looked at the bytes: the sender could have pulled them.
            } else if !push.isHonest {
                throw fail("\(number) was taken, though its bytes were wrong or did not all come")
            }
            if push.kind == .narInfo, !push.isPullable {
                throw fail("\(number) got a NAR named that its sender neither sent nor may pull")
            }
            try take(push)
            return
        }
        try refuse(push, status, response.shortText, number)
        // Where the answer was lost on its way to the disk, the cache says what is so.
        for item in push.items where item.path >= 0 { try resolve(push, item, mayBeNew: push.isTroubled) }
    }

    private func take(_ push: Push) throws {
        for item in push.items {
            if push.kind == .nar {
                model.caches[push.cache]?.received[item.nar] = push.first + .seconds(Bounds.receivedFileSeconds)
                model.caches[push.cache]?.sent.insert(item.nar)
                continue
            }
            put(item, push)
            // It may have grown old before it was told.
            if push.hasGrownOld || mayBeGone(push.cache, item.path), try narInfo(push.cache, item.path) == nil {
                model.remove(item.path, of: push.cache)
                continue
            }
            if let rivals = push.rivals[item.path], let info = try narInfo(push.cache, item.path),
                let last = rivals.first(where: { pool.nars[$0].hash == info.narHash })
            {
                // Who was told first need not have been first.
                model.caches[push.cache]?.objects[item.path]?.nar = last
                model.caches[push.cache]?.objects[item.path]?.low.lower(to: push.first)
            }
            try check(push.cache, item.path)
        }
    }

    private func put(_ item: (path: Int, nar: Int), _ push: Push) {
        let former = model.caches[push.cache]?.objects[item.path]
        var high = push.last
        if let former { high.raise(to: former.high) }
        model.caches[push.cache]?.objects[item.path] = Model.Object(nar: item.nar, low: push.spanLow, high: high)
        model.caches[push.cache]?.received[item.nar] = nil
        model.caches[push.cache]?.pulled[item.nar]?.pushed.insert(item.path)
        noteUse(push.cache, [item.path])
        noteStateChange()
    }

    /// Whether a refusal is one that may be.
    private func refuse(_ push: Push, _ status: Int, _ text: String, _ number: Int) throws {
        let isOfPlainNix = push.kind == .nar || push.kind == .narInfo
        let isThere = push.serial != nil
        switch status {
        case 401, 403: if !push.isPermitted || push.hasCacheChanged { return }
        case 404: if !isThere || push.hasCacheChanged || !push.isPermitted { return }
        case 400:
            if !push.isHonest || !push.isPermitted { return }
            if push.kind == .narInfo && (!push.isCertain || push.hasCollectionRun || push.isTroubled) { return }
        case 507: if push.isTroubled && !isOfPlainNix { return }
        case 413: if push.isTroubled && isOfPlainNix { return }
        case 503, 409:
            guard (status == 409) == isOfPlainNix else { break }
            if push.isTroubled { return }
            // A chunk of which it has many may be elsewhere now, and its place given back.
            if push.hasTroubledRival && push.last - Sweeper.punchDelayBesideReaders >= push.first { return }
            if push.hasRepairRun && push.mayHaveLapsed { return }
            if push.hasCollectionRun && (push.mayHaveLapsed || push.kind == .paths || push.kind == .narInfo) { return }
            // What it had found in a bucket was copied elsewhere, and went when its time was over.
            if push.hasCollectionRun && world.keepsDeadBytes && push.last - world.grace >= push.first { return }
        default: break
        }
        throw fail("\(number) was answered \(status) for no reason: \(text)")
    }

    /// Asks what became of a path whose push was not acknowledged.
    func resolve(_ push: Push, _ item: (path: Int, nar: Int), mayBeNew: Bool) throws {
        guard let cache = model.caches[push.cache], cache.serial == push.serial else { return }
        if mayBeNew { try adopt(item, of: push) }
        try check(push.cache, item.path)
    }

    /// Takes what an unacknowledged push has put into the model, where it has put anything.
    func adopt(_ item: (path: Int, nar: Int), of push: Push) throws {
        guard let cache = model.caches[push.cache], cache.serial == push.serial, let info = try narInfo(push.cache, item.path) else { return }
        if info.narHash == pool.nars[item.nar].hash, cache.objects[item.path]?.nar != item.nar {
            put(item, push)
        } else if info.narHash == pool.nars[item.nar].hash {
            // The same as before, or put anew: both times may be, and the hold of what plain Nix sent may have ended.
            model.caches[push.cache]?.received[item.nar] = nil
            model.caches[push.cache]?.objects[item.path]?.low.lower(to: push.spanLow)
            model.caches[push.cache]?.objects[item.path]?.high.raise(to: push.last)
        }
    }

    // MARK: Who may

    func isPermitted(_ user: Int, _ needed: Permissions, _ cache: Int) -> Bool {
        let isPublic = model.caches[cache]?.isPublic ?? false
        return users[user].permissions(on: Model.names[cache], isPublic: isPublic).contains(needed)
    }

    /// Whether a cache may have the NAR that the user may pull, or the user's own cache was sent it: also where the answer
    /// to that push is yet to come.
    func mayBeNamed(_ nar: Int, by user: Int, in cache: Int?) -> Bool {
        if isPullable(nar, by: user) { return true }
        if let cache, model.caches[cache]?.sent.contains(nar) == true { return true }
        return running.contains { work in
            guard case .push(let push) = work.work, push.items.contains(where: { $0.nar == nar }) else { return false }
            return push.kind == .nar ? push.cache == cache : isPermitted(user, .pull, push.cache)
        }
    }

    /// Whether plain Nix may count on the NAR: the cache was sent it and holds it still, or the user may pull it, and nothing that is
    /// under way may have changed that.
    ///
    /// - Parameter number: the strand that asks, if it has begun.
    func isSurelyHere(_ nar: Int, for user: Int, in cache: Int, asks number: Int? = nil) -> Bool {
        let isHeld = model.caches[cache]?.received[nar] != nil
            && !running.contains { work in
                // From a commit on an object keeps it, for as long as that is there.
                guard case .push(let push) = work.work, work.number != number else { return false }
                return push.cache == cache && push.kind != .nar && push.items.contains { $0.nar == nar }
            }
        return isHeld || model.caches.contains { name, cache in
            isPermitted(user, .pull, name) && cache.objects.contains { path, object in
                object.nar == nar && !mayBeGone(name, path) && arriving(name, path).isSubset(of: [nar])
            }
        }
    }

    func isPullable(_ nar: Int, by user: Int) -> Bool {
        model.caches.contains { name, cache in
            cache.objects.values.contains { $0.nar == nar } && isPermitted(user, .pull, name)
        }
    }
}
