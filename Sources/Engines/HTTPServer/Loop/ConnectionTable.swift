/// The connections of a loop, by slot. A slot that was given back is used again with the next generation, so an event or
/// a message for the connection that stood there before finds nothing.
///
/// Thread: loop.
struct ConnectionTable {
    private struct Slot {
        var seat: Seat?
        var generation: UInt32 = 0
    }

    private var slots: [Slot] = []
    private var free: [UInt32] = []

    var count: Int { slots.count - free.count }

    /// Puts a connection, made for the cookie it will have, into a free slot.
    mutating func insert(_ make: (Cookie) -> Connection) -> Seat {
        let slot = free.popLast() ?? {
            slots.append(Slot())
            return UInt32(slots.count - 1)
        }()
        let seat = Seat(make(Cookie(slot: slot, generation: slots[Int(slot)].generation)))
        slots[Int(slot)].seat = seat
        return seat
    }

    /// The connection that a cookie names; nil where it has gone.
    func find(_ cookie: Cookie) -> Seat? {
        guard cookie.slot < slots.count, slots[Int(cookie.slot)].generation == cookie.generation else { return nil }
        return slots[Int(cookie.slot)].seat
    }

    func find(slot: Int) -> Seat? { slot < slots.count ? slots[slot].seat : nil }

    /// Takes a connection out.
    mutating func remove(_ cookie: Cookie) {
        guard find(cookie) != nil else { return }
        slots[Int(cookie.slot)].seat = nil
        slots[Int(cookie.slot)].generation &+= 1
        free.append(cookie.slot)
    }

    var all: [Seat] { slots.compactMap(\.seat) }
}
