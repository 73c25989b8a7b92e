import AtticAPI
import HTTP
import HTTPServer
import Platform

@testable import AtticServer
@testable import Database

extension Simulation {
    /// A collection under way.
    struct Collection {
        /// What it takes for now lies between these.
        var nowLow: WallTime
        var nowHigh: WallTime
        /// It has asked what time it is.
        var hasTime = false
        var isTroubled = false
        /// Troubles there had been when it began. Another's may end it, too: with the sessions of a database server its lock goes.
        let injectedBefore: Int
        /// By the serial of the cache, the paths whose objects it may take, and those that it must.
        var mayGo: [Int: Set<Int>] = [:]
        var mustGo: [Int: Set<Int>] = [:]
        /// What is made after it has begun it need not find.
        var hasBegun = false

        mutating func note(_ now: WallTime) {
            guard !hasTime else { return }
            nowLow.lower(to: now)
            nowHigh.raise(to: now)
        }
    }

    var isCollecting: Bool { running.contains { if case .collection = $0.work { true } else { false } } }

    var isRepairing: Bool { running.contains { if case .check(true, _) = $0.work { true } else { false } } }

    func beginCollection() throws {
        // One at a time: another would wait for its lock.
        if isCollecting || running.contains(where: { if case .punch = $0.work { true } else { false } }) { return }
        say("a collection begins")
        count("collections")
        let server = server
        // It writes what was pulled before it does anything else.
        if !stage.hasTrouble { model.flush() }
        try begin(.collection(Collection(nowLow: now, nowHigh: now, injectedBefore: stage.injectedCount)), pauseChance: dice.pick([0, 0, 10, 50, 90])) {
            // Where it throws, the stage has made trouble, or `end` says that there is no reason for it.
            if case .ended(let report)? = try? server.upkeep.collection.sweep(server.sweeper) { return .collected(report) }
            return .collected(nil)
        }
    }

    func beginPunch() throws {
        if isCollecting || running.contains(where: { if case .punch = $0.work { true } else { false } }) { return }
        say("upkeep gives back what is dead")
        let server = server
        try begin(.punch, pauseChance: dice.pick([0, 30])) {
            server.upkeep.collection.punch()
            return .done
        }
    }

    func end(_ collection: Collection, _ report: Sweeper.Report?, _ number: Int) throws {
        say("\(number) has collected: \(report.map { "\($0)" } ?? "it stopped")")
        if report == nil && !collection.isTroubled { throw fail("a collection stopped for no reason") }
        if let report, report.failures > 0, !collection.isTroubled { throw fail("a collection failed to delete for no reason: \(report)") }
        let isStopped = report?.isStopped ?? true
        if isStopped && stage.injectedCount == collection.injectedBefore { throw fail("a collection stopped before its end for no reason") }
        for name in model.caches.keys.sorted() {
            guard let cache = model.caches[name] else { continue }
            let mustGo = isStopped || collection.isTroubled ? [] : collection.mustGo[cache.serial] ?? []
            for path in cache.objects.keys.sorted() where collection.mayGo[cache.serial]?.contains(path) == true {
                if try narInfo(name, path) == nil {
                    model.remove(path, of: name)
                } else if mustGo.contains(path) {
                    throw fail("path \(path) of \(Model.names[name]) is there after a collection, though unused for longer than \(cache.retention) s")
                }
            }
            // What was held for a day may be gone from then on.
            model.caches[name]?.received = cache.received.filter { $0.value > collection.nowHigh }
        }
        for index in running.indices {
            guard case .push(var push) = running[index].work else { continue }
            push.hasCollectionRun = true
            if let retention = model.caches[push.cache]?.retention, retention > 0, push.spanLow < collection.nowHigh - .seconds(retention) {
                push.hasGrownOld = true
            }
            running[index].work = .push(push)
        }
    }

