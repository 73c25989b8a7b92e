/// Why a chunked body was refused.
package enum ChunkedError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A chunk's size is no hexadecimal number.
    case malformedSize
    /// A chunk's size has more than sixteen digits, or does not fit in 63 bits.
    case sizeTooLarge
    /// A line or a chunk does not end with CR LF.
    case missingLineEnd
    case controlCharacter
    /// A trailer is no header line.
    case malformedTrailer
    case extensionsTooLong(byteCountMax: Int)
    case trailersTooLong(byteCountMax: Int)

    package var description: String {
        switch self {
        case .malformedSize: "a chunk's size is malformed"
        case .sizeTooLarge: "a chunk's size is too large"
        case .missingLineEnd: "a chunk does not end where its size says"
        case .controlCharacter: "a chunk's extension or a trailer has a control character"
        case .malformedTrailer: "a trailer is no header line"
        case .extensionsTooLong(let max): "the chunks' extensions are longer than \(max) bytes"
        case .trailersTooLong(let max): "the trailers are longer than \(max) bytes"
        }
    }
}

/// Takes the chunked coding off a body that comes in pieces (RFC 9112, section 7.1).
///
///     5;name=value\r\n  hello\r\n  0\r\n  Trailer: x\r\n  \r\n
///     size line         data       last   trailers      end
///
/// Extensions and trailers are checked, counted and dropped. Data is never copied: the decoder says where in the
/// buffer it stands. Line ends are CR LF and nothing else; leniency here is how requests are smuggled.
package struct ChunkedDecoder: Sendable {
    package enum Event: Hashable, Sendable {
        /// The bytes of the buffer at these offsets belong to the body; never empty.
        case data(Range<Int>)
        /// Everything shown was taken; show what comes next.
        case needsMore
        /// The body has ended; what stands behind `position` belongs to the next message.
        case end
    }

    /// Bytes of extensions in the whole body: nobody sends any, so this only stops those who do it on purpose.
    private let extensionBytesMax: Int
    /// Bytes of trailers, with their line ends.
    private let trailerBytesMax: Int
    private var state = State.sizeStart
    /// Bytes of the current chunk still to come; while the size is read, the size so far.
    private var remaining: Int64 = 0
    private var digitCount = 0
    private var extensionBytes = 0
    private var trailerBytes = 0

    private enum State {
        case sizeStart, size, spaceAfterSize, inExtension, sizeLineFeed
        case data, dataCarriageReturn, dataLineFeed
        case trailerStart, trailerName, trailer, trailerLineFeed, finalLineFeed, ended
    }

    package init(extensionBytesMax: Int = 4096, trailerBytesMax: Int = 8192) {
        self.extensionBytesMax = extensionBytesMax
        self.trailerBytesMax = trailerBytesMax
    }

    /// Whether the end of the body has been seen.
    package var hasEnded: Bool { state == .ended }

    /// Goes on from `position` and moves it behind what was taken.
    ///
    /// Call it again after `data`, with the same bytes, until it answers something else.
    /// - Throws: `ChunkedError`; the decoder is of no use after that.
    package mutating func next(
        _ bytes: UnsafeRawBufferPointer, at position: inout Int
    ) throws(ChunkedError) -> Event {
        var index = position
        defer { position = index }
        while true {
            if state == .data {
                let available = Int64(bytes.count - index)
                if available == 0 { return .needsMore }
                let count = min(available, remaining)
                remaining -= count
                if remaining == 0 { state = .dataCarriageReturn }
                let start = index
                index += Int(count)
                return .data(start..<index)
            }
            if state == .ended { return .end }
            guard index < bytes.count else { return .needsMore }
            let byte = unsafe bytes[index]
            index += 1
            try take(byte)
        }
    }

    /// One byte outside data.
    private mutating func take(_ byte: UInt8) throws(ChunkedError) {
        switch state {
        case .sizeStart:
            guard let digit = hexDigit(byte) else { throw .malformedSize }
            (remaining, digitCount, state) = (Int64(digit), 1, .size)
        case .size:
            if let digit = hexDigit(byte) {
                digitCount += 1
                if digitCount > 16 || remaining >> 59 != 0 { throw .sizeTooLarge }
                remaining = remaining << 4 | Int64(digit)
            } else {
                try takeAfterSize(byte)
            }
        case .spaceAfterSize:
            // Only `BWS ";"` is allowed: white space alone before the line end is not.
            if byte == Byte.carriageReturn { throw .malformedSize }
            try takeAfterSize(byte)
        case .inExtension:
            if byte == Byte.carriageReturn { state = .sizeLineFeed } else { try countExtension(byte) }
        case .sizeLineFeed:
            guard byte == Byte.lineFeed else { throw .missingLineEnd }
            state = remaining == 0 ? .trailerStart : .data
        case .dataCarriageReturn:
            guard byte == Byte.carriageReturn else { throw .missingLineEnd }
            state = .dataLineFeed
        case .dataLineFeed:
            guard byte == Byte.lineFeed else { throw .missingLineEnd }
            state = .sizeStart
        case .trailerStart:
            if byte == Byte.carriageReturn {
                state = .finalLineFeed
            } else {
                // What is no name may be the next request, to a reader that sees the end of the body elsewhere.
                guard isToken(byte) else { throw byte == Byte.lineFeed ? .missingLineEnd : .malformedTrailer }
                try countTrailer(byte, .trailerName)
            }
        case .trailerName:
            guard byte == Byte.colon || isToken(byte) else { throw .malformedTrailer }
            try countTrailer(byte, byte == Byte.colon ? .trailer : .trailerName)
        case .trailer:
            try countTrailer(byte, byte == Byte.carriageReturn ? .trailerLineFeed : .trailer)
        case .trailerLineFeed:
            guard byte == Byte.lineFeed else { throw .missingLineEnd }
            try countTrailer(byte, .trailerStart)
        case .finalLineFeed:
            guard byte == Byte.lineFeed else { throw .missingLineEnd }
            state = .ended
        case .data, .ended:
            preconditionFailure("data and the end are handled before a single byte is")
        }
    }

    private mutating func takeAfterSize(_ byte: UInt8) throws(ChunkedError) {
        switch byte {
        case Byte.carriageReturn: state = .sizeLineFeed
        case Byte.semicolon:
            state = .inExtension
            try countExtension(byte)
        case Byte.space, Byte.tab:
            state = .spaceAfterSize
            try countExtension(byte)
        case Byte.lineFeed: throw .missingLineEnd
        default: throw .malformedSize
        }
    }

    private mutating func countExtension(_ byte: UInt8) throws(ChunkedError) {
        if byte == Byte.lineFeed { throw .missingLineEnd }
        try refuseControl(byte)
        extensionBytes += 1
        if extensionBytes > extensionBytesMax { throw .extensionsTooLong(byteCountMax: extensionBytesMax) }
    }

    private mutating func countTrailer(_ byte: UInt8, _ next: State) throws(ChunkedError) {
        if byte == Byte.lineFeed && state != .trailerLineFeed { throw .missingLineEnd }
        if byte != Byte.lineFeed && byte != Byte.carriageReturn { try refuseControl(byte) }
        trailerBytes += 1
        if trailerBytes > trailerBytesMax { throw .trailersTooLong(byteCountMax: trailerBytesMax) }
        state = next
    }

    private func refuseControl(_ byte: UInt8) throws(ChunkedError) {
        if (byte < Byte.space && byte != Byte.tab) || byte == Byte.delete { throw .controlCharacter }
    }
}
