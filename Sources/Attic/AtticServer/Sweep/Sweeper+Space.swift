import Database
import Platform
import Storage

/// The space of what no row names any more. What fails is counted, is tried again by the next collection, and keeps nothing
/// that comes after it.
extension Sweeper {
    /// Packs or extents that one look-up gives at most.
    private static let batchCount = 500
    /// After a batch the disk is others' for as long as it took, but no longer than this.
    private static let restMax = Duration.milliseconds(200)

    /// Removes packs in which nothing lives: the cheapest way to free space, so it comes first. Whoever reads one has it
    /// open, and reads on. One of a bucket is only noted here as going: others may be sent ranges of it.
    func removeEmptyPacks(_ now: WallTime, _ report: inout Report, while goesOn: () -> Bool) throws(DatabaseError) {
        try dropUsedCandidates(while: goesOn)
        var last = ""
        while goesOn() {
            let after = last
            let names = try catalog.read { session throws(DatabaseError) in
                try session.emptyPacks(limit: Sweeper.batchCount, after: after)
            }
            guard let end = names.last else { return }
            last = end
            for text in names where goesOn() {
                if store.packKind == .object {
                    _ = try catalog.forgetEmptyPack(text, isPaced: steps.isPaced, until: now + grace)
                    Faults.pass(.packForgotten)
                    continue
                }
                // The store holds the pack's lock while it asks: no upload can be writing there now, and none that
                // committed is overlooked.
                remove(text, &report) { [catalog, steps] in
                    let isForgotten = try catalog.forgetEmptyPack(text, isPaced: steps.isPaced)
                    Faults.pass(.packForgotten)
                    return isForgotten
                }
                Faults.pass(.packRemoved)
            }
        }
    }

    private func dropUsedCandidates(while goesOn: () -> Bool) throws(DatabaseError) {
        var last: Int64? = 0
        while let after = last, goesOn() {
            last = try catalog.write { session throws(DatabaseError) in
                try session.dropUsedPackCandidates(after: after, limit: Sweeper.batchCount)
            }
        }
    }

    /// Removes files that no row names: what an upload left behind that was killed.
    func removeUnnamedPacks(_ report: inout Report, while goesOn: () -> Bool) throws(DatabaseError) {
        let names: [PackName]
        do { names = try store.packNames() } catch {
            report.failures += 1
            log.warning("could not list the packs: \(error)")
            return
        }
        // After the files, so that a pack which was made in between has its row here, or its writer's lock.
        let named = Set(try catalog.read { session throws(DatabaseError) in try session.packNames() }.compactMap { PackName($0) })
        for name in names where !named.contains(name) && goesOn() {
            remove(name.text, &report) { [catalog] in
                // Asked again under the pack's lock: its upload may have committed in between.
                try !catalog.read { session throws(DatabaseError) in try session.packExists(name.text) }
            }
        }
    }

    /// Removes a pack's file, where `ifStill` agrees under the pack's lock.
    private func remove(_ text: String, _ report: inout Report, ifStill: () throws -> Bool) {
        guard let name = PackName(text) else { return }
        do {
            let byteCount = try store.packByteCount(name) ?? 0
            guard try store.removePack(name, ifStill: ifStill) else { return }
            report.packs += 1
            report.freedBytes += byteCount
        } catch {
            report.failures += 1
            log.warning("could not remove pack \(text), will try again: \(error)")
        }
    }

    /// Gives the space of dead chunks back where their pack lives on.
    func punchDeadExtents(_ now: WallTime, _ report: inout Report, while goesOn: () -> Bool) throws(DatabaseError) {
        let cutoff = punchDelay == .zero ? nil : now - punchDelay
        var last: DeadExtent?
        while goesOn() {
            let begin = MonotonicTime.now
            let after = last
            let dead = try catalog.read { session throws(DatabaseError) in
                try session.deadExtents(limit: Sweeper.batchCount, before: cutoff, after: after)
            }
            // What fails stays recorded, and is gone past.
            guard let end = dead.last else { return }
            last = end
            let directory: OpenFile?
            do throws(StorageError) { directory = try takeDirectory?() } catch {
                report.failures += 1
                log.warning("could not free bytes of dead chunks, will try again: \(error)")
                return
            }
            // A server may have begun to send what was collected meanwhile, however late it started.
            if takeDirectory != nil && directory == nil {
                report.leftBytes = try catalog.read { session throws(DatabaseError) in try session.deadByteCount() }
                return
            }
            defer { withExtendedLifetime(directory) {} }
            guard let done = withoutReaders(of: dead, { punch(dead, &report) }) else {
                log.warning("could not free bytes of dead chunks, will try again: those who are being sent some could not be told in time")
                return
            }
            Faults.pass(.extentsPunched)
            if !done.isEmpty {
                // Where a power cut undoes this, they are punched again: no later commit can be there without it.
                try catalog.write(surviving: .crash) { session throws(DatabaseError) in try session.forgetDeadExtents(done) }
            }
            if dead.count < Sweeper.batchCount { return }
            if steps.isPaced { MonotonicTime.sleep(min(.now - begin, Sweeper.restMax)) }
        }
    }

    /// Calls `body` when nobody is being sent the extents any more; nil where that cannot be.
    private func withoutReaders(of dead: [DeadExtent], _ body: () -> [Int64]) -> [Int64]? {
        guard let bytesToFree else { return body() }
        return bytesToFree.free(dead.map(\.extent), body)
    }

    /// Punches extents, those of a pack together; the numbers of those that are done.
    private func punch(_ dead: [DeadExtent], _ report: inout Report) -> [Int64] {
        var done: [Int64] = []
        for (pack, dead) in Dictionary(grouping: dead, by: \.extent.pack).sorted(by: { $0.key < $1.key }) {
            do {
                try store.punch(dead.compactMap { Extent($0.extent) })
                report.freedBytes += dead.reduce(0) { $0 + $1.extent.byteCount }
            } catch {
                // A file system that cannot give parts of a file back: the space goes with the pack.
                guard error.cause == .unsupported else {
                    report.failures += dead.count
                    log.warning("could not free bytes of pack \(pack), will try again: \(error)")
                    continue
                }
            }
            done += dead.map(\.id)
        }
        return done
    }
}
