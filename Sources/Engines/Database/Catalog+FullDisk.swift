import Platform
import SQL

// What makes room on a full disk must itself find room: a deletion is written to the log (WAL) before it is one.

extension Catalog {
    /// Bytes of the log that are taken in advance: about as long as it gets before it is begun anew (`Checkpointer.pagesWanted`).
    static let reservedLogBytes: Int64 = 16 << 20
    /// Of a small disk it is no more than one part of so many.
    static let reservedLogPart: Int64 = 16

    /// Takes room for the log on the disk, once: then there is a way out where the disk becomes full, and what changes without growing (a
    /// collection, a cache's settings, a revocation) goes on. The room is given back when the last process closes the database,
    /// which removes the log.
    ///
    /// Does nothing where that was done, and where nothing was written yet: then there is no log. Nor where the database is no file of ours.
    ///
    /// - Throws: `SystemError` where there is no room; or where the file system cannot take room in advance, which is no harm until the
    ///   disk is full.
    package func reserveLog() throws(SystemError) {
        if hasReservedLog.withLock({ $0 }) { return }
        guard let database = location.path else { return }
        let path = database + "-wal"
        guard File.exists(path) else { return }
        let file = try File.open(path, .readWrite)
        do throws(Errno) {
            try file.reserve(byteCount: min(Catalog.reservedLogBytes, file.fileSystemByteCount() / Catalog.reservedLogPart))
        } catch { throw SystemError("take room for", path, error) }
        hasReservedLog.withLock { $0 = true }
    }

    /// How often the log is begun anew at most: where that does not help, it does not help a second later.
    private static let logRestartInterval = Duration.seconds(1)

    /// Has the log of a full disk begun anew, from its first byte: what it holds is written into the database's file.
    ///
    /// - Returns: whether that was done; not where it was tried a moment ago, where that file would have to grow, and where others are
    ///   still reading what the log holds.
    func restartsFullLog() -> Bool {
        guard let path = location.path else { return false }
        let isDue = nextLogRestart.withLock { next in
            guard MonotonicTime.now >= next else { return false }
            next = .now + Catalog.logRestartInterval
            return true
        }
        guard isDue else { return false }
        // A connection of its own: the writing one is always about to begin a transaction.
        guard let connection = try? SQLiteConnection(path: path, access: .readWrite, busyMilliseconds: 1000) else { return false }
        let isBusy = try? connection.first("PRAGMA wal_checkpoint(RESTART)") { row throws(SQLError) in try row.integer(0) != 0 }
        return isBusy == false
    }
}
