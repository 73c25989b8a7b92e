/// A JSON value (RFC 8259). Numbers written without fraction and exponent that fit 64 bits are integers; all
/// others are doubles. Objects keep the order of their members, because the order of a token's patterns matters.
package enum JSON: Sendable, Equatable {
    case null
    case bool(Bool)
    case integer(Int64)
    case number(Double)
    case string(String)
    case array([JSON])
    case object(JSONObject)

    /// Reads one document: UTF-8, one value, white space around it, nothing else.
    ///
    /// Strict on purpose, since what two readers understand differently is how checks are evaded: a member
    /// that comes twice is refused, as are lone surrogates, invalid UTF-8, a byte order mark, and numbers beyond
    /// a double's range.
    ///
    /// - Parameters:
    ///   - bytes: the whole document.
    ///   - depthMax: how many arrays and objects may stand in one another; at most 512, for the stack's sake.
    /// - Throws: the first thing that is wrong, with its byte offset.
    package static func parse(_ bytes: [UInt8], depthMax: Int = 64) throws(JSONError) -> JSON {
        precondition((0...512).contains(depthMax), "the depth of JSON is bounded by 0...512")
        var parser = JSONParser(bytes, depthMax: depthMax)
        return try parser.document()
    }

    /// The string, where it is one.
    package var stringValue: String? {
        if case .string(let value) = self { value } else { nil }
    }

    /// The integer, where it is one; nil also for numbers with fraction or exponent.
    package var integerValue: Int64? {
        if case .integer(let value) = self { value } else { nil }
    }

    /// The number, of either kind.
    package var numberValue: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }

    /// The truth value, where it is one.
    package var boolValue: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    /// The elements, where it is an array.
    package var arrayValue: [JSON]? {
        if case .array(let value) = self { value } else { nil }
    }

    /// The members, where it is an object.
    package var objectValue: JSONObject? {
        if case .object(let value) = self { value } else { nil }
    }

    /// Whether it is `null`.
    package var isNull: Bool { self == .null }
}

extension JSON: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral {
    package init(stringLiteral value: String) { self = .string(value) }
    package init(integerLiteral value: Int64) { self = .integer(value) }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
}

extension JSON: ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByFloatLiteral {
    package init(arrayLiteral elements: JSON...) { self = .array(elements) }
    package init(dictionaryLiteral elements: (String, JSON)...) { self = .object(JSONObject(elements)) }
    package init(floatLiteral value: Double) { self = .number(value) }
}

/// Why a document was refused, and at which byte.
package struct JSONError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Reason: Equatable, Sendable {
        case unexpectedEnd
        case unexpectedByte(UInt8)
        case bytesAfterValue
        case invalidUTF8
        case controlCharacterInString
        case unknownEscape
        case loneSurrogate
        case malformedNumber
        case numberOutOfRange
        case duplicateMember(String)
        case tooDeep(depthMax: Int)
    }

    package let reason: Reason
    /// Counted from 0; of the byte where reading stopped.
    package let byteOffset: Int

    package init(_ reason: Reason, at byteOffset: Int) {
        self.reason = reason
        self.byteOffset = byteOffset
    }

    /// `not JSON: a number is malformed, at byte 17`
    package var description: String {
        let sentence = switch reason {
        case .unexpectedEnd: "it ends in the middle of a value"
        case .unexpectedByte(let byte): "byte 0x\(Hex.encode([byte])) is not expected here"
        case .bytesAfterValue: "something follows the value"
        case .invalidUTF8: "it is not UTF-8"
        case .controlCharacterInString: "a control character in a string is not escaped"
        case .unknownEscape: "an escape sequence in a string is unknown"
        case .loneSurrogate: "a surrogate in a string has no partner"
        case .malformedNumber: "a number is malformed"
        case .numberOutOfRange: "a number is out of range"
        case .duplicateMember(let key): "the member \(quoted(key)) comes twice"
        case .tooDeep(let depthMax): "it nests deeper than \(depthMax) levels"
        }
        return "not JSON: \(sentence), at byte \(byteOffset)"
    }
}
