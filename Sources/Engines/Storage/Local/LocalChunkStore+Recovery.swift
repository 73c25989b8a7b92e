import Platform

/// A pack that the database says may still be appended to.
package struct RecoverablePack: Hashable, Sendable {
    package let name: PackName
    /// The end that was committed last: no extent that any row names, living or dead, lies beyond it.
    package let byteCount: Int64

    package init(name: PackName, byteCount: Int64) {
        self.name = name
        self.byteCount = byteCount
    }
}

/// What recovery found and did.
package struct RecoveryReport: Hashable, Sendable {
    /// Packs that no row named, removed.
    package var removedPacks: [PackName] = []
    /// Unsealed packs whose uncommitted tail was cut off, and how many bytes that were.
    package var cutPacks: [PackName: Int64] = [:]
    /// Unsealed packs that rows name and that are not there.
    package var missingPacks: [PackName] = []
    /// Unsealed packs that end before what was committed; they are not appended to any more.
    package var shortPacks: [PackName] = []
    /// Packs that a writer of another process has; left alone.
    package var lockedPacks: [PackName] = []
    /// Leftovers of writes that a crash interrupted, removed.
    package var removedTemporaries: [String] = []
    /// Files that are none of ours, left alone.
    package var strangers: [String] = []

    package init() {}

    /// Whether something that was committed is not there: a crash does not do that.
    package var foundLoss: Bool { !missingPacks.isEmpty || !shortPacks.isEmpty }
}

extension RecoveryReport: CustomStringConvertible {
    package var description: String {
        func count(_ number: Int, _ one: String, _ many: String) -> String? {
            number == 0 ? nil : number == 1 ? "1 \(one)" : "\(number) \(many)"
        }
        let cutByteCount = cutPacks.values.reduce(0, +)
        let parts = [
            count(cutPacks.count, "pack", "packs").map { "cut \(cutByteCount) uncommitted bytes off \($0)" },
            count(removedPacks.count, "pack that no row names", "packs that no row names").map { "removed \($0)" },
            count(removedTemporaries.count, "unfinished file", "unfinished files").map { "removed \($0)" },
            count(lockedPacks.count, "pack", "packs").map { "left alone \($0) that another process writes" },
            count(strangers.count, "file", "files").map { "left alone \($0) that are not ours, as \(strangers[0])" },
            count(missingPacks.count, "pack is", "packs are").map { "\($0) not there, as \(missingPacks[0])" },
            count(shortPacks.count, "pack is", "packs are").map { "\($0) shorter than what was committed, as \(shortPacks[0])" },
        ].compactMap(\.self)
        return parts.isEmpty ? "nothing to do" : parts.joined(separator: ", ")
    }
}

extension LocalChunkStore {
    /// Puts the directory in order after a crash, before anything is written: cuts off bytes and removes packs
    /// that no row names, and opens the unsealed packs to writers again. For the start of a server; after a clean
    /// stop it changes nothing.
    ///
    /// - Parameters:
    ///   - unsealed: the packs that rows call unsealed. The end must count dead extents that are still to be
    ///     punched: new bytes in their place would be punched with them.
    ///   - isKnown: whether a row names the pack.
    package func recover(
        unsealed: [RecoverablePack], isKnown: (PackName) throws -> Bool
    ) throws(StorageError) -> RecoveryReport {
        var report = RecoveryReport()
        try removeTemporaries(&report)
        for file in try packFiles() {
            guard let name = file.pack else {
                report.strangers.append(file.path)
                continue
            }
            let isNamed: Bool
            do { isNamed = try isKnown(name) } catch {
                throw StorageError("recover", file.path, .checkFailed("\(error)"))
            }
            if isNamed { continue }
            if try removePack(name, ifStill: { try !isKnown(name) }) {
                report.removedPacks.append(name)
            } else {
                report.lockedPacks.append(name)
            }
        }
        for pack in unsealed { try reopen(pack, &report) }
        // A crash between the removal of a pack and of its shard leaves the shard; the others refuse.
        for shard in (try? Directory.names(layout.packs)) ?? [] where LocalLayout.isShard(shard) {
            try? Directory.removeEmpty("\(layout.packs)/\(shard)")
        }
        return report
    }

    private func reopen(_ pack: RecoverablePack, _ report: inout RecoveryReport) throws(StorageError) {
        guard let byteCount = try packByteCount(pack.name) else {
            report.missingPacks.append(pack.name)
            return
        }
        if byteCount < pack.byteCount {
            report.shortPacks.append(pack.name)
            return
        }
        if byteCount > pack.byteCount {
            guard try truncatePack(pack.name, to: pack.byteCount) else {
                report.lockedPacks.append(pack.name)
                return
            }
            report.cutPacks[pack.name] = byteCount - pack.byteCount
        }
        pool.drop(pack.name)
        pool.put(PackPool.Idle(name: pack.name, byteCount: pack.byteCount))
    }

    private func removeTemporaries(_ report: inout RecoveryReport) throws(StorageError) {
        try sorted { () throws(SystemError) in
            for name in try Directory.names(layout.root) where LocalLayout.isTemporary(name) {
                try File.remove("\(layout.root)/\(name)")
                report.removedTemporaries.append(name)
            }
        }
    }
}
