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

    /// Objects whose times are written in one transaction: others wait for it.
    private static let batchCount = 500

    /// Writes what was gathered, in short transactions. What cannot be written is kept for the next time.
    package func flush(to catalog: Catalog, log: Logger) {
        let times = gathered.peek { times in
            defer { times = [:] }
            return times
        }
        // By number, so that objects on one page are changed together.
        let touches = times.sorted { $0.key < $1.key }.map { (objectID: $0.key, at: $0.value) }
        for start in stride(from: 0, to: touches.count, by: AccessTimes.batchCount) {
            let batch = Array(touches[start..<min(start + AccessTimes.batchCount, touches.count)])
            do {
                try catalog.write(surviving: .crash) { session throws(DatabaseError) in try session.touchObjects(batch) }
            } catch {
                log.warning("could not write last access times, will try again: \(error)")
                return gathered.peek { newer in
                    for touch in touches[start...] where newer[touch.objectID] == nil { newer[touch.objectID] = touch.at }
                }
            }
        }
    }
}
