import Platform

/// Names one exchange in logs and in the answer's `X-Request-Id`: 16 hexadecimal digits.
package struct RequestID: Hashable, Sendable, CustomStringConvertible {
    let rawValue: UInt64

    init(rawValue: UInt64) { self.rawValue = rawValue }

    package var description: String {
        String(decoding: [UInt8](capacity: RequestID.digitCount) { append(to: &$0) }, as: UTF8.self)
    }

    /// How many digits a name has.
    package static let digitCount = 16

    /// Appends the digits, without making a string.
    package func append(to bytes: inout OutputSpan<UInt8>) {
        let digits = (RequestID.digits(rawValue >> 32).bigEndian, RequestID.digits(rawValue & 0xffff_ffff).bigEndian)
        unsafe withUnsafeBytes(of: digits) { unsafe bytes.append($0.assumingMemoryBound(to: UInt8.self)) }
    }

    /// Eight hexadecimal digits of a number below 2^32, the first one in the highest byte.
    private static func digits(_ number: UInt64) -> UInt64 {
        // Each step makes room between the halves of every piece, until every four bits have a byte of their own.
        var spread = (number << 16 | number) & 0x0000_ffff_0000_ffff
        spread = (spread << 8 | spread) & 0x00ff_00ff_00ff_00ff
        spread = (spread << 4 | spread) & 0x0f0f_0f0f_0f0f_0f0f
        // Six more than 9 has bit 4: those become letters, which stand 39 behind the digits.
        let letters = (spread + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101
        return spread + 0x3030_3030_3030_3030 + letters * 0x27
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
