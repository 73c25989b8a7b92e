import Encoding

/// What is wrong with a JSON body of the API. The description goes to the client; it never holds a secret.
package struct APIFormatError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The member that is wrong, `retention_period` or `store_path_hashes[3]`; nil where it is the whole.
    package let member: String?
    /// What is wrong and what is allowed, as the end of a sentence: `must be true or false`.
    package let reason: String

    package init(member: String?, _ reason: String) {
        self.member = member
        self.reason = reason
    }

    /// `"priority" must be an integer`
    package var description: String { member.map { "\"\($0)\" \(reason)" } ?? reason }
}

/// The members of one JSON object, read with a check each. A member that is null counts as absent, and members that
/// nobody asks for are left alone: newer clients may send more.
struct MemberReader {
    private let object: JSONObject

    init(_ bytes: [UInt8]) throws(APIFormatError) {
        let json: JSON
        do throws(JSONError) { json = try JSON.parse(bytes, depthMax: 16) } catch {
            throw APIFormatError(member: nil, "the body is \(error)")
        }
        guard let object = json.objectValue else { throw APIFormatError(member: nil, "the body is not a JSON object") }
        self.object = object
    }

    init(_ object: JSONObject) { self.object = object }

    func find(_ name: String) -> JSON? {
        guard let value = object[name], !value.isNull else { return nil }
        return value
    }

    /// A value by `read`, which gives nil where the JSON is of the wrong kind; nil where there is none.
    func value<Value>(_ name: String, _ allowed: String, _ read: (JSON) -> Value?) throws(APIFormatError) -> Value? {
        guard let json = find(name) else { return nil }
        guard let value = read(json) else { throw APIFormatError(member: name, "must be \(allowed)") }
        return value
    }

    func string(_ name: String) throws(APIFormatError) -> String? { try value(name, "a string", \.stringValue) }
    func bool(_ name: String) throws(APIFormatError) -> Bool? { try value(name, "true or false", \.boolValue) }
    func strings(_ name: String) throws(APIFormatError) -> [String]? { try value(name, "a list of strings", \.stringsValue) }

    func integer(_ name: String, in range: ClosedRange<Int64>) throws(APIFormatError) -> Int64? {
        try value(name, "an integer from \(range.lowerBound) to \(range.upperBound)") { json in
            json.integerValue.flatMap { range.contains($0) ? $0 : nil }
        }
    }

    /// A string without control characters: it will stand in a line of its own, in a narinfo or on a terminal.
    func line(_ name: String) throws(APIFormatError) -> String? {
        try value(name, "a string without control characters") { $0.stringValue.flatMap { $0.isOneLine ? $0 : nil } }
    }

    func lines(_ name: String) throws(APIFormatError) -> [String]? {
        try value(name, "a list of strings without control characters") { json in
            json.stringsValue.flatMap { $0.allSatisfy(\.isOneLine) ? $0 : nil }
        }
    }

    /// The directory of a Nix store: absolute, without a slash at its end.
    func storeDirectory(_ name: String) throws(APIFormatError) -> String? {
        try value(name, "an absolute path without a slash at its end") { json in
            json.stringValue.flatMap { $0.isOneLine && $0.hasPrefix("/") && !$0.hasSuffix("/") ? $0 : nil }
        }
    }

    func cacheName(_ name: String) throws(APIFormatError) -> CacheName? {
        try value(name, "a cache name: \(CacheName.allowed)") { $0.stringValue.flatMap { CacheName($0) } }
    }
}

/// What `value` gives, or an error that names the member as missing.
func required<Value>(
    _ member: String, _ value: (String) throws(APIFormatError) -> Value?
) throws(APIFormatError) -> Value {
    guard let value = try value(member) else { throw APIFormatError(member: member, "is missing") }
    return value
}

extension JSON {
    /// The strings of an array of strings.
    var stringsValue: [String]? {
        guard let elements = arrayValue else { return nil }
        let strings = elements.compactMap(\.stringValue)
        return strings.count == elements.count ? strings : nil
    }

    static func strings(_ strings: [String]) -> JSON { .array(strings.map { .string($0) }) }
}

extension JSONObject {
    /// The object of those members that have a value.
    init(present members: [(String, JSON?)]) {
        self.init(members.compactMap { name, value in value.map { (name, $0) } })
    }

    /// The bytes that go over the wire.
    var wireBytes: [UInt8] { JSON.object(self).serializedBytes() }
}

extension String {
    fileprivate var isOneLine: Bool { utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F } }
}
