import Nix
import Platform

extension Catalog {
    /// Notes that wait to be settled before those who add more settle as many themselves: 16 KB each, and what a collection
    /// has to settle before it deletes by age.
    package static let waitingNotesMax = 1000

    /// Notes an access of those of the paths that the cache has, so that no collection overlooks it from then on. Where more
    /// than enough notes wait already, it settles as many as it made before it returns: who asks faster than is settled waits.
    ///
    /// - Parameter waitingMax: how many may wait.
    ///
    /// - Throws: `DatabaseError`; where it was settling that failed, the accesses are noted.
    package func noteAccesses(
        _ cacheID: Int64, _ hashes: [StorePathHash], at now: WallTime, waitingMax: Int = waitingNotesMax
    ) throws(DatabaseError) {
        // A power cut loses the answer or the push as well.
        let notedCount = try write(surviving: .crash) { session throws(DatabaseError) in
            try session.noteAccesses(cacheID, hashes, at: now)
        }
        guard try read({ session throws(DatabaseError) in try session.hasAccessNotes(beyond: waitingMax) }) else { return }
        var left = notedCount
        try settleAccesses {
            left -= 1
            return left >= 0
        }
    }

    /// Moves accesses that were noted into their objects, a short transaction for each note.
    ///
    /// - Parameter goesOn: is asked before each note.
    /// - Returns: whether none is left.
    @discardableResult
    package func settleAccesses(while goesOn: () -> Bool = { true }) throws(DatabaseError) -> Bool {
        // Most often there is nothing, and who only looks need not wait for the writer.
        guard try read({ session throws(DatabaseError) in try session.hasAccessNotes() }) else { return true }
        while goesOn() {
            let step = try write(surviving: .crash) { session throws(DatabaseError) in try session.settleAccesses() }
            if step.isFinished { return true }
        }
        return false
    }
}
