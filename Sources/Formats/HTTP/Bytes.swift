import Glibc

// Character classes and comparisons over raw bytes, as every parser of this module uses them.
//
// The callers hand in a base pointer and offsets that they have checked against the buffer's count; nothing here
// looks further than the range it was given.

/// The bytes that more than one file names.
enum Byte {
    static let tab: UInt8 = 0x09
    static let lineFeed: UInt8 = 0x0A
    static let carriageReturn: UInt8 = 0x0D
    static let space: UInt8 = 0x20
    static let quote: UInt8 = 0x22
    static let percent: UInt8 = 0x25
    static let comma: UInt8 = 0x2C
    static let dash: UInt8 = 0x2D
    static let dot: UInt8 = 0x2E
    static let slash: UInt8 = 0x2F
    static let zero: UInt8 = 0x30
    static let colon: UInt8 = 0x3A
    static let semicolon: UInt8 = 0x3B
    static let equals: UInt8 = 0x3D
    static let question: UInt8 = 0x3F
    static let openBracket: UInt8 = 0x5B
    static let closeBracket: UInt8 = 0x5D
    static let delete: UInt8 = 0x7F
}

/// tchar of RFC 9110, section 5.6.2: what names of methods and header fields are made of.
@inline(__always)
func isToken(_ byte: UInt8) -> Bool {
    inClass(byte, low: 0x03FF_6CFA_0000_0000, high: 0x57FF_FFFF_C7FF_FFFE)
}

/// What names of hosts are made of: letters, digits, `-`, `.`, `_`, `~`, the unreserved of RFC 3986, section 2.3.
@inline(__always)
func isHostByte(_ byte: UInt8) -> Bool {
    inClass(byte, low: 0x03FF_6000_0000_0000, high: 0x47FF_FFFE_87FF_FFFE)
}

/// Visible ASCII without the mark that begins a fragment: what a request target may have.
@inline(__always)
func isVisible(_ byte: UInt8) -> Bool { byte > Byte.space && byte < Byte.delete && byte != 0x23 }

/// Letters, digits, `/`, `-`, `_`: what a path mostly has, and what needs no second look there.
@inline(__always)
func isPlain(_ byte: UInt8) -> Bool { inClass(byte, low: 0x03FF_A000_0000_0000, high: 0x07FF_FFFE_87FF_FFFE) }

/// Whether the eight bytes at `index` may stand in a path and need no second look: visible, no `#`, `%` or `?`, and no dot
/// behind a slash. May say no without need.
@inline(__always)
func isOrdinaryPath(_ base: UnsafePointer<UInt8>, _ index: Int, start: Int) -> Bool {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let tops: UInt64 = 0x8080_8080_8080_8080
    let word = unsafe UInt64(littleEndian: UnsafeRawPointer(base + index).loadUnaligned(as: UInt64.self))
    // Top bits of the bytes that are `byte`; perhaps of some above one that is.
    func places(of byte: UInt8) -> UInt64 {
        let flipped = word ^ (ones &* UInt64(byte))
        return (flipped &- ones) & ~flipped & tops
    }
    let belowVisible = (word &- ones &* 0x21) & ~word
    let aboveVisible = (word &+ ones) | word
    let special = places(of: 0x23) | places(of: Byte.percent) | places(of: Byte.question)
    let dots = places(of: Byte.dot)
    let dotsBehindSlashes = (places(of: Byte.slash) << 8) & dots
    if (belowVisible | aboveVisible | special | dotsBehindSlashes) & tops != 0 { return false }
    return unsafe dots & 0x80 == 0 || index == start || base[index &- 1] != Byte.slash
}

/// How many of the eight bytes at `index`, from the first one on, are letters or dashes: what most names of fields are made of.
@inline(__always)
func leadingNameBytes(_ base: UnsafePointer<UInt8>, _ index: Int) -> Int {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let tops: UInt64 = 0x8080_8080_8080_8080
    let word = unsafe UInt64(littleEndian: UnsafeRawPointer(base + index).loadUnaligned(as: UInt64.self))
    // No sum below carries into the next byte: top bits are off, and looked at apart.
    let low = word & ~tops
    let lowered = low | (ones &* 0x20)
    let fromA = lowered &+ ones &* (0x80 - 0x61)
    let beyondZ = lowered &+ ones &* (0x80 - 0x7B)
    let isNotDash = (low ^ (ones &* 0x2D)) &+ ones &* 0x7F
    let isName = ((fromA & ~beyondZ) | ~isNotDash) & ~word & tops
    return (~isName & tops).trailingZeroBitCount >> 3
}

