import Platform

/// What connections wait for with a limit in time.
enum DeadlineClass: Int, CaseIterable, Hashable, Sendable {
    case idle, head, bodyProgress, shortBody, streamStart, writeProgress, linger

    func duration(_ limits: Limits) -> Duration {
        switch self {
        case .idle: limits.idleTime
        case .head: limits.headTime
        case .bodyProgress: limits.bodyProgressTime
        case .shortBody: limits.shortBodyTime
        case .streamStart: limits.streamStartTime
        case .writeProgress: limits.writeProgressTime
        case .linger: limits.lingerTime
        }
    }
}

/// The deadlines of all connections of a loop, at most one for each.
///
/// Within a class every duration is the same, so whoever is put in last expires last: one list for each class, in
/// order by construction. Setting, moving and dropping a deadline is a matter of two neighbours, without heap or wheel,
/// and a connection that moves its deadline a thousand times leaves nothing behind. The lists are threaded through
/// arrays that are indexed by the connection's slot.
struct Deadlines {
    private struct Entry {
        var time = MonotonicTime(nanoseconds: 0)
        var next = -1
        var previous = -1
        var kind: DeadlineClass?
    }

    /// In nanoseconds.
    private let durations: [Int64]
    private var entries: [Entry] = []
    private var firsts: [Int]
    private var lasts: [Int]

    init(limits: Limits) {
        durations = DeadlineClass.allCases.map { $0.duration(limits).wholeNanoseconds }
        firsts = DeadlineClass.allCases.map { _ in -1 }
        lasts = firsts
    }

    /// The class of a slot's deadline; nil where it has none.
    func kind(of slot: Int) -> DeadlineClass? { slot < entries.count ? entries[slot].kind : nil }

    /// Gives a slot a new deadline, in place of the one it has: the duration of the class from `now` on.
    mutating func set(_ slot: Int, _ kind: DeadlineClass, now: MonotonicTime) {
        while entries.count <= slot { entries.append(Entry()) }
        remove(slot)
        let last = lasts[kind.rawValue]
        entries[slot] = Entry(
            time: MonotonicTime(nanoseconds: now.nanoseconds + durations[kind.rawValue]), next: -1, previous: last, kind: kind)
        if last >= 0 { entries[last].next = slot } else { firsts[kind.rawValue] = slot }
        lasts[kind.rawValue] = slot
    }

    /// Takes a slot's deadline away.
    mutating func remove(_ slot: Int) {
        guard slot < entries.count, let kind = entries[slot].kind else { return }
        let entry = entries[slot]
        if entry.previous >= 0 { entries[entry.previous].next = entry.next } else { firsts[kind.rawValue] = entry.next }
        if entry.next >= 0 { entries[entry.next].previous = entry.previous } else { lasts[kind.rawValue] = entry.previous }
        entries[slot] = Entry()
    }

    /// The time of the deadline that passes first; nil where there is none.
    var earliest: MonotonicTime? {
        var earliest: MonotonicTime?
        for first in firsts where first >= 0 {
            let time = entries[first].time
            if earliest.map({ time < $0 }) ?? true { earliest = time }
        }
        return earliest
    }

    /// The slot that has waited longest in a class; nil where none does.
    func first(of kind: DeadlineClass) -> Int? {
        let slot = firsts[kind.rawValue]
        return slot >= 0 ? slot : nil
    }

    /// Takes out one slot whose deadline has passed; nil where there is none.
    mutating func takeExpired(now: MonotonicTime) -> Int? {
        for first in firsts where first >= 0 && entries[first].time <= now {
            remove(first)
            return first
        }
        return nil
    }
}
