import Compression
import Database
import Platform

extension Checker {
    /// NARs: their references, sizes and marks.
    func checkNars() throws {
        var last: Int64 = 0
        while true {
            try step(CheckProgress("NARs", done: report.counts.nars))
            let after = last
            let nars = try read { session throws(DatabaseError) in
                try session.narSums(after: after, limit: Checker.batchCount)
            }
            guard let end = nars.last?.id else { return }
            for nar in nars { try check(nar) }
            report.counts.nars += Int64(nars.count)
            last = end
        }
    }

    private func check(_ nar: NarSums) throws {
        if nar.isDamaged {
            // One that nobody has any more goes with the next collection.
            if nar.isClaimed { try takeDamaged(nar) }
            return
        }
        if nar.hasAllReferences && nar.addsUp && nar.damagedChunkCount == 0 { return }
        toldNars.insert(nar.id)
        let claims = try claims(ofNar: nar.id)
        let finding: Finding
        if nar.damagedChunkCount > 0 {
            let what = "the NAR \(nar.id) needs \(nar.damagedChunkCount) chunks that are damaged, and counts as whole"
            finding = Finding(.narUnmarked, what, claims: claims, remedy: Checker.reading)
        } else if !nar.hasAllReferences {
            let what = "the NAR \(nar.id) should have \(nar.chunkCount) chunks, and has \(nar.referenceCount) at the positions \(nar.firstPosition) to \(nar.lastPosition)"
            finding = Finding(.narReferences, what, claims: claims, remedy: Checker.reading)
        } else {
            let what = "the NAR \(nar.id) should have \(nar.narSize) bytes, stored in \(nar.fileSize), and its chunks have \(nar.byteCount), stored in \(nar.storedByteCount)"
                + (nar.strangeChunkCount > 0 ? ", \(nar.strangeChunkCount) of them in another compression" : "")
            finding = Finding(.narSizes, what, claims: claims, remedy: Checker.reading)
        }
        take(finding) { try readAgain(nar.id, claims) }
    }

    private static let reading = "read it, and correct its row where it is whole, else mark it as damaged, so that its paths count as missing and are pushed again"

    private func takeDamaged(_ nar: NarSums) throws {
        toldNars.insert(nar.id)
        let claims = try claims(ofNar: nar.id)
        take(Finding(
            .narDamaged, "the NAR \(nar.id) is known to be damaged, and is answered 503 until its path is pushed again",
            claims: claims, remedy: "read it, and take the mark away where it is whole; else push its paths again")
        ) { try readAgain(nar.id, claims) }
    }

    /// Reads a NAR, and writes into its rows what that told.
    private func readAgain(_ narID: Int64, _ claims: Claims) throws -> Repair {
        switch try verifier.settle(narID) {
        case .settled(let reading): reading.verdict.isWhole ? .done("it is whole: its row says so now") : lost(claims)
        case .gone: .vanished
        case .changing: .failed("it is being changed all the time")
        }
    }

    /// What was found to be lost is marked; who has it must push it.
    private func lost(_ claims: Claims) -> Repair {
        claims.isEmpty ? .done("marked as damaged") : .remains("marked as damaged: push its paths again")
    }

    private func claims(ofNar narID: Int64) throws(DatabaseError) -> Claims {
        try read { session throws(DatabaseError) in try session.claims(ofNar: narID, limit: Finding.claimsMax) }
    }

    // MARK: Contents

    /// Reads and hashes all NARs from the first that is wanted on, by id: about in the order in which they lie.
    func checkContents() throws {
        var (done, total) = (Int64(0), Int64(0))
        var last = options.firstNarID - 1
        report.next = options.firstNarID
        while case let sizes = try narSizes(after: last), let end = sizes.last?.id {
            total += sizes.reduce(0) { $0 + $1.fileSize }
            last = end
        }
        var pace = options.bytesPerSecond.map { Pace(bytesPerSecond: $0) }
        last = options.firstNarID - 1
        while case let nars = try narSizes(after: last), let end = nars.last?.id {
            for nar in nars {
                report.next = nar.id
                try checkContent(of: nar.id) { byteCount in
                    done += byteCount
                    report.counts.verifiedBytes += byteCount
                    pace?.keep(after: byteCount) { !isStopped }
                    return (try? step(CheckProgress("contents", done: done, total: total, next: nar.id))) != nil
                }
                report.counts.verifiedNars += 1
            }
            last = end
        }
        report.next = nil
    }

