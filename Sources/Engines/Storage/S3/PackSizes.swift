import Platform

/// Sizes of packs that were asked for: they do not change. Bounded; where it is full it begins anew.
///
/// Thread: any.
final class PackSizes: Sendable {
    private let known = Monitor<[PackName: Int64]>([:])
    private let countMax: Int

    /// - Parameter countMax: sizes that are kept; some 60 bytes each.
    init(countMax: Int) { self.countMax = countMax }

    func find(_ name: PackName) -> Int64? { known.peek { $0[name] } }

    func keep(_ byteCount: Int64, of name: PackName) {
        known.peek { known in
            if known.count >= countMax { known = [:] }
            known[name] = byteCount
        }
    }

    func drop(_ name: PackName) { known.peek { $0[name] = nil } }
}
