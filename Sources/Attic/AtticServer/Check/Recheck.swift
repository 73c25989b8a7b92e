import Database
import Logging
import Platform
import Storage

/// Reads again what is marked as damaged, a little at a time: a disk that did not answer for a while, or was not mounted, has its
/// bytes yet, and nobody should have to say so.
///
/// What is wrong with rows alone is looked at once; it is for `atticadm fsck`.
struct Recheck {
    /// NARs that are looked up at a time.
    private static let narsMax = 100
    /// How long it goes on at a stretch, give or take a NAR that is whole again.
    private static let time = Duration.seconds(1)

    /// NARs that are remembered at most.
    private static let rememberedMax = 10_000

    /// The NAR that was looked at last.
    private var last: Int64 = 0
    /// NARs whose chunks are whole, and that are not made of them.
    private var mismatched: Set<Int64> = []

    /// Looks at the next few, from the first again when it has been through all.
    ///
    /// - Parameter meanwhile: is called after every chunk; false ends it.
    /// - Returns: how many NARs are whole again.
    @discardableResult
    mutating func run(_ context: Context, meanwhile: () -> Bool = { true }) throws -> Int {
        let end = MonotonicTime.now + Recheck.time
        let after = last
        let narIDs = try context.catalog.read { session throws(DatabaseError) in
            try session.damagedNars(after: after, limit: Recheck.narsMax)
        }
        let verifier = NarVerifier(context.catalog, context.store)
        var wholeCount = 0
        last = 0
        for narID in narIDs {
            if MonotonicTime.now >= end { break }
            last = narID
            if try isWhole(narID, verifier, context, meanwhile) {
                wholeCount += 1
                context.log.notice("the NAR \(narID) was marked as damaged, and is whole: its bytes can be read again")
            }
        }
        if wholeCount > 0 { context.hot.forgetAll() }
        return wholeCount
    }

    private mutating func isWhole(_ narID: Int64, _ verifier: NarVerifier, _ context: Context, _ meanwhile: () -> Bool) throws -> Bool {
        guard let snapshot = try context.catalog.read({ session throws(DatabaseError) in try session.snapshot(ofNar: narID) })
        else { return false }
        let damaged = Set(snapshot.parts.filter(\.isDamaged).map(\.chunk))
        // One that shared its damage with another is left without a damaged chunk when that is whole again.
        if damaged.isEmpty && mismatched.contains(narID) { return false }
        for chunk in damaged where try !meanwhile() || verifier.loss(of: chunk) != nil { return false }
        guard let reading = try verifier.read(narID, { _ in meanwhile() }) else { return false }
        guard reading.verdict.isWhole else {
            if mismatched.count >= Recheck.rememberedMax { mismatched = [] }
            if reading.losses.isEmpty { mismatched.insert(narID) }
            return false
        }
        return try context.catalog.write { session throws(DatabaseError) in
            try session.settle(reading.verdict, on: reading.snapshot)
        }
    }
}
