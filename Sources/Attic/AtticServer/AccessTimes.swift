import Database
import Logging
import Platform

/// When objects were last pulled, gathered in memory and written by upkeep: a GET never writes to the database.
package final class AccessTimes: Sendable {
    private let gathered = Monitor<[Int64: WallTime]>([:])

    /// Objects that are gathered at most between two flushes, so that nothing grows without end; a pull beyond that is
    /// not noted, and counts from the next pull.
    private static let objectsMax = 200_000

    package init() {}

    /// Notes that an object was pulled. Thread: any.
    package func note(_ objectID: Int64, at time: WallTime) {
        gathered.peek { times in
            if times.count < AccessTimes.objectsMax || times[objectID] != nil { times[objectID] = time }
        }
    }

    /// Writes what was gathered. What cannot be written is kept for the next time.
    package func flush(to catalog: Catalog, log: Logger) {
        let times = gathered.peek { times in
            defer { times = [:] }
            return times
        }
        guard !times.isEmpty else { return }
        let batch = times.map { (objectID: $0.key, at: $0.value) }
        do {
            try catalog.write(surviving: .crash) { session throws(DatabaseError) in try session.touchObjects(batch) }
        } catch {
            log.warning("could not write last access times, will try again: \(error)")
            gathered.peek { newer in
                newer.merge(times) { newer, _ in newer }
            }
        }
    }
}
