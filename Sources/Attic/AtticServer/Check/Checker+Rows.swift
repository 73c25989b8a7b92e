import Database
import Platform

extension Checker {
    /// Faults of its file that are told at most.
    private static let fileFaultsMax = 20

    /// The database's own file: nothing else that it says counts where that is damaged.
    func checkDatabaseFile() throws {
        try step(CheckProgress("database file", done: 0))
        let isThorough = options.verifiesContent
        let faults: [String]
        do throws(DatabaseError) {
            faults = try read { session throws(DatabaseError) in
                try session.fileFaults(thoroughly: isThorough, limit: Checker.fileFaultsMax)
            }
        } catch {
            guard error.kind == .corrupt else { throw error }
            faults = ["it cannot even be checked"]
        }
        for fault in faults {
            let advice = "stop the server, and restore the database from a backup"
            take(Finding(.databaseFile, "the database's file is damaged: \(fault)", remedy: advice)) { .remains(advice) }
        }
    }

    /// Rows that name rows which are not there, in every table.
    func checkLinks() throws {
        for link in try read({ session throws(DatabaseError) in try session.rowLinks() }) {
            var last: Int64? = .min
            while let after = last {
                try step(CheckProgress("rows of \(link.table)", done: 0))
                let part = try read { session throws(DatabaseError) in
                    try session.danglingRows(link, after: after, limit: Checker.rowsMax)
                }
                for rows in part.found { try take(rows) }
                last = part.last
            }
        }
    }

    private func take(_ rows: DanglingRows) throws {
        let (count, claims) = try read { session throws(DatabaseError) in
            (try session.count(rows), try session.claims(of: rows, limit: Finding.claimsMax))
        }
        if count == 0 { return }
        let link = rows.link
        let names = count == 1 ? "1 row of \(link.table) names" : "\(count) rows of \(link.table) name"
        let remedy = switch link {
        case .objectNar: "remove the objects, so that their paths count as missing and are pushed again"
        case .objectCache: "remove the objects of a cache that is not there"
        case .chunkPack: "remove the chunks and mark the NARs that need them as damaged, so that their paths count as missing and are pushed again"
        case .referenceChunk: "mark the NARs as damaged, so that their paths count as missing and are pushed again"
        case .referenceNar: "have the next collection remove them"
        default: "remove them"
        }
        let what = "\(names) the \(link.parent) \(rows.missingID), which is not there"
        take(Finding(.danglingRows, what, claims: claims, remedy: remedy)) {
            while try write({ session throws(DatabaseError) in
                try session.remove(rows, limit: Checker.batchCount)
            }) >= Checker.batchCount {}
            return .done()
        }
    }

    /// Objects that contradict themselves.
    func checkObjects() throws {
        var last: Int64 = 0
        while true {
            try step(CheckProgress("objects", done: report.counts.objects))
            let after = last
            let objects = try read { session throws(DatabaseError) in
                try session.objectRows(after: after, limit: Checker.rowsMax)
            }
            guard let end = objects.last?.id else { return }
            for object in objects where !object.namesItself || !object.hasItsReferences { try take(object) }
            report.counts.objects += Int64(objects.count)
            last = end
        }
    }

    private func take(_ object: ObjectRow) throws {
        let cache = try read { session throws(DatabaseError) in try session.cacheWord(object.cacheID) }
        let claims = Claims(shown: [.init(cache: cache, storePath: object.storePath)], hasMore: false)
        if object.namesItself {
            let what = "the object \(object.id) has other references as rows than its narinfo names, by which collection would keep or lose others"
            take(Finding(.objectReferences, what, claims: claims, remedy: "write them as the narinfo has them")) {
                try write { session throws(DatabaseError) in try session.rewriteReferences(of: object) }
                return .done()
            }
        } else {
            let what = "the object \(object.id) is filed under \"\(object.storePathHash)\", which is not the hash of its store path"
            take(Finding(.object, what, claims: claims, remedy: "remove it, so that its path counts as missing and is pushed again")) {
                try write { session throws(DatabaseError) in try session.removeObject(object.id) }
                return .done()
            }
        }
    }

    /// Rows that nothing keeps and no collection would look at.
    func checkUnreachable() throws {
        for table in KeptTable.allCases {
            var last: Int64? = 0
            while let after = last {
                try step(CheckProgress("what nothing keeps", done: after))
                let part = try read { session throws(DatabaseError) in
                    try session.unreachable(table, after: after, limit: Checker.rowsMax)
                }
                if let first = part.ids.first {
                    let what = "\(part.ids.count) rows of \(table) from \(first) on are kept by nothing, and no collection would find them: their space is lost"
                    take(Finding(.unreachable, what, remedy: "have the next collection look at them")) {
                        for start in stride(from: 0, to: part.ids.count, by: Checker.batchCount) {
                            let ids = Array(part.ids[start..<min(start + Checker.batchCount, part.ids.count)])
                            try write { session throws(DatabaseError) in try session.noteUnreachable(table, ids) }
                        }
                        return .done()
                    }
                }
                last = part.last
            }
        }
    }

    /// Uploads that ended without a word, most often with their server.
    func checkLeases() throws {
        let now = options.now
        guard let expired = try read({ session throws(DatabaseError) in try session.expiredUploads(at: now) }) else { return }
        let what = "the leases of \(expired.count) uploads have ended, the first at \(expired.oldest.text), and they still hold what they found"
        take(Finding(.expiredLease, what, remedy: "end them, as the next collection or start of the server would")) {
            while try !write({ session throws(DatabaseError) in
                try session.expireUploads(at: now, limit: Checker.batchCount).isFinished
            }) {}
            return .done()
        }
    }
}
