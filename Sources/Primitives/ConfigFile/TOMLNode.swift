import TOMLKit

/// A value of a document, copied out of the parser's memory.
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

    static func members(of table: TOMLTable) -> [String: TOMLNode] {
        var members: [String: TOMLNode] = [:]
        for key in table.keys {
            if let value = table[key] { members[key] = TOMLNode(value) }
        }
        return members
    }

    private init(_ value: any TOMLValueConvertible) {
        if let text = value.string { self = .string(text) }
        else if let number = value.int { self = .integer(Int64(number)) }
        else if let truth = value.bool { self = .bool(truth) }
        else if let number = value.double { self = .number(number) }
        else if let table = value.table { self = .table(Self.members(of: table)) }
        else if let array = value.array { self = .array(array.map { TOMLNode($0) }) }
        else { self = .moment }
    }
}
