import Database
import Platform
import Storage

/// The space of a bucket, where nothing can be punched: packs that are half dead, and many small ones, are copied into others, and
/// packs in which nothing lives are deleted when those who read them have had their time.
extension Sweeper {
    /// Packs of each kind that one collection copies at most.
    private static let packsMax = 2000
    /// A pack below this many bytes is small: a request for so few bytes costs as much as one for a mebibyte.
    private static let smallByteCount: Int64 = 4 << 20
    /// As many small packs are worth a copy. Fewer stay, so that nothing is copied again with each collection.
    private static let smallPacksMin = 16
    /// Living bytes that are copied into one pack at most; and of one collection.
    private static let copiedByteCountMax: Int64 = 48 << 20
    private static let copiedOfAllMax: Int64 = 8 << 30
    /// Chunks that are moved in one transaction at most, while which no server writes.
    private static let movedMax = 4000
    /// Rows of a pack that are looked up at a time.
    private static let rowsMax = 1000

    /// Copies what lives in packs that are half dead, or small, into new ones.
    func compactPacks(_ now: WallTime, _ report: inout Report, while goesOn: () -> Bool) throws(DatabaseError) {
        let worthwhile = try catalog.read { session throws(DatabaseError) in
            let thin = try session.halfDeadPacks(limit: Sweeper.packsMax, after: 0)
            let small = try session.smallPacks(below: Sweeper.smallByteCount, limit: Sweeper.packsMax, after: 0)
            if small.count < Sweeper.smallPacksMin { return thin }
            let known = Set(thin.map(\.id))
            return thin + small.filter { !known.contains($0.id) }
        }
        var batch: [CopiedPack] = []
        var (byteCount, copied, count): (Int64, Int64, Int) = (0, 0, 0)
        for row in worthwhile where goesOn() && copied < Sweeper.copiedOfAllMax {
            guard let name = PackName(row.name) else { continue }
            let pack = CopiedPack(row: row, name: name, living: try living(in: row))
            if byteCount + pack.livingByteCount > Sweeper.copiedByteCountMax || count + pack.living.count > Sweeper.movedMax {
                if !batch.isEmpty { try copy(batch, now, &report) }
                (batch, byteCount, count) = ([], 0, 0)
            }
            batch.append(pack)
            count += pack.living.count
            byteCount += pack.livingByteCount
            copied += pack.livingByteCount
        }
        if !batch.isEmpty && goesOn() { try copy(batch, now, &report) }
    }

    private struct CopiedPack {
        let row: PackRow
        let name: PackName
        let living: [NamedExtent]
        var livingByteCount: Int64 { living.reduce(0) { $0 + $1.byteCount } }
    }

    private func living(in pack: PackRow) throws(DatabaseError) -> [NamedExtent] {
        var living: [NamedExtent] = []
        var from: Int64 = 0
        while true {
            let start = from
            let part = try catalog.read { session throws(DatabaseError) in
                try session.extents(inPack: pack.id, from: start, limit: Sweeper.rowsMax)
            }
            // One without a place is damaged, and such packs are left alone.
            living += part.filter { !$0.isDead && $0.byteCount > 0 && $0.offset >= start }
            guard part.count == Sweeper.rowsMax, let last = part.last else { return living }
            from = last.offset + 1
        }
    }

    private func copy(_ packs: [CopiedPack], _ now: WallTime, _ report: inout Report) throws(DatabaseError) {
        let writer: any PackWriter
        var moved: [MovedChunk] = []
        do {
            writer = try store.borrowPack()
            for pack in packs { moved += try copy(pack, with: writer) }
            try writer.makeDurable()
        } catch {
            // The writer is dropped, and takes back what it wrote.
            report.failures += 1
            log.warning("could not copy packs that are half dead or small, will try again: \(error)")
            return try noteLoss(error)
        }
        guard let written = writer.packs.first, writer.packs.count == 1 else { return writer.abandon() }
        Faults.pass(.packCopied)
        let (chunks, state) = (moved, PackState(written))
        do throws(DatabaseError) {
            guard try catalog.write({ session throws(DatabaseError) in try session.moveChunks(chunks, to: state, at: now) }) else {
                return writer.abandon()
            }
        } catch {
            if error.leavesNothingWritten { writer.abandon() } else { writer.leave() }
            throw error
        }
        Faults.pass(.chunksMoved)
        writer.giveBack()
        report.copiedPacks += packs.count
    }

