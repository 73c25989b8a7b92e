/// A content coding that texts may be sent in (RFC 9110, section 8.4.1); the raw value is its name in headers.
package enum ContentCoding: String, Hashable, Sendable, CaseIterable {
    // In the order of preference among what a client takes equally.
    case zstd
    case gzip
    case identity

    /// The coding that a client likes best of these (RFC 9110, section 12.5.3).
    ///
    /// Whoever says nothing gets the text as it is; so does whoever accepts none of these, which the standard prefers to
    /// an error. `*` stands for gzip and for no coding, which everyone can read; zstd is for those who name it. What
    /// is no member of such a list is passed over.
    ///
    /// - Parameter acceptEncoding: the header's value, several lines joined; nil where it is absent.
    package static func negotiate(_ acceptEncoding: String?) -> ContentCoding {
        guard let acceptEncoding else { return .identity }
        var weights: [ContentCoding: Int] = [:]
        var others: Int?
        for member in acceptEncoding.utf8.split(separator: Byte.comma) {
            guard let (name, weight) = parse(member) else { continue }
            switch name {
            case "*": others = weight
            // Section 8.4.1.3: a recipient SHOULD consider "x-gzip" to be equivalent to "gzip".
            case "x-gzip": weights[.gzip] = weight
            default: if let coding = ContentCoding(rawValue: name) { weights[coding] = weight }
            }
        }
        let zstd = weights[.zstd] ?? 0
        let gzip = weights[.gzip] ?? others ?? 0
        // Not named, identity is acceptable, and comes behind all that are; `*` is no name.
        let identity = weights[.identity] ?? 0
        if zstd > 0, zstd >= gzip, zstd >= identity { return .zstd }
        return gzip > 0 && gzip >= identity ? .gzip : .identity
    }

    /// `codings [ weight ]`: the name in lower case, and the weight in thousandths; nil where it is neither.
    private static func parse(_ member: Substring.UTF8View) -> (name: String, weight: Int)? {
        let parts = member.split(separator: Byte.semicolon, maxSplits: 1, omittingEmptySubsequences: false)
        guard let name = parts.first.map(trimmed), !name.isEmpty, name.utf8.allSatisfy(isToken) else { return nil }
        if parts.count == 1 { return (name, 1000) }
        let weight = trimmed(parts[1])
        guard weight.hasPrefix("q="), let thousandths = thousandths(weight.utf8.dropFirst(2)) else { return nil }
        return (name, thousandths)
    }

    /// `qvalue` of section 12.4.2: 0 or 1, and at most three digits behind the point, which are zeros behind 1.
    private static func thousandths(_ text: Substring.UTF8View) -> Int? {
        let bytes = Array(text)
        guard let first = bytes.first, bytes.count <= 5, first == Byte.zero || first == Byte.zero + 1 else { return nil }
        if bytes.count > 1, bytes[1] != Byte.dot { return nil }
        var value = Int(first - Byte.zero)
        for place in 2..<5 {
            let digit = place < bytes.count ? bytes[place] : Byte.zero
            guard isDigit(digit) else { return nil }
            value = value * 10 + Int(digit - Byte.zero)
        }
        return value <= 1000 ? value : nil
    }

    /// The text in lower case, without white space at its ends.
    private static func trimmed(_ text: Substring.UTF8View) -> String {
        let isBlank = { (byte: UInt8) in byte == Byte.space || byte == Byte.tab }
        let front = text.drop(while: isBlank)
        let back = front.reversed().drop(while: isBlank).reversed()
        return String(decoding: back.map(lowered), as: UTF8.self)
    }
}
