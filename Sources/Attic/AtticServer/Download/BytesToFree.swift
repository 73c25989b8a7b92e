import Database
import HTTPServer
import Platform
import Synchronization

/// Bytes of packs that are about to be given back, and the answers that still send some of them.
///
/// Dead bytes stay a while for downloads that began before their NAR was collected. Who takes longer is broken off before they
/// go: from then on a pack has zeros there, and those would look like the NAR.
///
/// Thread: any.
package final class BytesToFree: Sendable {
    private let going = Monitor<[String: [Range<Int64>]]>([:])
    /// Moves before bytes go; answers look only when it has.
    private let rounds = Atomic<Int>(0)
    private let breakOff = Monitor<@Sendable () -> Bool>({ true })

    package init() {}

    /// - Parameter breakOff: has every answer that is being sent ask its permit, and returns when all have; false where that
    ///   took too long.
    package func use(_ breakOff: @escaping @Sendable () -> Bool) { self.breakOff.update { $0 = breakOff } }

    /// Calls `body`, which frees the extents, when nobody sends them any more.
    ///
    /// - Returns: nil where somebody might; `body` was not called.
    func free<Result>(_ extents: [StoredExtent], _ body: () -> Result) -> Result? {
        going.update { going in
            for extent in extents { going[extent.pack, default: []].append(extent.offset..<(extent.offset + extent.byteCount)) }
        }
        defer { going.update { $0 = [:] } }
        rounds.add(1, ordering: .sequentiallyConsistent)
        return breakOff.withLock({ $0 })() ? body() : nil
    }

    fileprivate var round: Int { rounds.load(ordering: .sequentiallyConsistent) }

    /// Whether any of the places is about to go.
    fileprivate func takes(_ places: [StoredExtent]) -> Bool {
        going.withLock { going in
            !going.isEmpty && places.contains { place in
                let range = place.offset..<(place.offset + place.byteCount)
                return going[place.pack]?.contains { $0.overlaps(range) } ?? false
            }
        }
    }
}

/// A permit to send the bytes of a NAR from its packs: it holds until some of them are about to be given back. Thread: any.
final class PlacesStanding: Permit {
    private let places: [StoredExtent]
    private let bytes: BytesToFree
    /// The last round in which they stayed; `PlacesStanding.gone` once they did not.
    private let stayedIn = Atomic<Int>(-1)
    private static let gone = Int.max

    /// - Parameter places: where the NAR lies, as the database says now.
    init(_ places: [StoredExtent], _ bytes: BytesToFree) {
        self.places = places
        self.bytes = bytes
    }

    var holds: Bool {
        let round = bytes.round
        let stayed = stayedIn.load(ordering: .relaxed)
        if stayed == round { return true }
        if stayed == PlacesStanding.gone { return false }
        if bytes.takes(places) {
            stayedIn.store(PlacesStanding.gone, ordering: .relaxed)
            return false
        }
        stayedIn.store(round, ordering: .relaxed)
        return true
    }
}

/// Two permits, where an answer rests on both. Thread: any.
final class BothPermits: Permit {
    private let first: any Permit
    private let second: any Permit

    private init(_ first: any Permit, _ second: any Permit) {
        self.first = first
        self.second = second
    }

    var holds: Bool { first.holds && second.holds }

    /// What rests on whichever of them there are.
    static func of(_ first: (any Permit)?, _ second: (any Permit)?) -> (any Permit)? {
        guard let first, let second else { return first ?? second }
        return BothPermits(first, second)
    }
}