    /// Appends the living chunks of a pack, in their order; neighbours are read as one.
    private func copy(_ pack: CopiedPack, with writer: any PackWriter) throws -> [MovedChunk] {
        var runs: [Extent] = []
        for chunk in pack.living {
            if let last = runs.last, last.end == chunk.offset {
                runs[runs.count - 1] = Extent(pack: pack.name, offset: last.offset, byteCount: last.byteCount + chunk.byteCount)
            } else {
                runs.append(Extent(pack: pack.name, offset: chunk.offset, byteCount: chunk.byteCount))
            }
        }
        var moved: [MovedChunk] = []
        var pending: [UInt8] = []
        try unsafe store.read(runs) { bytes in
            unsafe pending.append(contentsOf: bytes)
            var start = 0
            while moved.count < pack.living.count {
                let chunk = pack.living[moved.count]
                let end = start + Int(chunk.byteCount)
                if end > pending.count { break }
                let place = try unsafe pending[start..<end].withUnsafeBytes { try unsafe writer.append($0) }
                moved.append(MovedChunk(
                    id: chunk.id, packID: pack.row.id, offset: chunk.offset, byteCount: chunk.byteCount, newOffset: place.offset))
                start = end
            }
            pending.removeSubrange(..<start)
        }
        return moved
    }

    /// Marks what reading a pack has shown to be lost, so that its paths count as missing, and the pack is left alone.
    private func noteLoss(_ error: any Error) throws(DatabaseError) {
        guard let pack = (error as? StorageError)?.fate.losingPack else { return }
        // A bucket that does not answer is asked by the next run.
        do { try LostBytes.markLost(ofBucketPack: pack, catalog, store) } catch let error as DatabaseError { throw error } catch { return }
        log.error("bytes of the pack \(pack) are lost, and marked as damaged; \"atticadm fsck\" names the paths, and pushing them brings them back")
    }

    /// Deletes what is loose in the bucket and whose time is over: what uploads left that were killed, and packs without life.
    func removeLoosePacks(_ now: WallTime, _ report: inout Report, while goesOn: () -> Bool) throws(DatabaseError) {
        while goesOn(), try catalog.write({ session throws(DatabaseError) in
            try session.loosePacksExpire(at: now, limit: Sweeper.rowsMax)
        }) == Sweeper.rowsMax {}
        var last = ""
        while goesOn() {
            let after = last
            let names = try catalog.read { session throws(DatabaseError) in
                try session.goingPacks(at: now, limit: Sweeper.rowsMax, after: after)
            }
            guard let end = names.last else { return }
            last = end
            for text in names where goesOn() {
                guard discard(text, &report) else { continue }
                Faults.pass(.packRemoved)
                // Where a power cut undoes this, it is deleted again.
                try catalog.write(surviving: .crash) { session throws(DatabaseError) in try session.forgetLoosePack(text) }
            }
        }
    }

    private func discard(_ text: String, _ report: inout Report) -> Bool {
        guard let name = PackName(text) else { return true }
        do throws(StorageError) {
            let byteCount = try store.packByteCount(name)
            try store.discard(name)
            if let byteCount {
                report.packs += 1
                report.freedBytes += byteCount
            }
            return true
        } catch {
            report.failures += 1
            log.warning("could not delete the pack \(text), will try again: \(error)")
            return false
        }
    }
}
