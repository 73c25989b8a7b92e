import Crypto
import Platform
import SQL

@testable import AtticServer
@testable import Database

extension Simulation {
    /// Kills the server where it stands, and starts another upon what that leaves.
    func crash(isPowerCut: Bool) throws {
        let places = running.map { "\($0.number)" }.joined(separator: " ")
        say("\(isPowerCut ? "the power goes" : "the server is killed") while \(places.isEmpty ? "nothing" : places) runs")
        count(isPowerCut ? "power cuts" : "kills")
        let next = try world.crashed(isPowerCut: isPowerCut, &dice, stage)
        let lost = running
        endAll()
        stop()
        world = next
        try start()
        // Nobody was told what became of these: first of what may be gone, then of what may have come.
        for work in lost { if case .collection(let collection) = work.work { try resolve(collection) } }
        for work in lost {
            guard case .push(let push) = work.work else { continue }
            // Of several for one path the last stands: all are asked before any is looked at.
            for item in push.items where item.path >= 0 { try adopt(item, of: push) }
        }
        try checkAll()
        try checkRows(now, verifiesContent: false)
    }

    /// What a collection took until it was killed.
    private func resolve(_ collection: Collection) throws {
        for name in model.caches.keys.sorted() {
            guard let cache = model.caches[name], let mayGo = collection.mayGo[cache.serial] else { continue }
            for path in mayGo.sorted() where cache.objects[path] != nil {
                if try narInfo(name, path) == nil { model.caches[name]?.objects[path] = nil }
            }
            model.caches[name]?.received = cache.received.filter { $0.value > collection.nowHigh }
        }
    }

    /// Starts a server on the world, which may be killed while it starts.
    private func start() throws {
        var tries = 0
        while true {
            tries += 1
            let (world, stage, time) = (world, stage, time)
            stage.setPauseChance(tries < 4 ? dice.pick([0, 0, 30]) : 0)
            let strand = Strand<Outcome>(1_000_000 + step, on: stage) {
                do { return .started(.success(try SimulatedServer(world, stage, time))) } catch {
                    return .started(.failure(SimulationFault(text: "\(error)")))
                }
            }
            strand.resume()
            var next: World?
            while strand.output == nil {
                if next == nil, dice.chance(15) {
                    say("and is killed again at \(stage.place), while it starts")
                    next = try world.crashed(isPowerCut: dice.chance(50), &dice, stage)
                    stage.isDead = true
                }
                strand.resume()
            }
            guard case .started(let result) = strand.output else { preconditionFailure("a start ends with a server, or an error") }
            stage.isDead = false
            if let next {
                if case .success(let server) = result { server.close() }
                self.world = next
                continue
            }
            switch result {
            case .success(let server): current = server
            case .failure(let fault): throw fail("the server does not start: \(fault.text)")
            }
            for name in model.caches.keys { model.caches[name]?.pulled = [:] }
            injectedAtStart = stage.injectedCount
            return
        }
    }

    /// Stops the server in order, and starts it.
    func restart() throws {
        try finishAll()
        server.flush()
        model.flush()
        stop()
        say("the server is started anew")
        count("restarts")
        try start()
    }

    // MARK: Peace

    /// Ends all, waits for longer than anything is held, collects: then there is what the model knows, and nothing else.
    func settle() throws {
        try finishAll()
        if stage.injectedCount > injectedAtStart || dice.chance(30) { try restart() }
        setClock(latest + .seconds(3 * 24 * 3600))
        count("settlements")
        // What was copied is dead where it was, and goes when its time is over.
        for _ in 0..<(world.keepsDeadBytes ? 3 : 2) {
            stage.setPauseChance(0)
            try beginCollection()
            try finishAll()
            setClock(now + world.grace + .seconds(61))
        }
        try checkAll()
        try checkRows(now, verifiesContent: true)
        try checkRest()
        say("all is in order")
    }

    /// Rows and bytes agree.
    private func checkRows(_ now: WallTime, verifiesContent: Bool) throws {
        var options = CheckOptions(now: now)
        options.verifiesContent = verifiesContent
        switch Simulation.check(server.context, options) {
        case .success(let findings):
            // Who shares a bucket does not end others' uploads when it starts.
            let first = findings.first { !(world.keepsDeadBytes && $0.hasPrefix("expired-lease")) }
            if let first { throw fail("a check found \(first)") }
        case .failure(let fault): throw fail("a check stopped: \(fault.text)")
        }
    }

    /// After a collection with nothing under way: rows of what is named, bytes of what has rows, and nothing else.
    private func checkRest() throws {
        let named = model.namedNars
        let narHashes = try Set(column("SELECT nar_hash FROM nar"))
        try compare("NARs", narHashes, with: Set(named.map { Array(pool.nars[$0].hash.bytes) }))
        let chunkHashes = try Set(column("SELECT hash FROM chunk"))
        try compare("chunks", chunkHashes, with: Set(named.flatMap { pool.nars[$0].chunkHashes.map { Array($0.bytes) } }))
        let references = named.reduce(0) { $0 + pool.nars[$1].chunkCount }
        let objects = model.caches.values.reduce(0) { $0 + $1.objects.count }
        for (table, wanted) in [
            ("chunk_reference", references), ("object", objects), ("upload", 0), ("upload_hold", 0), ("nar_candidate", 0),
            ("chunk_candidate", 0), ("pack_candidate", 0), ("loose_pack", 0), ("dead_extent", 0),
        ] where table != "dead_extent" || !world.keepsDeadBytes {
            let count = try rowCount(table)
            if count != wanted { throw fail("\(table) has \(count) rows, and should have \(wanted)") }
        }
        let places = try read("SELECT p.name, c.pack_offset, c.stored_byte_count FROM chunk c JOIN pack p ON p.id = c.pack_id") { row throws(SQLError) in
            (pack: try row.text(0), offset: try row.integer(1), byteCount: try row.integer(2))
        }
        var living: [String: [Range<Int64>]] = [:]
        for place in places { living[place.pack, default: []].append(place.offset..<(place.offset + place.byteCount)) }
        if let stray = try world.strayBytes(beside: living) { throw fail(stray) }
    }

    private func compare(_ what: String, _ found: Set<[UInt8]>, with wanted: Set<[UInt8]>) throws {
        if found == wanted { return }
        func numbers(_ hashes: Set<[UInt8]>) -> String {
            hashes.map { hash in pool.nars.firstIndex { Array($0.hash.bytes) == hash }.map { "NAR \($0)" } ?? "\(hash.prefix(4))" }
                .sorted().prefix(9).joined(separator: " ")
        }
        throw fail("\(what) that nothing needs: \(found.subtracting(wanted).count) (\(numbers(found.subtracting(wanted)))); that are missing: \(wanted.subtracting(found).count) (\(numbers(wanted.subtracting(found))))")
    }

    private func column(_ sql: String) throws -> [[UInt8]] {
        try read(sql) { row throws(SQLError) in Array(try row.digest(0).bytes) }
    }

    private func rowCount(_ table: String) throws -> Int {
        Int(try read("SELECT count(*) FROM \(table)") { row throws(SQLError) in try row.integer(0) }.first ?? -1)
    }

    private func read<Row: Sendable>(_ sql: String, _ take: (borrowing SQLRow) throws(SQLError) -> Row) throws -> [Row] {
        try server.context.catalog.read { session throws(DatabaseError) in
            try session.trying("look at what is left") { connection throws(SQLError) in try connection.query(sql, [], take) }
        }
    }
}
