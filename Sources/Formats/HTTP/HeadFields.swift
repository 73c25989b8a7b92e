/// The header lines of a head: its bytes, kept once, and where names and values stand in them.
///
/// Nothing is a String before someone asks for it. Names are compared in any case, as bytes.
struct HeadFields: Sendable {
    var bytes: [UInt8]
    var ranges: [FieldRange]

    /// The lines of that name joined by a comma, which is what several lines mean (RFC 9110, section 5.3). A field
    /// that may stand only once becomes malformed by that, and is refused by whoever reads it.
    func joined(_ name: String) -> String? {
        let found = indices(of: name)
        guard let first = found.first else { return nil }
        if found.count == 1 { return value(at: first) }
        return found.map(value(at:)).joined(separator: ", ")
    }

    func values(_ name: String) -> [String] { indices(of: name).map(value(at:)) }

    func withValue<Result>(_ name: String, _ body: (UnsafeRawBufferPointer) -> Result) -> Result? {
        guard let index = firstIndex(of: name) else { return nil }
        let range = ranges[index].value
        return unsafe bytes.withUnsafeBytes { unsafe body(UnsafeRawBufferPointer(rebasing: $0[range])) }
    }

    func contains(_ name: String) -> Bool { firstIndex(of: name) != nil }

    func name(at index: Int) -> String { string(ranges[index].name) }
    func value(at index: Int) -> String { string(ranges[index].value) }

    func string(_ range: Range<Int>) -> String { unsafe withBase(bytes) { unsafe text($0, range) } ?? "" }

    private func indices(of name: String) -> [Int] {
        guard let first = firstIndex(of: name) else { return [] }
        var found = [first]
        while let last = found.last, let next = firstIndex(of: name, from: last + 1) { found.append(next) }
        return found
    }

    private func firstIndex(of name: String, from start: Int = 0) -> Int? {
        var name = name
        return name.withUTF8 { wanted in
            unsafe bytes.withUnsafeBufferPointer { buffer in
                for index in start..<max(start, ranges.count) {
                    let range = ranges[index].name
                    guard range.count == wanted.count else { continue }
                    if unsafe equalAnyCase(buffer, range.lowerBound, wanted) { return index }
                }
                return nil
            }
        }
    }
}

private func equalAnyCase(
    _ bytes: UnsafeBufferPointer<UInt8>, _ start: Int, _ wanted: UnsafeBufferPointer<UInt8>
) -> Bool {
    for offset in 0..<wanted.count {
        if unsafe lowered(bytes[start + offset]) != lowered(wanted[offset]) { return false }
    }
    return true
}

/// The header lines of a head in their order, as pairs of name and value.
package struct HeaderLines: Sequence, Sendable {
    let fields: HeadFields

    package var count: Int { fields.ranges.count }

    package func makeIterator() -> AnyIterator<(name: String, value: String)> {
        var index = 0
        return AnyIterator {
            guard index < fields.ranges.count else { return nil }
            defer { index += 1 }
            return (fields.name(at: index), fields.value(at: index))
        }
    }
}

/// What requests and answers have in common: header lines, looked up by name in any case.
package protocol MessageHead: Sendable {
    var headers: HeaderLines { get }
}

extension MessageHead {
    /// The value of a header, without white space at its ends; nil where it is absent. Where the header stands
    /// several times, the values joined by `, ` (RFC 9110, section 5.3). What is no UTF-8 becomes U+FFFD.
    package func header(_ name: String) -> String? { headers.fields.joined(name) }

    /// The values of all lines of that name, in order.
    package func headerValues(_ name: String) -> [String] { headers.fields.values(name) }

    /// Whether a line of that name is there.
    package func hasHeader(_ name: String) -> Bool { headers.fields.contains(name) }

    /// Lends the bytes of the first line of that name, without making a String; nil where it is absent.
    package func withHeader<Result>(_ name: String, _ body: (UnsafeRawBufferPointer) -> Result) -> Result? {
        unsafe headers.fields.withValue(name, body)
    }
}