    /// Keeps up with what a collection that runs may take, and what pulls may lose; after whatever has changed.
    func noteStateChange() {
        let (isCollecting, isRepairing) = (isCollecting, isRepairing)
        var arriving: [Int: Set<Int>] = [:]
        for index in running.indices {
            guard case .push(var push) = running[index].work else { continue }
            if isCollecting { push.hasCollectionRun = true }
            if isRepairing { push.hasRepairRun = true }
            if model.caches[push.cache]?.serial != push.serial { push.hasCacheChanged = true }
            if push.kind == .narInfo, push.isCertain {
                push.isCertain = isSurelyHere(push.items[0].nar, for: push.user, in: push.cache, asks: running[index].number)
            }
            if !push.isPullable { push.isPullable = push.items.allSatisfy { mayBeNamed($0.nar, by: push.user, in: push.kind == .narInfo ? push.cache : nil) } }
            for other in running where other.number != running[index].number {
                guard case .push(let rival) = other.work else { continue }
                if rival.isTroubled { push.hasTroubledRival = true }
                guard rival.cache == push.cache else { continue }
                for item in rival.items where push.items.contains(where: { $0.path == item.path && $0.nar != item.nar }) {
                    push.rivals[item.path, default: []].insert(item.nar)
                }
            }
            running[index].work = .push(push)
            for serial in Set([push.serial, model.caches[push.cache]?.serial].compactMap(\.self)) {
                arriving[serial, default: []].formUnion(push.items.map(\.path).filter { $0 >= 0 })
            }
        }
        for index in running.indices {
            guard case .collection(var collection) = running[index].work else { continue }
            for cache in model.caches.values where cache.retention > 0 {
                let extra = arriving[cache.serial] ?? []
                let all = Set(cache.objects.keys)
                let safe = cache.kept(since: collection.nowHigh - .seconds(cache.retention), by: \.low, pool)
                let kept = cache.kept(since: collection.nowLow - .seconds(cache.retention), by: \.high, extra: extra, pool)
                collection.mayGo[cache.serial, default: []].formUnion(all.subtracting(safe))
                let going = all.subtracting(kept)
                collection.mustGo[cache.serial] = collection.mustGo[cache.serial]?.intersection(going) ?? (collection.hasBegun ? [] : going)
            }
            for cache in model.caches.values where cache.retention == 0 { collection.mustGo[cache.serial] = [] }
            collection.hasBegun = true
            running[index].work = .collection(collection)
        }
        notePulls(afterTurnOf: nil)
    }

    /// Keeps up with what pulls that run may lose.
    ///
    /// - Parameter work: what has just gone on, and may have given bytes back.
    func notePulls(afterTurnOf work: Running.Work?) {
        let gives = switch work {
        case nil, .push: false
        case .collection, .punch, .check: true
        }
        for index in pulls.indices {
            if !model.isNamed(pulls[index].nar) && pulls[index].unnamedSince == nil { pulls[index].unnamedSince = now }
            // A collection may be taking it, and nobody has asked yet.
            if pulls[index].unnamedSince == nil, mayGoEverywhere(pulls[index].nar) { pulls[index].unnamedSince = now }
            pulls[index].lowest.lower(to: now)
            if let since = pulls[index].unnamedSince { pulls[index].unnamedSince = min(since, now) }
            // What is sent from a bucket may have been copied elsewhere since it began, whoever names it.
            let since = world.keepsDeadBytes ? pulls[index].lowest : pulls[index].unnamedSince
            let patience = world.keepsDeadBytes ? world.grace : Sweeper.punchDelayBesideReaders
            if gives, let since, latest - patience >= since { pulls[index].isOverdue = true }
        }
    }

    private func mayGoEverywhere(_ nar: Int) -> Bool {
        model.caches.allSatisfy { name, cache in
            cache.objects.allSatisfy { $0.value.nar != nar || mayBeGone(name, $0.key) }
        }
    }

    /// Objects that were just used are in no collection's list any more.
    func noteUse(_ name: Int, _ paths: [Int]) {
        guard let cache = model.caches[name] else { return }
        for index in running.indices {
            guard case .collection(var collection) = running[index].work else { continue }
            for path in paths {
                guard let object = cache.objects[path], object.low >= collection.nowHigh - .seconds(cache.retention) else { continue }
                collection.mayGo[cache.serial]?.remove(path)
                collection.mustGo[cache.serial]?.remove(path)
            }
            running[index].work = .collection(collection)
        }
    }

    /// Something of the cache may have been used just now: a collection that runs may spare it, and what it refers to.
    func noteUseInDoubt(_ name: Int) {
        guard let serial = model.caches[name]?.serial else { return }
        for index in running.indices {
            guard case .collection(var collection) = running[index].work else { continue }
            collection.mustGo[serial] = []
            running[index].work = .collection(collection)
        }
    }

    /// Whether a collection that runs may have taken the object.
    func mayBeGone(_ name: Int, _ path: Int) -> Bool {
        guard let serial = model.caches[name]?.serial else { return true }
        return running.contains { work in
            if case .collection(let collection) = work.work { collection.mayGo[serial]?.contains(path) == true } else { false }
        }
    }

    // MARK: Upkeep and checks

