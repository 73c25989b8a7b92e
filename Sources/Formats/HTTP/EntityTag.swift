/// The name of one state of a resource (RFC 9110, section 8.8.3): `"abc"`, or `W/"abc"` where it is weak.
package struct EntityTag: Hashable, Sendable, CustomStringConvertible {
    /// What stands between the quotes.
    package let opaque: String
    package let isWeak: Bool

    /// - Parameter opaque: visible characters except the quote; anything else traps.
    package init(_ opaque: String, isWeak: Bool = false) {
        precondition(opaque.utf8.allSatisfy(Self.isAllowed), "an entity tag has no quotes and no control characters")
        self.opaque = opaque
        self.isWeak = isWeak
    }

    /// As it stands in a header.
    package var description: String { isWeak ? "W/\"\(opaque)\"" : "\"\(opaque)\"" }

    /// Both are strong and the same (section 8.8.3.2): for If-Match and If-Range.
    package func matchesStrongly(_ other: EntityTag) -> Bool { !isWeak && !other.isWeak && opaque == other.opaque }

    /// The same, weak or not: for If-None-Match.
    package func matchesWeakly(_ other: EntityTag) -> Bool { opaque == other.opaque }

    /// Whether a range request with this If-Range value may be answered with a part of `current` (RFC 9110, section
    /// 13.1.5). A date never matches: nothing here has one.
    package static func ifRange(_ header: String?, matches current: EntityTag) -> Bool {
        guard let header else { return true }
        guard case .tags(let tags) = ETagList(header), tags.count == 1 else { return false }
        return tags[0].matchesStrongly(current)
    }

    static func isAllowed(_ byte: UInt8) -> Bool { byte == 0x21 || (byte > Byte.quote && byte != Byte.delete) }
}

/// The value of If-None-Match or If-Match (RFC 9110, sections 13.1.1 and 13.1.2).
package enum ETagList: Hashable, Sendable {
    /// `*`: whatever there is.
    case any
    case tags([EntityTag])

    /// Nil where the value is neither `*` nor a list of entity tags; then nothing matches.
    package init?(_ header: String) {
        let bytes = Array(header.utf8)
        if header == "*" {
            self = .any
            return
        }
        var tags: [EntityTag] = []
        var index = 0
        while true {
            // Commas may stand anywhere between members (section 5.6.1).
            while index < bytes.count, [Byte.space, Byte.tab, Byte.comma].contains(bytes[index]) { index += 1 }
            guard index < bytes.count else { break }
            guard let tag = Self.tag(bytes, &index) else { return nil }
            tags.append(tag)
            while index < bytes.count, bytes[index] == Byte.space || bytes[index] == Byte.tab { index += 1 }
            if index < bytes.count, bytes[index] != Byte.comma { return nil }
        }
        if tags.isEmpty { return nil }
        self = .tags(tags)
    }

    /// Whether If-None-Match holds back the answer: 304 for GET and HEAD.
    package func matchesWeakly(_ current: EntityTag) -> Bool {
        switch self {
        case .any: true
        case .tags(let tags): tags.contains { $0.matchesWeakly(current) }
        }
    }

    /// Whether If-Match lets the request through; 412 otherwise.
    package func matchesStrongly(_ current: EntityTag) -> Bool {
        switch self {
        case .any: true
        case .tags(let tags): tags.contains { $0.matchesStrongly(current) }
        }
    }

    private static func tag(_ bytes: [UInt8], _ index: inout Int) -> EntityTag? {
        let isWeak = bytes[index...].starts(with: Array("W/".utf8))
        if isWeak { index += 2 }
        guard index < bytes.count, bytes[index] == Byte.quote else { return nil }
        let start = index + 1
        guard let end = bytes[start...].firstIndex(where: { !EntityTag.isAllowed($0) }), bytes[end] == Byte.quote
        else { return nil }
        index = end + 1
        return EntityTag(String(decoding: bytes[start..<end], as: UTF8.self), isWeak: isWeak)
    }
}
