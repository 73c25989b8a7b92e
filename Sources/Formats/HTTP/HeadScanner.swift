import Glibc

/// Where a header line's name and value stand in the head's bytes.
struct FieldRange: Sendable {
    let nameStart: UInt32
    let nameEnd: UInt32
    let valueStart: UInt32
    let valueEnd: UInt32

    @inline(__always)
    init(name: Range<Int>, value: Range<Int>) {
        // A head is below 64 MiB (HeadLimits).
        nameStart = UInt32(truncatingIfNeeded: name.lowerBound)
        nameEnd = UInt32(truncatingIfNeeded: name.upperBound)
        valueStart = UInt32(truncatingIfNeeded: value.lowerBound)
        valueEnd = UInt32(truncatingIfNeeded: value.upperBound)
    }

    var name: Range<Int> { Int(nameStart)..<Int(nameEnd) }
    var value: Range<Int> { Int(valueStart)..<Int(valueEnd) }
}

/// Cuts a head into lines and its header lines into names and values: the hot loop of both parsers.
///
/// Every line is looked at twice, once for its end (memchr) and once for what it says, and never again: a head that
/// comes byte by byte costs what it costs in one piece, because `scanned` remembers how far the search for a line's
/// end has come. A line that is wrong is refused as soon as it has ended, not when the whole head is there.
///
///     GET /a HTTP/1.1\r\n  Host: x\r\n  \r\n
///     start line           field        end
struct HeadScanner {
    let limits: HeadLimits
    private var fields: [FieldRange] = []
    private(set) var facts = HeadFacts()
    /// How far the search for the end of the current line has come.
    private var scanned = 0
    /// Where the current line begins.
    private var lineStart = 0
    /// Where the start line stood, without its line end; nil until it has ended.
    private(set) var startLine: Range<Int>?
    /// Whether there is room for the fields: `begin` was called.
    private(set) var hasBegun = false

    enum Step {
        case incomplete
        /// The start line has ended; the caller reads it and asks again.
        case startLine(Range<Int>)
        /// The head has ended; it has that many bytes.
        case end(Int)
    }

    init(limits: HeadLimits) {
        self.limits = limits
    }

    /// Uses an empty array for the fields, which may have room from a head before.
    mutating func begin(fields room: consuming [FieldRange]) {
        fields = room
        if fields.capacity == 0 { fields.reserveCapacity(16) }
        hasBegun = true
    }

    /// Gives the fields of a head that has ended; they are the caller's alone then.
    mutating func takeFields() -> [FieldRange] {
        var taken: [FieldRange] = []
        swap(&taken, &fields)
        return taken
    }

    /// Goes on with a head of which `count` bytes are there now, from its first byte on.
    mutating func advance(_ base: UnsafePointer<UInt8>, _ count: Int) throws(ParseError) -> Step {
        while true {
            guard let line = try unsafe nextLine(base, count) else { return .incomplete }
            if startLine == nil {
                // RFC 9112, section 2.2: empty lines before a request are skipped; some send one after a body.
                if line.isEmpty { continue }
                startLine = line
                return .startLine(line)
            }
            if line.isEmpty { return .end(lineStart) }
            try unsafe takeField(base, line)
        }
    }

    /// The next whole line, without its line end; nil where it has not ended yet.
    @inline(__always)
    private mutating func nextLine(_ base: UnsafePointer<UInt8>, _ count: Int) throws(ParseError) -> Range<Int>? {
        guard count > scanned, let found = unsafe memchr(base + scanned, 0x0A, count &- scanned) else {
            scanned = max(scanned, count)
            if count >= limits.headBytesMax { throw tooLarge }
            return nil
        }
        let lineFeed = unsafe UnsafeRawPointer(found) - UnsafeRawPointer(base)
        if lineFeed >= limits.headBytesMax { throw tooLarge }
        let start = lineStart
        // RFC 9112, section 2.2 lets a reader take a bare LF for a line end; not all do, so nobody may here.
        guard lineFeed > start, unsafe base[lineFeed &- 1] == Byte.carriageReturn else {
            throw .malformedField(.bareLineFeed, at: lineFeed)
        }
        lineStart = lineFeed &+ 1
        scanned = lineFeed &+ 1
        return start..<lineFeed &- 1
    }

    private var tooLarge: ParseError {
        startLine == nil
            ? .startLineTooLong(byteCountMax: limits.headBytesMax) : .headTooLarge(byteCountMax: limits.headBytesMax)
    }

    /// `field-name ":" OWS field-value OWS` (RFC 9112, section 5), which is not empty.
    @inline(__always)
    private mutating func takeField(_ base: UnsafePointer<UInt8>, _ line: Range<Int>) throws(ParseError) {
        let end = line.upperBound
        var colon = line.lowerBound
        // Eight at a time, up to the first that is neither letter nor dash: the colon as a rule.
        while end &- colon >= 8 {
            let count = unsafe leadingNameBytes(base, colon)
            colon &+= count
            if count < 8 { break }
        }
        while colon < end {
            let byte = unsafe base[colon]
            // Nearly all bytes of names are letters and dashes; asking for them first halves the loop.
            guard (byte | 0x20) &- 0x61 < 26 || byte == Byte.dash || isToken(byte) else { break }
            colon &+= 1
        }
        guard colon > line.lowerBound, colon < end, unsafe base[colon] == Byte.colon else {
            throw unsafe flaw(base, line, at: colon)
        }
        let value = unsafe trimmed(base, colon &+ 1..<end)
        if let control = unsafe firstControl(base, value) { throw .malformedField(.controlCharacter, at: control) }
        if fields.count >= limits.headerCountMax { throw .tooManyFields(countMax: limits.headerCountMax) }
        let name = line.lowerBound..<colon
        fields.append(FieldRange(name: name, value: value))
        try unsafe facts.note(base, name: name, value: value)
    }

    /// Says what is wrong with a line whose name ended at `index` without a colon.
    private func flaw(_ base: UnsafePointer<UInt8>, _ line: Range<Int>, at index: Int) -> ParseError {
        guard index < line.upperBound else { return .malformedField(.badName, at: index) }
        let byte = unsafe base[index]
        guard byte == Byte.space || byte == Byte.tab else { return .malformedField(.badName, at: index) }
        return .malformedField(index == line.lowerBound ? .foldedLine : .spaceBeforeColon, at: index)
    }
}