/// A class as two masks, one bit a byte below 128; bytes above are in none.
@inline(__always)
func inClass(_ byte: UInt8, low: UInt64, high: UInt64) -> Bool {
    let mask = byte < 64 ? low : high
    return (mask >> UInt64(byte & 63)) & 1 != 0 && byte < 128
}

@inline(__always)
func isDigit(_ byte: UInt8) -> Bool { byte &- Byte.zero < 10 }

/// The worth of a hexadecimal digit, or nil.
@inline(__always)
func hexDigit(_ byte: UInt8) -> UInt8? {
    if isDigit(byte) { return byte &- Byte.zero }
    let letter = (byte | 0x20) &- 0x61
    return letter < 6 ? letter &+ 10 : nil
}

@inline(__always)
func lowered(_ byte: UInt8) -> UInt8 { byte &- 0x41 < 26 ? byte | 0x20 : byte }

/// Whether the bytes are exactly `text`.
@inline(__always)
func spells(_ base: UnsafePointer<UInt8>, _ range: Range<Int>, _ text: StaticString) -> Bool {
    guard range.count == text.utf8CodeUnitCount else { return false }
    return unsafe memcmp(base + range.lowerBound, text.utf8Start, range.count) == 0
}

/// Whether the bytes are `text`, which is given in lower case, in any case.
@inline(__always)
func spellsAnyCase(_ base: UnsafePointer<UInt8>, _ range: Range<Int>, _ text: StaticString) -> Bool {
    guard range.count == text.utf8CodeUnitCount else { return false }
    let wanted = unsafe text.utf8Start
    for offset in 0..<range.count where unsafe lowered(base[range.lowerBound &+ offset]) != wanted[offset] {
        return false
    }
    return true
}

/// The range without spaces and tabs at its ends (OWS of RFC 9110, section 5.6.3).
@inline(__always)
func trimmed(_ base: UnsafePointer<UInt8>, _ range: Range<Int>) -> Range<Int> {
    var start = range.lowerBound
    var end = range.upperBound
    while start < end, unsafe base[start] == Byte.space || base[start] == Byte.tab { start &+= 1 }
    while end > start, unsafe base[end &- 1] == Byte.space || base[end &- 1] == Byte.tab { end &-= 1 }
    return start..<end
}

/// Where the first byte stands that a field value or reason phrase may not have: a control character other than
/// tab (RFC 9110, section 5.5). Nil where there is none.
func firstControl(_ base: UnsafePointer<UInt8>, _ range: Range<Int>) -> Int? {
    let end = range.upperBound
    if range.count < 8 { return unsafe firstControlSlowly(base, range) }
    var index = range.lowerBound
    while end &- index >= 8 {
        if unsafe mayHaveControl(base, index), let found = unsafe firstControlSlowly(base, index..<index &+ 8) { return found }
        index &+= 8
    }
    // The last few once more with those before them.
    guard index < end, unsafe mayHaveControl(base, end &- 8) else { return nil }
    return unsafe firstControlSlowly(base, index..<end)
}

/// Whether one of the eight bytes at `index` is a control character; a tab is one here.
@inline(__always)
private func mayHaveControl(_ base: UnsafePointer<UInt8>, _ index: Int) -> Bool {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let tops: UInt64 = 0x8080_8080_8080_8080
    let word = unsafe UnsafeRawPointer(base + index).loadUnaligned(as: UInt64.self)
    let belowSpace = (word &- ones &* 0x20) & ~word
    let flipped = word ^ (ones &* 0x7F)
    let isDelete = (flipped &- ones) & ~flipped
    return (belowSpace | isDelete) & tops != 0
}

private func firstControlSlowly(_ base: UnsafePointer<UInt8>, _ range: Range<Int>) -> Int? {
    var index = range.lowerBound
    while index < range.upperBound {
        let byte = unsafe base[index]
        if (byte < Byte.space && byte != Byte.tab) || byte == Byte.delete { return index }
        index &+= 1
    }
    return nil
}

/// The text of a range; what is no UTF-8 becomes U+FFFD.
func text(_ base: UnsafePointer<UInt8>, _ range: Range<Int>) -> String {
    unsafe String(decoding: UnsafeBufferPointer(start: base + range.lowerBound, count: range.count), as: UTF8.self)
}

/// Runs `body` with the array's bytes as a pointer that is good for any offset below `bytes.count`.
func withBase<Result>(_ bytes: [UInt8], _ body: (UnsafePointer<UInt8>) -> Result) -> Result? {
    unsafe bytes.withUnsafeBufferPointer { buffer in
        guard let base = buffer.baseAddress else { return nil }
        return unsafe body(base)
    }
}