    private func narSizes(after: Int64) throws(DatabaseError) -> [(id: Int64, fileSize: Int64)] {
        try read { session throws(DatabaseError) in try session.narSizes(after: after, limit: Checker.rowsMax) }
    }

    /// - Throws: `Stopped`.
    private func checkContent(of narID: Int64, _ read: (Int64) -> Bool) throws {
        for _ in 0..<NarVerifier.triesMax {
            guard let reading = try verifier.read(narID, read) else {
                if isStopped { throw Stopped() }
                return
            }
            // Where all is well nobody cares whether it changed meanwhile.
            if reading.losses.isEmpty && reading.isAsItsRows { return try checkListing(of: narID) }
            guard try verifier.isStill(reading.snapshot) else { continue }
            return try take(reading)
        }
    }

    private func take(_ reading: NarVerifier.Reading) throws {
        let nar = reading.snapshot.nar
        for loss in reading.losses where !loss.isKnown {
            let place = loss.chunk.place
            if toldPacks.contains(place.pack) && !options.repairs || !toldChunks.insert(loss.chunk.id).inserted { continue }
            let claims = try self.read { session throws(DatabaseError) in
                try session.claims(ofChunk: loss.chunk.id, limit: Finding.claimsMax)
            }
            let what = "the chunk \(loss.chunk.hash.hex) of \(place.byteCount) bytes at \(place.offset) of \(location(place.pack)) is damaged: \(loss.reason)"
            take(Finding(
                .chunkContent, what, claims: claims,
                remedy: "mark it as damaged, so that its paths count as missing and are pushed again")
            ) {
                let isMarked = try write { session throws(DatabaseError) in try session.markLost(loss.chunk) }
                return isMarked ? lost(claims) : .vanished
            }
        }
        // What rows say was told already, and where chunks are lost there is no more to say.
        guard reading.losses.isEmpty, !toldNars.contains(nar.id) || options.repairs else { return }
        if let hash = reading.narHash, !reading.verdict.isWhole {
            if nar.isDamaged { return }
            let what = "the NAR \(nar.id) of hash \(nar.narHash.hex) has the hash \(hash.hex), though its chunks are whole: it is not made of them"
            let claims = try claims(ofNar: nar.id)
            take(Finding(
                .narContent, what, claims: claims,
                remedy: "mark it as damaged, so that its paths count as missing and are pushed again")
            ) { try readAgain(nar.id, claims) }
        } else if !reading.isAsItsRows {
            let what = "the NAR \(nar.id) is whole, and its row says otherwise (hash or size of its stored file, a mark, or a size)"
            let claims = try claims(ofNar: nar.id)
            take(Finding(.fileHash, what, claims: claims, remedy: "correct the row")) { try readAgain(nar.id, claims) }
        }
    }

    private func checkListing(of narID: Int64) throws {
        let kept = try read { session throws(DatabaseError) in try session.findListing(ofNar: narID) }
        guard case .text(let frame, let byteCount)? = kept else { return }
        let text = try? StreamDecoder.decode(frame, .zstd, outputByteCountMax: Bounds.listingBytesMax)
        if let text, Int64(text.count) == byteCount { return }
        take(Finding(
            .listing, "the listing of the NAR \(narID) cannot be read", claims: try claims(ofNar: narID),
            remedy: "forget it: it is made anew when somebody asks for it")
        ) {
            try write { session throws(DatabaseError) in try session.removeListing(ofNar: narID) }
            return .done()
        }
    }
}

extension NarVerifier.Reading {
    /// Whether rows say of it what is true.
    fileprivate var isAsItsRows: Bool {
        let nar = snapshot.nar
        return verdict.isWhole && verdict.byteCounts.isEmpty && !nar.isDamaged && verdict.narSize == nar.narSize
            && verdict.fileSize == nar.fileSize && verdict.fileHash == nar.fileHash
            && !snapshot.parts.contains(where: \.isDamaged)
    }
}
