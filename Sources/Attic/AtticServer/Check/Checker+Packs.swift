import Database
import Platform
import Storage

extension Checker {
    /// Packs that rows name: whether they are there, how long they are, and what lies in them.
    func checkPacks() throws {
        var last: Int64 = 0
        while true {
            let after = last
            let packs = try read { session throws(DatabaseError) in
                try session.packs(after: after, limit: Checker.batchCount)
            }
            guard let end = packs.last?.id else { return }
            for pack in packs { try check(pack) }
            last = end
        }
    }

    private func check(_ pack: PackRow) throws {
        try step(CheckProgress("packs", done: report.counts.packs))
        let name = PackName(pack.name)
        let fileByteCount = try name.flatMap { name throws(StorageError) in try store.packByteCount(name) }
        let walk = try walk(pack, fileByteCount: fileByteCount ?? 0)
        report.counts.packs += 1
        report.counts.chunks += walk.chunkCount
        if !walk.lost.isEmpty { try takeLoss(walk.lost, of: pack, name) }
        if !walk.placeless.isEmpty { try takePlaceless(walk.placeless, in: pack) }
        for (first, second) in walk.overlaps { try takeOverlap(first, second, in: pack) }
        for pair in walk.inDead { try takeDead(pair.chunk, pair.dead, in: pack) }
        if walk.livingEnd > pack.byteCount { try takeRow(of: pack, reachingTo: walk.livingEnd) }
        if let name, let fileByteCount, fileByteCount > max(pack.byteCount, walk.livingEnd) { try takeTail(of: pack, name) }
    }

    private func walk(_ pack: PackRow, fileByteCount: Int64) throws -> PackWalk {
        var walk = PackWalk(fileByteCount: fileByteCount)
        var from = Int64.min
        while true {
            let start = from
            var part = try read { session throws(DatabaseError) in
                try session.extents(inPack: pack.id, from: start, limit: Checker.rowsMax)
            }
            guard part.count == Checker.rowsMax, let last = part.last?.offset else {
                for extent in part { walk.take(extent) }
                return walk
            }
            // The next part begins with all that lie where this one ends, which may be several.
            let isAllOne = part[0].offset == last
            if !isAllOne { part.removeAll { $0.offset == last } }
            for extent in part { walk.take(extent) }
            from = isAllOne ? last + 1 : last
        }
    }

    /// Chunks whose bytes are not in the file.
    private func takeLoss(_ suspects: [NamedExtent], of pack: PackRow, _ name: PackName?) throws {
        // The file again, then the rows again: what is lost between the two looks is lost.
        let byteCount = try name.flatMap { name throws(StorageError) in try store.packByteCount(name) }
        let lost = try read { session throws(DatabaseError) in
            try session.remaining(suspects.filter { $0.end > byteCount ?? 0 }, inPack: pack.id)
        }
        guard let end = lost.map(\.end).max() else { return }
        toldPacks.insert(pack.name)
        let claims = try read { session throws(DatabaseError) in
            try session.claims(ofPack: pack.id, beyond: byteCount ?? 0, limit: Finding.claimsMax)
        }
        let chunks = lost.count == 1 ? "1 chunk is lost" : "\(lost.count) chunks are lost"
        let finding = if let byteCount {
            Finding(
                .packShort, "the pack \(location(pack.name)) has \(byteCount) bytes, and chunks of it reach to \(end): \(chunks)",
                claims: claims, remedy: "mark them as damaged, so that their paths count as missing and are pushed again")
        } else {
            Finding(
                .packMissing, "the pack \(location(pack.name)) is not there: \(chunks)", claims: claims,
                remedy: "mark them as damaged, so that their paths count as missing and are pushed again (where storage.path is the wrong directory, correct that first)")
        }
        take(finding) {
            for start in stride(from: 0, to: lost.count, by: Checker.batchCount) {
                let some = Array(lost[start..<min(start + Checker.batchCount, lost.count)])
                try write { session throws(DatabaseError) in try session.markLost(some, inPack: pack.id, keepsPlace: true) }
            }
            return .done("marked \(lost.count == 1 ? "it" : "them") as damaged")
        }
    }

