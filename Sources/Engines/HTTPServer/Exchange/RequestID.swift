/// Names one exchange in logs and in the answer's `X-Request-Id`: 16 hexadecimal digits.
package struct RequestID: Hashable, Sendable, CustomStringConvertible {
    let rawValue: UInt64

    init(rawValue: UInt64) { self.rawValue = rawValue }

    package var description: String {
        var bytes: [UInt8] = []
        append(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Appends the digits, without making a string.
    package func append(to bytes: inout [UInt8]) {
        for shift in stride(from: 60, through: 0, by: -4) {
            let digit = UInt8(truncatingIfNeeded: rawValue >> UInt64(shift)) & 15
            bytes.append(digit < 10 ? digit + 0x30 : digit + 0x57)
        }
    }
}

/// Makes names for requests: unlike one another within a loop and, with all likelihood, anywhere.
///
/// Thread: loop.
struct RequestIDs {
    private var state: UInt64

    init() {
        var generator = SystemRandomNumberGenerator()
        state = generator.next()
    }

    mutating func next() -> RequestID {
        // An odd step passes through all 2^64 values before one comes again (Weyl); mixed, neighbours look unlike.
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = (state ^ state >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        mixed ^= mixed >> 31
        return RequestID(rawValue: mixed)
    }
}
