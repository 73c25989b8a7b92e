/// A value of a document.
indirect enum TOMLNode {
    case string(String)
    case integer(Int64)
    case number(Double)
    case bool(Bool)
    /// A date, a time, or both.
    case moment
    case array([TOMLNode])
    case table([String: TOMLNode])

    /// What an error calls it.
    var kind: String {
        switch self {
        case .string: "a string"
        case .integer: "an integer"
        case .number: "a number with a fraction"
        case .bool: "a truth value"
        case .moment: "a date or time"
        case .array: "an array"
        case .table: "a table"
        }
    }
}

/// A table while the document is read: what may still be added to it depends on how it came to be (TOML 1.0.0, "Table").
///
/// Thread: confined.
final class TOMLTable {
    enum Origin {
        /// `[a]`, an element of `[[a]]`, or the document itself.
        case header
        /// `a` of `[a.b]`: a header of its own may follow.
        case headerOfAnother
        /// `a` of `a.b = 1`: more keys may follow, and no header.
        case dottedKey
        /// `{ … }`: nothing may follow.
        case inline
    }

    enum Member {
        case value(TOMLNode)
        case table(TOMLTable)
        /// `[[a]]`, an element each.
        case tables([TOMLTable])
    }

    var origin: Origin
    var members: [String: Member] = [:]

    init(_ origin: Origin) { self.origin = origin }

    /// The table as it stands when all has been read.
    var nodes: [String: TOMLNode] {
        members.mapValues { member in
            switch member {
            case .value(let node): node
            case .table(let table): .table(table.nodes)
            case .tables(let tables): .array(tables.map { .table($0.nodes) })
            }
        }
    }
}