    func doUpkeep() throws {
        server.flush()
        model.flush()
        _ = server.upkeep.accesses.settle()
        server.upkeep.watch.look()
        say("upkeep writes what was pulled")
        noteStateChange()
    }

    func beginCheck() throws {
        if running.contains(where: { if case .check = $0.work { true } else { false } }) { return }
        let isRepairing = dice.chance(40)
        if isRepairing { stage.set(Stage.Trouble()) }
        var options = CheckOptions(now: now)
        options.repairs = isRepairing
        options.verifiesContent = dice.chance(40)
        say("a check begins\(isRepairing ? ", and repairs" : "")\(options.verifiesContent ? ", of contents" : "")")
        count("checks")
        let (context, chosen) = (server.context, options)
        try begin(.check(isRepairing: isRepairing, injectedAtStart: stage.injectedCount), pauseChance: dice.pick([0, 10, 50])) {
            .checked(Simulation.check(context, chosen))
        }
    }

    /// What a check finds, a line each.
    static func check(_ context: Context, _ options: CheckOptions) -> Result<[String], SimulationFault> {
        do {
            let report = try Checker(context.catalog, context.store, options).run()
            return .success(report.findings.map { "\($0.kind.rawValue): \($0.line(isRehearsal: false))" } + (report.isComplete ? [] : ["it is not complete"]))
        } catch { return .failure(SimulationFault(text: "\(error)")) }
    }

    /// Beside others it finds nothing but what they may leave for a while.
    func endCheck(_ result: Result<[String], SimulationFault>, _ isRepairing: Bool, _ injected: Int, _ number: Int) throws {
        switch result {
        case .failure(let fault):
            say("\(number) stopped: \(fault.text)")
            if stage.injectedCount == injected { throw fail("a check stopped for no reason: \(fault.text)") }
        case .success(let findings):
            say("\(number) found \(findings.count)")
            let isTroubled = stage.injectedCount > injected
            for finding in findings where !isExcused(finding) && !(isTroubled && finding.contains("the disk cannot read it")) { throw fail("a check found \(finding)") }
        }
    }

    private func isExcused(_ finding: String) -> Bool {
        // By the clock, which jumps.
        if finding.hasPrefix("expired-lease") { return true }
        // What an error kept somebody from clearing away waits for the next start or collection.
        let isOfTrouble = finding.hasPrefix("pack-tail") || finding.hasPrefix("unnamed-file") || finding.hasPrefix("temporary-file")
        return isOfTrouble && stage.injectedCount > injectedAtStart
    }

    // MARK: Caches

    func changeCache(_ name: Int) throws {
        let endpoint = Endpoint.cacheConfig(Model.names[name])
        let root = users[0].token
        guard let cache = model.caches[name] else {
            let isPublic = dice.chance(40)
            let body = CreateCacheRequest(
                keypair: .generate, isPublic: isPublic, storeDirectory: "/nix/store", priority: 41, upstreamCacheKeyNames: [])
            try expectOK(server.send("POST", endpoint, token: root, body: body.json()), "make \(Model.names[name])")
            model.make(name, isPublic: isPublic)
            if dice.chance(70) { try setRetention(name) }
            return noteStateChange()
        }
        switch dice.below(10) {
        case 0...1:
            try expectOK(server.send("DELETE", endpoint, token: root), "destroy \(Model.names[name])")
            model.caches[name] = nil
            noteStateChange()
            if dice.chance(50) { try beginCollection() }
        case 2...4:
            let body = CacheConfig(isPublic: !cache.isPublic).json()
            try expectOK(server.send("PATCH", endpoint, token: root, body: body), "make \(Model.names[name]) \(cache.isPublic ? "private" : "public")")
            model.caches[name]?.isPublic.toggle()
        default: try setRetention(name)
        }
        noteStateChange()
    }

    private func setRetention(_ name: Int) throws {
        let seconds = dice.pick([0, 600, 3600, 20_000, 100_000])
        let body = CacheConfig(retentionPeriod: .period(seconds: Int64(seconds))).json()
        let response = try server.send("PATCH", Endpoint.cacheConfig(Model.names[name]), token: users[0].token, body: body)
        try expectOK(response, "keep \(Model.names[name]) for \(seconds) s")
        model.caches[name]?.retention = Int64(seconds)
    }

    private func expectOK(_ response: Response, _ what: String) throws {
        say("root: \(what)")
        if response.status != .ok { throw fail("\(what): \(response.status.code) \(response.shortText)") }
    }
}
