import Platform
import SQL

/// What only one process at a time may do with all that a database names, whatever machine it runs on.
package enum ExclusiveWork: String, Sendable {
    /// One collection. Two that read the same dead extents could punch what was written anew after the first.
    case collection
    /// To be the process that collects by time (the mode `garbage-collector`); it takes turns with others' collections.
    case collector

    /// Half of an advisory lock's number; the other half is the table that tells this catalog from others in the same database.
    fileprivate var number: Int64 { self == .collection ? 1 : 2 }
}

/// The right to do an exclusive work, for as long as it lives; it ends with the process, whatever happens.
package final class ExclusiveLock: Sendable {
    fileprivate enum Holding: Sendable {
        case file(OpenFile)
        case session(Monitor<PostgresConnection>)
    }
    private let holding: Holding
    fileprivate init(_ holding: Holding) { self.holding = holding }

    /// Whether it still is ours: a server that went away has let go of it.
    package var isHeld: Bool {
        switch holding {
        case .file: true
        case .session(let session): session.withLock { $0.isConnected() }
        }
    }

    /// Uses its connection, where it has one.
    func touch() {
        guard case .session(let session) = holding else { return }
        session.withLock { session in
            if session.isConnected() { _ = try? session.execute("SELECT 1") }
        }
    }
}

/// A lock with a connection, for as long as somebody else keeps it.
struct SessionLock {
    weak var lock: ExclusiveLock?
}

extension Catalog {
    /// What asking for a lock came to: the lock, or a word on who has it.
    package struct LockAttempt: Sendable {
        package let lock: ExclusiveLock?
        /// For the middle of a sentence: ` (process 12 on cache1)`; empty where nobody knows.
        package let holder: String
    }

    /// Begins a collection: as long as the lock that is given lives, nobody else collects here, in no process.
    package func beginCollection(waitingAtMost patience: Duration) throws(DatabaseError) -> LockAttempt {
        try take(.collection, waitingAtMost: patience)
    }

    /// Takes the right to a work, for which nobody else has to have it.
    package func take(_ work: ExclusiveWork, waitingAtMost patience: Duration) throws(DatabaseError) -> LockAttempt {
        switch location {
        case .sqlite(let path): try takeFile(path, work, patience)
        case .postgres(let server): try takeSession(server, work, patience)
        }
    }

    private static let pause = Duration.milliseconds(20)

    /// A file beside the database, locked with flock(2); in it stands whose the lock is.
    private func takeFile(_ database: String, _ work: ExclusiveWork, _ patience: Duration) throws(DatabaseError) -> LockAttempt {
        let deadline = MonotonicTime.now + patience
        do throws(SystemError) {
            let path = try File.resolve(database) + "-\(work.rawValue)"
            let file = OpenFile(try File.open(path, .openOrCreate(permissions: 0o600)))
            do throws(Errno) {
                while try !file.descriptor.tryLockExclusive() {
                    if MonotonicTime.now >= deadline {
                        let holder = (try? File.readText(path))?.split(separator: "\n").first
                        return LockAttempt(lock: nil, holder: holder.map { " (\($0))" } ?? "")
                    }
                    MonotonicTime.sleep(Catalog.pause)
                }
            } catch { throw SystemError("lock", path, error) }
            // A full disk need not keep anyone from collecting.
            try? file.descriptor.truncate(to: 0)
            let name = Array((ThisProcess.name + "\n").utf8)
            unsafe name.withUnsafeBytes { bytes in try? unsafe file.descriptor.writeAll(at: 0, bytes) }
            return LockAttempt(lock: ExclusiveLock(.file(file)), holder: "")
        } catch { throw DatabaseError(.diskTrouble, "begin the \(work.rawValue)", database, "\(error)") }
    }

    /// An advisory lock of the server, on a connection of its own, with which it ends
    /// (https://www.postgresql.org/docs/15/explicit-locking.html#ADVISORY-LOCKS).
    private func takeSession(_ server: PostgresLocation, _ work: ExclusiveWork, _ patience: Duration) throws(DatabaseError) -> LockAttempt {
        let deadline = MonotonicTime.now + patience
        do throws(SQLError) {
            let session = try PostgresConnection(server)
            let number = SQLValue.integer(work.number)
            while true {
                let isOurs = try session.first("""
                    SELECT pg_try_advisory_lock(CAST($1 AS int4), CAST(CAST(to_regclass('write_turn') AS oid) AS int4))
                    """, [number]) { row throws(SQLError) in try row.integer(0) != 0 }
                if isOurs == true {
                    let lock = ExclusiveLock(.session(Monitor(session)))
                    sessionLocks.withLock { locks in
                        locks.removeAll { $0.lock == nil }
                        locks.append(SessionLock(lock: lock))
                    }
                    return LockAttempt(lock: lock, holder: "")
                }
                if MonotonicTime.now >= deadline { break }
                MonotonicTime.sleep(Catalog.pause)
            }
            // The name is of our own making, unless the URL says another.
            let holder = try session.first("""
                SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
                WHERE l.locktype = 'advisory' AND l.granted AND l.classid = CAST(CAST($1 AS int4) AS oid)
                    AND l.objid = CAST(to_regclass('write_turn') AS oid) AND a.application_name <> ''
                """, [number]) { row throws(SQLError) in try row.text(0) }
            return LockAttempt(lock: nil, holder: holder.map { " (\($0))" } ?? "")
        } catch { throw DatabaseError("begin the \(work.rawValue)", error) }
    }
}
