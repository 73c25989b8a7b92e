import Database
import Logging
import Platform

/// When objects were last pulled and build logs last read, gathered in memory and written by `AccessWriter`: a GET never writes to the
/// database.
package final class AccessTimes: Sendable {
    private let objects = Monitor<[Int64: WallTime]>([:])
    private let buildLogs = Monitor<[Int64: WallTime]>([:])

    /// Of each kind what is gathered at most between two flushes, so that nothing grows without end; an access beyond that is
    /// not noted, and counts from the next one.
    private static let gatheredMax = 200_000

    package init() {}

    /// Notes that an object was pulled. Thread: any.
    package func note(_ objectID: Int64, at time: WallTime) { AccessTimes.note(CollectionOfOne(objectID), at: time, in: objects) }

    /// Notes that some objects were. Thread: any.
    package func note(_ objectIDs: some Sequence<Int64>, at time: WallTime) { AccessTimes.note(objectIDs, at: time, in: objects) }

    /// Notes that a build log was read. Thread: any.
    package func note(buildLog id: Int64, at time: WallTime) { AccessTimes.note(CollectionOfOne(id), at: time, in: buildLogs) }

    private static func note(_ ids: some Sequence<Int64>, at time: WallTime, in gathered: Monitor<[Int64: WallTime]>) {
        gathered.withLock { times in
            for id in ids where times.count < AccessTimes.gatheredMax || times[id] != nil { times[id] = time }
        }
    }

    /// Rows whose times are written in one transaction: others wait for it.
    private static let batchCount = 500

    /// One at a time: when it returns, all that was noted before it began is written, whoever wrote it.
    private let flushing = Monitor(())

    /// Writes what was gathered, in short transactions. What cannot be written is kept for the next time.
    package func flush(to catalog: Catalog, log: Logger) { flushing.withLock { _ in flushAlone(catalog, log) } }

    private func flushAlone(_ catalog: Catalog, _ log: Logger) {
        AccessTimes.flush(objects, to: catalog, log) { session, batch throws(DatabaseError) in
            try session.touchObjects(batch.map { (objectID: $0.id, at: $0.at) })
        }
        AccessTimes.flush(buildLogs, to: catalog, log) { session, batch throws(DatabaseError) in
            try session.touchBuildLogs(batch)
        }
    }

    private static func flush(
        _ gathered: Monitor<[Int64: WallTime]>, to catalog: Catalog, _ log: Logger,
        _ write: @escaping @Sendable (CatalogSession, [(id: Int64, at: WallTime)]) throws(DatabaseError) -> Void
    ) {
        let times = gathered.withLock { times in
            defer { times = [:] }
            return times
        }
        // By number, so that rows on one page are changed together.
        let touches = times.sorted { $0.key < $1.key }.map { (id: $0.key, at: $0.value) }
        for start in stride(from: 0, to: touches.count, by: AccessTimes.batchCount) {
            let batch = Array(touches[start..<min(start + AccessTimes.batchCount, touches.count)])
            do {
                try catalog.write(surviving: .crash) { session throws(DatabaseError) in try write(session, batch) }
            } catch {
                log.warning("could not write last access times, will try again: \(error)")
                return gathered.withLock { newer in
                    for touch in touches[start...] where newer[touch.id] == nil { newer[touch.id] = touch.at }
                }
            }
        }
    }
}
