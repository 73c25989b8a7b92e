import Logging
import Platform

/// Tells of trouble that keeps coming back once in a while, and counts it in between: a disk that is full refuses every push of
/// every client. Thread: any.
package final class TroubleLog: Sendable {
    private struct Kind {
        var isToldAgainFrom: MonotonicTime
        var untoldCount = 0
    }

    /// For how long the same is not told again.
    static let quietTime = Duration.seconds(10)
    /// Kinds that are told apart at most; kinds are words of the program, so there are fewer.
    private static let kindsMax = 256

    private let kinds = Monitor<[String: Kind]>([:])

    package init() {}

    /// Writes a line, unless one of the same kind was written a moment ago.
    ///
    /// - Parameters:
    ///   - kind: what was tried and what refused it, without what it was tried on.
    ///   - sentence: is made only where it is told.
    package func tell(
        _ kind: String, _ level: Logger.Level, metadata: Logger.Metadata? = nil, at now: MonotonicTime = .now, in log: Logger,
        _ sentence: () -> String
    ) {
        guard let untoldCount = turn(of: kind, now) else { return }
        let others = untoldCount == 0 ? "" : " (and \(untoldCount) like it since the last such line)"
        log.log(level: level, "\(sentence())\(others)", metadata: metadata)
    }

    /// How many of the kind were not told since the last that was; nil where this one is not to be told either.
    private func turn(of kind: String, _ now: MonotonicTime) -> Int? {
        kinds.withLock { kinds in
            let known = kinds[kind]
            if let known, now < known.isToldAgainFrom {
                kinds[kind]?.untoldCount += 1
                return nil
            }
            if kinds.count >= TroubleLog.kindsMax { kinds = [:] }
            kinds[kind] = Kind(isToldAgainFrom: now + TroubleLog.quietTime)
            return known?.untoldCount ?? 0
        }
    }
}
