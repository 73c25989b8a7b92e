import AtticAPI
import Compression
import Crypto
import HTTP
import HTTPServer
import Nix
import Platform

extension Simulation {
    /// A NAR on its way to a client, who takes it piece by piece.
    struct Pull {
        let nar: Int
        let fileHash: SHA256Digest
        let source: Source
        let byteCount: Int
        let permit: (any Permit)?
        var bytes: [UInt8] = []
        /// Of the clock, since it began.
        var lowest: WallTime
        var isTroubled = false
        /// Since when nothing names the NAR, at the earliest.
        var unnamedSince: WallTime?
        /// Bytes may have been given back, and it broken off.
        var isOverdue = false

        /// Where its bytes come from.
        enum Source {
            /// Open ones.
            case files([FileExtent])
            /// Made as they are sent, by a strand.
            case stream(StreamedAnswer)
        }

        /// Nobody reads on, and the server is dead.
        func unwind() { if case .stream(let answer) = source { answer.unwind() } }
    }

    /// A path that should be there, and its cache.
    private func anyObject() -> (cache: Int, path: Int)? {
        let all = model.caches.keys.sorted().flatMap { cache in
            (model.caches[cache]?.objects.keys.sorted() ?? []).map { (cache: cache, path: $0) }
        }
        return all.isEmpty ? nil : dice.pick(all)
    }

    func beginPull() throws {
        guard let (cache, path) = anyObject() else { return }
        guard let info = try narInfo(cache, path) else { return try check(cache, path) }
        let user = dice.below(users.count)
        let isPermitted = isPermitted(user, .pull, cache)
        let url = "/\(Model.names[cache])/\(info.url)"
        let injected = stage.injectedCount
        let response = try stage.exposed { try server.send("GET", url, token: users[user].token) }
        let isTroubled = stage.injectedCount > injected
        say("\(users[user].name) pulls \(path) from \(Model.names[cache]): \(response.status.code)")
        count("pulls")
        guard response.status == .ok else {
            let status = Int(response.status.code)
            if !isPermitted && [401, 403, 404].contains(status) { return }
            if isTroubled && [503, 507].contains(status) { return try checkNoDamage(cache) }
            if status == 404 && mayBeGone(cache, path) { return }
            throw fail("\(url) was answered \(status): \(response.shortText)")
        }
        guard isPermitted else { throw fail("\(users[user].name) was given \(url)") }
        guard let byteCount = response.body.byteCount, byteCount == info.fileSize,
            let nar = pool.nars.firstIndex(where: { $0.hash == info.narHash }), let fileHash = info.fileHash,
            let source = source(response.body)
        else { throw fail("\(url) is answered with other than the \(info.fileSize ?? -1) bytes of a file") }
        let sharing = model.mayBeUsed(nar: nar, of: cache, at: now)
        model.caches[cache]?.pulled[nar] = (now, sharing, [])
        pulls.append(Pull(nar: nar, fileHash: fileHash, source: source, byteCount: Int(byteCount), permit: response.permit, lowest: now))
        if let permit = response.permit { server.permits.update { $0.append(permit) } }
        if dice.chance(30) { try readOn(pulls.count - 1, whole: true) }
        noteStateChange()
    }

    private func source(_ body: ResponseBody) -> Pull.Source? {
        switch body {
        case .files(let extents, _): return .files(extents)
        case .stream(let byteCount?, let produce):
            let pieceByteCount = dice.from(200...max(201, Int(byteCount) / 2))
            let answer = StreamedAnswer(
                Stage.firstReader + makeNumber(), on: stage, byteCount: byteCount, pieceByteCount: pieceByteCount, produce)
            return .stream(answer)
        default: return nil
        }
    }

