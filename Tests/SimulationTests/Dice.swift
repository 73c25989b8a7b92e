/// Numbers that a seed decides (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014: splitmix64).
struct Dice: Sendable {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 0x2545_f491_4f6c_dd1d &+ 0x9e37_79b9_7f4a_7c15 }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }

    /// 0 to `end - 1`; `end` is above 0.
    mutating func below(_ end: Int) -> Int { Int(next() >> 1) % end }

    mutating func from(_ range: ClosedRange<Int>) -> Int { range.lowerBound + below(range.count) }

    /// So many times of a hundred.
    mutating func chance(_ ofHundred: Int) -> Bool { below(100) < ofHundred }

    mutating func pick<Item>(_ items: [Item]) -> Item { items[below(items.count)] }
}