    private func takePlaceless(_ suspects: [NamedExtent], in pack: PackRow) throws {
        let extents = try read { session throws(DatabaseError) in try session.remaining(suspects, inPack: pack.id) }
        for extent in extents {
            let what = "\(extent.byteCount) bytes at \(extent.offset) of \(location(pack.name)), where none can be"
            if extent.isDead {
                take(Finding(.chunkPlace, "the dead extent \(extent.id) is of \(what)", remedy: "forget it")) {
                    try write { session throws(DatabaseError) in try session.forgetDeadExtents([extent.id]) }
                    return .done()
                }
                continue
            }
            let claims = try read { session throws(DatabaseError) in
                try session.claims(ofChunk: extent.id, limit: Finding.claimsMax)
            }
            take(Finding(
                .chunkPlace, "the chunk \(extent.id) is said to have \(what)", claims: claims,
                remedy: "mark it as damaged, so that its paths count as missing and are pushed again")
            ) {
                try write { session throws(DatabaseError) in
                    try session.markLost([extent], inPack: pack.id, keepsPlace: false)
                }
                return .done()
            }
        }
    }

    private func takeOverlap(_ first: NamedExtent, _ second: NamedExtent, in pack: PackRow) throws {
        let both = try read { session throws(DatabaseError) in try session.remaining([first, second], inPack: pack.id) }
        guard both.count == 2 else { return }
        let claims = try read { session throws(DatabaseError) in
            let ones = try session.claims(ofChunk: first.id, limit: Finding.claimsMax / 2)
            let others = try session.claims(ofChunk: second.id, limit: Finding.claimsMax / 2)
            return Claims(shown: ones.shown + others.shown, hasMore: ones.hasMore || others.hasMore)
        }
        let what = "the chunks \(first.id) and \(second.id) share bytes of \(location(pack.name)): \(first.offset) to \(first.end), and \(second.offset) to \(second.end)"
        take(Finding(
            .extentsOverlap, what, claims: claims,
            remedy: "read both, and mark as damaged which is not there, so that its paths count as missing and are pushed again")
        ) {
            let lost = try both.filter { try !isWhole($0) }
            if lost.isEmpty { return .remains("both are whole: keep a copy of the storage, and report this") }
            try write { session throws(DatabaseError) in
                // Giving back a place that is another's would take that one's bytes.
                try session.markLost(lost, inPack: pack.id, keepsPlace: false)
            }
            return .done("marked \(lost.count == 1 ? "one" : "both") as damaged")
        }
    }

    private func takeDead(_ chunk: NamedExtent, _ dead: NamedExtent, in pack: PackRow) throws {
        let both = try read { session throws(DatabaseError) in try session.remaining([chunk, dead], inPack: pack.id) }
        guard both.count == 2 else { return }
        let claims = try read { session throws(DatabaseError) in
            try session.claims(ofChunk: chunk.id, limit: Finding.claimsMax)
        }
        let what = "the chunk \(chunk.id) lies at \(chunk.offset) of \(location(pack.name)), in bytes that are noted as dead and will be given back"
        take(Finding(
            .chunkInDeadExtent, what, claims: claims,
            remedy: "read it, and forget the note where it is whole, else mark it as damaged, so that its paths count as missing and are pushed again")
        ) {
            let attempt = try catalog.beginCollection(waitingAtMost: .seconds(10))
            guard let lock = attempt.lock else {
                return .failed("a collection is at work\(attempt.holder), which may be giving them back: try again when it has ended")
            }
            defer { withExtendedLifetime(lock) {} }
            let isWhole = try isWhole(chunk)
            try write { session throws(DatabaseError) in
                guard try session.remaining([chunk, dead], inPack: pack.id).count == 2 else { return }
                if isWhole {
                    try session.forgetDeadExtents([dead.id])
                } else {
                    try session.markLost([chunk], inPack: pack.id, keepsPlace: false)
                }
            }
            return .done(isWhole ? "forgot the note: the chunk is whole" : "marked it as damaged")
        }
    }

