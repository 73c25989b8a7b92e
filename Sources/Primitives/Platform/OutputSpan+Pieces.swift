/// What lines and heads are put together with: their room is made once, where an array would be asked before each piece.
///
/// What is longer than the room that is left traps. All of it may be put into the code of other modules, since a line has many
/// pieces of a few bytes each.
extension OutputSpan<UInt8> {
    /// Appends bytes.
    @inlinable package mutating func append(_ bytes: Span<UInt8>) {
        unsafe bytes.withUnsafeBufferPointer { unsafe append($0) }
    }

    /// Appends words of the program.
    @inlinable package mutating func append(_ words: StaticString) {
        unsafe append(UnsafeBufferPointer(start: words.utf8Start, count: words.utf8CodeUnitCount))
    }

    /// Appends a number that is not negative, in digits.
    @inlinable package mutating func append(decimal number: Int64) {
        var digits: InlineArray<20, UInt8> = .init(repeating: 0)
        var start = digits.count
        var rest = number.magnitude
        repeat {
            start -= 1
            digits[start] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        } while rest > 0
        unsafe digits.span.withUnsafeBufferPointer { unsafe append(UnsafeBufferPointer(rebasing: $0[start...])) }
    }

    /// Appends bytes that lie elsewhere.
    @inlinable package mutating func append(_ bytes: UnsafeBufferPointer<UInt8>) {
        unsafe withUnsafeMutableBufferPointer { room, count in
            precondition(room.count - count >= bytes.count, "there is more than there is room for")
            guard let source = bytes.baseAddress, let start = room.baseAddress else { return }
            unsafe (start + count).initialize(from: source, count: bytes.count)
            count += bytes.count
        }
    }
}
