import Database
import Logging
import Platform
import Storage

/// Copies a server into a directory from which it can serve again, while it serves: `atticadm backup`.
///
/// In this order, so that the copy never has rows without bytes:
///
/// 1. Collection is kept from working (its lock is taken), so that no byte goes which a row names from now on.
/// 2. The database is copied as it is at one moment.
/// 3. The bytes that the copy's rows name are copied; what was pushed since is left out.
/// 4. When all of them are on the disk, the copy of the database gets its name, and then the configuration is written: a backup
///    that was interrupted has none, and is not taken for a whole one.
///
/// Packs are not linked: collection punches holes into them where they lie, and a link is the same bytes.
package struct Backup: Sendable {
    /// What was copied.
    package struct Report: Sendable, Hashable, CustomStringConvertible {
        package var packs = 0
        package var packBytes: Int64 = 0
        package var databaseBytes: Int64 = 0
        /// Packs of which bytes were missing that rows name: sentences.
        package var losses: [String] = []
        package var configurationPath = ""

        package var description: String {
            "copied \(packs) packs (\(packBytes) bytes) and the database (\(databaseBytes) bytes); \"atticd -f \(configurationPath)\" serves from there"
        }
    }

    /// How long a collection that is at work is waited for.
    private static let collectionPatience = Duration.seconds(600)
    /// Extents of a pack that are looked up at a time, and packs.
    private static let batchCount = 1000

    private let configuration: Configuration
    private let catalog: Catalog
    private let store: LocalChunkStore
    private let log: Logger

    init(_ configuration: Configuration, _ catalog: Catalog, _ store: LocalChunkStore, log: Logger) {
        self.configuration = configuration
        self.catalog = catalog
        self.store = store
        self.log = log
    }

    /// Backs up what a configuration names, beside whatever server is running.
    ///
    /// - Parameters:
    ///   - directory: must be new, or empty.
    ///   - move: is told how far it has come; throws to stop it.
    package static func run(
        _ configuration: Configuration, to directory: String, log: Logger, move: (CheckProgress) throws -> Void
    ) throws -> Report {
        guard configuration.database.path != nil else {
            throw RunnerError("the database \(configuration.database.name) is not a file: copy it with pg_dump --format=custom --file=tetryx.dump and its URL (the password in ~/.pgpass), and the storage after it; docs/operations.md says how")
        }
        let (catalog, opened) = try Fsck.open(configuration, log: log)
        defer { catalog.close() }
        guard let store = opened as? LocalChunkStore else {
            throw RunnerError("the chunks are in the bucket \(configuration.storageName), and only those of a directory are copied here: copy the database first, then the bucket, with their own tools")
        }
        return try Backup(configuration, catalog, store, log: log).run(to: directory, move: move)
    }

    func run(to directory: String, move: (CheckProgress) throws -> Void) throws -> Report {
        if File.exists(directory), try !Directory.names(directory).isEmpty {
            throw RunnerError("\(directory) is not empty: name a new directory for each backup")
        }
        try Directory.make(directory, permissions: 0o700)
        let directory = try File.resolve(directory)
        guard let lock = try catalog.beginCollection(waitingAtMost: Backup.collectionPatience).lock else {
            throw RunnerError("a collection has been at work in \(configuration.storagePath) for \(Backup.collectionPatience.components.seconds) seconds: try again when it has ended")
        }
        defer { withExtendedLifetime(lock) {} }
        var report = Report()
        try move(CheckProgress("database", done: 0))
        let partial = "\(directory)/server.db.partial"
        try catalog.copy(to: partial)
        let copy = try Catalog(path: partial, readers: 1, log: log)
        do {
            try copyPacks(of: copy, to: LocalChunkStore(path: "\(directory)/storage", forServing: false, id: store.id, log: log), &report, move)
        } catch {
            copy.close()
            throw error
        }
        copy.close()
        try finish(directory, partial, &report)
        return report
    }

    private func copyPacks(
        of copy: Catalog, to target: LocalChunkStore, _ report: inout Report, _ move: (CheckProgress) throws -> Void
    ) throws {
        let total = try copy.read { session throws(DatabaseError) in try session.namedByteCount() }
        var last: Int64 = 0
        while true {
            let after = last
            let packs = try copy.read { session throws(DatabaseError) in
                try session.packs(after: after, limit: Backup.batchCount)
            }
            guard let end = packs.last?.id else { break }
            for pack in packs {
                guard let name = PackName(pack.name) else {
                    report.losses.append("\"\(pack.name)\" is no name of a pack")
                    continue
                }
                let (living, end) = try extents(of: pack, name, in: copy)
                do throws(StorageError) {
                    try store.copyPack(name, living, byteCount: end, to: target) { count in
                        report.packBytes += count
                        try move(CheckProgress("packs", done: report.packBytes, total: total))
                    }
                } catch {
                    // What the disk cannot read may come back, and a copy without it would be for good.
                    guard error.saysBytesAreLost else { throw error }
                    report.losses.append("\(error)")
                }
                report.packs += 1
            }
            last = end
        }
        try target.syncNames()
    }

    /// The living extents of a pack, and the end of all that rows name in it: a server that starts takes a pack that is shorter
    /// for a damaged one.
    private func extents(of pack: PackRow, _ name: PackName, in copy: Catalog) throws(DatabaseError) -> ([Extent], Int64) {
        var living: [Extent] = []
        var from: Int64 = 0
        while true {
            let start = from
            let part = try copy.read { session throws(DatabaseError) in
                try session.extents(inPack: pack.id, from: start, limit: Backup.batchCount)
            }
            for extent in part where !extent.isDead && extent.byteCount > 0 && extent.end < .max {
                living.append(Extent(pack: name, offset: extent.offset, byteCount: extent.byteCount))
            }
            guard part.count == Backup.batchCount, let last = part.last else { break }
            // Extents of the same offset share bytes: those beyond the batch are copied with the others.
            from = last.offset + 1
        }
        let end = try copy.read { session throws(DatabaseError) in try session.namedEnd(ofPack: pack.id).any }
        return (living, end)
    }

    /// All bytes are there: gives the copy its name, and writes the configuration.
    private func finish(_ directory: String, _ partial: String, _ report: inout Report) throws {
        // What Catalog made beside it is empty when it is closed.
        for suffix in ["-wal", "-shm"] where File.exists(partial + suffix) { try File.remove(partial + suffix) }
        let database = "\(directory)/server.db"
        try File.rename(partial, to: database)
        let file = try File.open(database, .readWrite)
        do throws(Errno) {
            try file.sync()
            report.databaseBytes = try file.status().byteCount
        } catch { throw SystemError("sync", database, error) }
        try File.syncDirectory(directory)
        report.configurationPath = "\(directory)/server.toml"
        let text = configuration.text(database: .sqlite(path: database), storagePath: "\(directory)/storage")
        try File.replace(report.configurationPath, with: Array(text.utf8), permissions: 0o600)
    }
}