    private func isWhole(_ extent: NamedExtent) throws -> Bool {
        guard let chunk = try read({ session throws(DatabaseError) in try session.findChunk(extent.id) }) else { return false }
        return try verifier.loss(of: chunk) == nil
    }

    /// A row that says less than its chunks: the next upload into the pack, or start, would go by it.
    private func takeRow(of pack: PackRow, reachingTo end: Int64) throws {
        // An upload may have committed into it between the two looks, or a collection have removed it.
        let row = try read { session throws(DatabaseError) in try session.findPack(pack.name) }
        guard let row, end > row.byteCount else { return }
        let what = "the row of the pack \(location(pack.name)) says that it has \(row.byteCount) bytes, and chunks of it reach to \(end)"
        take(Finding(.packRow, what, remedy: "write \(end) into it")) {
            try write { session throws(DatabaseError) in try session.raisePack(pack.id, to: end) }
            return .done()
        }
    }

    /// Bytes behind all that was committed into a pack.
    private func takeTail(of pack: PackRow, _ name: PackName) throws {
        var tail: (byteCount: Int64, end: Int64)?
        func end() throws -> Int64? {
            try read { session throws(DatabaseError) in
                guard let row = try session.findPack(pack.name) else { return nil }
                return max(row.byteCount, try session.namedEnd(ofPack: row.id).any)
            }
        }
        _ = try store.lookAtIdlePack(name) { byteCount in
            if let end = try end(), byteCount > end { tail = (byteCount, end) }
            return nil
        }
        guard let tail else { return }
        let what = "the pack \(location(pack.name)) has \(tail.byteCount) bytes, and no row names those from \(tail.end) on"
        if store.packKind == .object {
            // Nobody appends to an object, so nobody will take them for theirs.
            report.notices.append("\(what); they do no harm, and go when the pack does")
            return
        }
        take(Finding(.packTail, what, remedy: "cut them off, as the next start of the server would")) {
            let isIdle = try store.lookAtIdlePack(name) { _ in try end() }
            return isIdle ? .done() : .vanished
        }
    }

    // MARK: Files

    /// Files that no row names.
    func checkFiles(_ listed: [PackName]) throws {
        try step(CheckProgress("files", done: 0))
        let named = Set(try read { session throws(DatabaseError) in try session.packNames() })
        for name in listed where !named.contains(name.text) {
            try step(CheckProgress("files", done: 0))
            func isUnnamed() throws -> Bool {
                try !read { session throws(DatabaseError) in try session.packExists(name.text) }
            }
            /// Its bytes; nil where a writer has it, or a row names it.
            func unnamedByteCount() throws -> Int64? {
                var found: Int64?
                _ = try store.lookAtIdlePack(name) { byteCount in
                    if try isUnnamed() { found = byteCount }
                    return nil
                }
                return found
            }
            var unnamed = try unnamedByteCount()
            for _ in 0..<Checker.looksAtEmptyPack where unnamed == 0 {
                MonotonicTime.sleep(Checker.emptyPackPause)
                unnamed = try unnamedByteCount()
            }
            guard let byteCount = unnamed else { continue }
            let what = "no row names the pack \(store.location(of: name)) of \(byteCount) bytes"
            take(Finding(.unnamedFile, what, remedy: "remove it, as the next collection would")) {
                try store.removePack(name, ifStill: isUnnamed) ? .done() : .vanished
            }
        }
        let others = try store.otherFiles()
        for path in others.temporaries {
            take(Finding(.temporaryFile, "\(path) is the rest of a write that was interrupted", remedy: "remove it")) {
                try store.removeTemporary(path)
                return .done()
            }
        }
        for path in others.strangers.prefix(Checker.batchCount) {
            report.notices.append("\(path) is not the server's; it is left alone")
        }
    }
}