    /// Reads the next piece, and at the end looks at all of it.
    func readOn(_ index: Int, whole: Bool = false) throws {
        var pull = pulls[index]
        if pull.permit?.holds == false {
            pulls.remove(at: index)
            pull.unwind()
            say("a pull of NAR \(pull.nar) is broken off")
            guard pull.isOverdue else { throw fail("a pull of NAR \(pull.nar) was broken off, and nothing of it can have gone") }
            return count("pulls broken off")
        }
        let hasMore: Bool
        switch pull.source {
        case .files(let extents):
            let left = pull.byteCount - pull.bytes.count
            let count = whole || dice.chance(20) ? left : min(left, dice.from(1...max(1, pull.byteCount / 3)))
            let part = try read(extents, from: pull.bytes.count, count)
            pull.bytes += part
            hasMore = part.count == count && pull.bytes.count < pull.byteCount
        case .stream(let answer):
            let injected = stage.injectedCount
            stage.setPauseChance(whole ? 0 : dice.pick([0, 30]))
            repeat { pull.bytes += answer.readOn() } while whole && answer.end == nil
            pull.isTroubled = pull.isTroubled || stage.injectedCount > injected
            if case .brokenOff(let reason) = answer.end {
                pulls.remove(at: index)
                say("a pull of NAR \(pull.nar) is broken off: \(reason)")
                guard pull.isOverdue || pull.isTroubled else { throw fail("a pull of NAR \(pull.nar) was broken off for no reason: \(reason)") }
                return self.count("pulls broken off")
            }
            hasMore = answer.end == nil
        }
        pulls[index] = pull
        if hasMore { return say("a pull of NAR \(pull.nar) has \(pull.bytes.count) of \(pull.byteCount) bytes") }
        pulls.remove(at: index)
        let isRight = isRight(pull)
        say("a pull of NAR \(pull.nar) has ended\(isRight ? "" : ", wrong")")
        if isRight { return self.count("pulls whole") }
        throw fail("a pull of NAR \(pull.nar) got \(pull.bytes.count) of \(pull.byteCount) bytes, and not the NAR's; nothing names it since \(pull.unnamedSince.map { String($0.milliseconds - 1_800_000_000_000) } ?? "never")")
    }

    private func isRight(_ pull: Pull) -> Bool {
        guard pull.bytes.count == pull.byteCount, SHA256.digest(of: pull.bytes) == pull.fileHash else { return false }
        let plain = try? StreamDecoder.decode(pull.bytes, .zstd, outputByteCountMax: 16 << 20)
        return plain == pool.nars[pull.nar].bytes
    }

    /// As a loop reads: from the files that were open when the answer began.
    private func read(_ extents: [FileExtent], from start: Int, _ byteCount: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        var position = 0
        for extent in extents {
            let end = position + Int(extent.byteCount)
            let (from, to) = (max(position, start), min(end, start + byteCount))
            if from < to {
                var part = [UInt8](repeating: 0, count: to - from)
                let offset = extent.offset + Int64(from - position)
                let count = try unsafe part.withUnsafeMutableBytes { try unsafe extent.file.descriptor.readFully(at: offset, into: $0) }
                bytes += part.prefix(count)
                if count < part.count { return bytes }
            }
            position = end
        }
        return bytes
    }

    /// After a read that failed for another reason nothing may count as damaged.
    private func checkNoDamage(_ cache: Int) throws {
        count("pulls refused in trouble")
        try checkMissing(cache)
    }

    // MARK: Questions

    /// A pusher asks which paths are missing.
    func ask() throws {
        let cache = dice.below(Model.names.count)
        say("root asks \(Model.names[cache]) what is missing")
        count("questions")
        try checkMissing(cache)
    }

    /// Somebody asks for a narinfo, and is told no more than they may know.
    func askAsSomebody() throws {
        let cache = dice.below(Model.names.count)
        let path = dice.below(pool.paths.count)
        let user = dice.below(users.count)
        let hash = pool.paths[path].storePath.hash
        let response = try server.send("GET", "/\(Model.names[cache])/\(hash).narinfo", token: users[user].token)
        let status = Int(response.status.code)
        say("\(users[user].name) asks \(Model.names[cache]) for the narinfo of \(path): \(status)")
        // Who may push need not send what they are told of, so it counts as used: surely when upkeep has written that.
        if status == 200 && isPermitted(user, .push, cache) {
            let info = try NarInfo.parse(response.shortBytes)
            if let nar = pool.nars.firstIndex(where: { $0.hash == info.narHash }) { model.mayBeUsed(nar: nar, of: cache, at: now) }
            noteUseInDoubt(cache)
        }
        if status == 200 && !isPermitted(user, .pull, cache) { throw fail("\(users[user].name) was given the narinfo of \(path) in \(Model.names[cache])") }
        if status != 200, isPermitted(user, .pull, cache), model.caches[cache]?.objects[path] != nil, !mayBeGone(cache, path) {
            throw fail("\(users[user].name) was answered \(status) for \(path) in \(Model.names[cache]): \(response.shortText)")
        }
    }
}
