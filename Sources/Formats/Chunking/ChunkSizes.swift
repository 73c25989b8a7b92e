/// How large chunks are cut, in bytes: never below the minimum (but for a file's last), never above the maximum, and near
/// the average as a rule. Changing any of them changes nearly every cut point, and what is stored already is found no more.
package struct ChunkSizes: Sendable, Equatable {
    package let minimum: Int
    package let average: Int
    package let maximum: Int

    /// What each may be. The hash needs 64 bytes to know its window, and the masks reach from 256 bytes to 4 MiB.
    package static let minimumBounds = 64...1_048_576
    package static let averageBounds = 256...4_194_304
    package static let maximumBounds = 1024...16_777_216

    /// Throws where one is out of its bounds, or they do not rise from minimum to average to maximum.
    package init(minimum: Int, average: Int, maximum: Int) throws(ChunkSizesError) {
        for (name, size, bounds) in [
            (ChunkSizesError.Name.minimum, minimum, Self.minimumBounds),
            (.average, average, Self.averageBounds),
            (.maximum, maximum, Self.maximumBounds),
        ] where !bounds.contains(size) {
            throw .outOfBounds(name, size: size, bounds: bounds)
        }
        guard minimum <= average else { throw .notRising(.minimum, minimum, .average, average) }
        guard average <= maximum else { throw .notRising(.average, average, .maximum, maximum) }
        self.minimum = minimum
        self.average = average
        self.maximum = maximum
    }

    /// The logarithm of the average to base 2, to the nearest whole number.
    var averageBits: Int {
        let floor = Int.bitWidth - 1 - average.leadingZeroBitCount
        // Halfway between two powers lies the root of 2: compared as squares.
        return average * average > 1 << (2 * floor + 1) ? floor + 1 : floor
    }
}

/// Why sizes were refused.
package enum ChunkSizesError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Name: String, Sendable { case minimum, average, maximum }

    case outOfBounds(Name, size: Int, bounds: ClosedRange<Int>)
    case notRising(Name, Int, Name, Int)

    package var description: String {
        switch self {
        case .outOfBounds(let name, let size, let bounds):
            "the \(name) chunk size is \(size) bytes; it must be \(bounds.lowerBound) to \(bounds.upperBound)"
        case .notRising(let lower, let lowerSize, let upper, let upperSize):
            "the \(lower) chunk size, \(lowerSize) bytes, is above the \(upper), \(upperSize) bytes"
        }
    }
}
