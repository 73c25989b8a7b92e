import Platform

/// Holds a reader to so many bytes a second, counted from its first byte: it sleeps off what it is ahead. Never longer at a
/// time than `napMax`, so that who is told to stop stops.
struct Pace {
    private static let napMax = Duration.milliseconds(500)

    let bytesPerSecond: Int64
    private let start: MonotonicTime
    private var byteCount: Int64 = 0

    init(bytesPerSecond: Int64, from start: MonotonicTime = .now) {
        precondition(bytesPerSecond > 0, "a pace goes forward")
        self.bytesPerSecond = bytesPerSecond
        self.start = start
    }

    /// How long to wait after these bytes, at this moment.
    mutating func rest(after bytes: Int64, at now: MonotonicTime) -> Duration {
        byteCount += bytes
        let due = start + .seconds(Double(byteCount) / Double(bytesPerSecond))
        return due > now ? due - now : .zero
    }

    mutating func keep(after bytes: Int64, while goesOn: () -> Bool) {
        var left = rest(after: bytes, at: .now)
        while left > .zero, goesOn() {
            MonotonicTime.sleep(min(left, Pace.napMax))
            left = rest(after: 0, at: .now)
        }
    }
}

/// Bytes a second, as a person writes them: `4096`, `50M`; K, M and G are powers of 1024.
package struct ByteRate: Sendable, Hashable {
    package let bytesPerSecond: Int64

    /// Nil where it is not a number above 0 with one of the letters or none.
    package init?(_ text: String) {
        let shift: Int64 = switch text.last {
        case "K", "k": 10
        case "M", "m": 20
        case "G", "g": 30
        default: 0
        }
        let digits = shift == 0 ? Substring(text) : text.dropLast()
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let number = Int64(digits), number > 0, number <= Int64.max >> shift
        else { return nil }
        bytesPerSecond = number << shift
    }
}
