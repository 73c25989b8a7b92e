import Platform

/// Sizes of packs that were asked for: they do not change. Bounded; where it is full it begins anew.
///
/// Thread: any.
final class PackSizes: Sendable {
    private let known = Monitor<[PackName: (byteCount: Int64, seen: WallTime)]>([:])
    private let countMax: Int
    private let time: TimeSource

    /// - Parameter countMax: sizes that are kept; some 70 bytes each.
    init(countMax: Int, time: TimeSource) {
        self.countMax = countMax
        self.time = time
    }

    func find(_ name: PackName) -> Int64? { known.withLock { $0[name]?.byteCount } }

    /// Whether a size is known, and the bucket told it so long ago at most.
    func isKnown(_ name: PackName, since patience: Duration) -> Bool {
        guard let seen = known.withLock({ $0[name]?.seen }) else { return false }
        let now = time.now()
        // A clock that was set back says nothing.
        return seen <= now && now - patience < seen
    }

    /// Keeps a size that the bucket has just told, or was just given.
    func keep(_ byteCount: Int64, of name: PackName) {
        let now = time.now()
        known.withLock { known in
            if known.count >= countMax { known = [:] }
            known[name] = (byteCount, now)
        }
    }

    func drop(_ name: PackName) { known.withLock { $0[name] = nil } }
}
