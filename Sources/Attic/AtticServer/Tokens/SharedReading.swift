import Database
import Platform

/// One reading of the database for all who want the same at the same time: one reads, the others wait for what comes of it. So where no
/// connection is free, all of them wait as long as one has to, and not one after another. Thread: any.
final class SharedReading: Sendable {
    private struct State {
        var isReading = false
        /// How many have ended, and what the last came to.
        var endedCount = 0
        var last: Result<MonotonicTime, DatabaseError>?
        /// Who waits for the one under way.
        var waitingCount = 0
    }

    private enum Turn {
        case done, ours
        /// As the one is under way after which so many will have ended.
        case others(Int)
    }

    private let state = Monitor(State())

    /// Returns when what the database said at `moment`, or later, has been read. Never do two read at once, so what was read first is
    /// taken first.
    ///
    /// - Parameter read: reads it, and takes it; gives a moment before the database was asked.
    /// - Throws: what `read` threw, here or for another who waited as well.
    func finish(since moment: MonotonicTime, _ read: () throws(DatabaseError) -> MonotonicTime) throws(DatabaseError) {
        while true {
            let turn = state.update { state -> Turn in
                if case .success(let read)? = state.last, read >= moment { return .done }
                if state.isReading {
                    state.waitingCount += 1
                    return .others(state.endedCount + 1)
                }
                state.isReading = true
                return .ours
            }
            switch turn {
            case .done: return
            case .ours: try readAlone(read)
            case .others(let count):
                // One that has failed has failed for all who waited; one that began too early for us is not the last.
                let result = state.wait { state in state.endedCount >= count ? state.last : nil }
                _ = try result.get()
            }
        }
    }

    private func readAlone(_ read: () throws(DatabaseError) -> MonotonicTime) throws(DatabaseError) {
        let result: Result<MonotonicTime, DatabaseError>
        do throws(DatabaseError) { result = .success(try read()) } catch { result = .failure(error) }
        state.update { state in
            state.isReading = false
            state.endedCount += 1
            state.waitingCount = 0
            state.last = result
        }
        _ = try result.get()
    }

    /// Blocks until so many wait for the reading that is under way; for those who want to see them served together.
    func waitUntilShared(by count: Int) { state.wait { $0.waitingCount >= count ? () : nil } }
}
