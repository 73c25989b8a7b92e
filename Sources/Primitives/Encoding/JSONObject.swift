/// The members of a JSON object, in their order, each key once.
///
/// Lookup is linear while the object is small, as nearly all are, and by dictionary above that, so that an
/// object of 100,000 members from a stranger costs no more than reading it.
package struct JSONObject: Sendable, Equatable, ExpressibleByDictionaryLiteral {
    package private(set) var members: [(key: String, value: JSON)]

    /// Place of each key in `members`; empty up to `linearCountMax` members.
    private var places: [String: Int] = [:]

    private static var linearCountMax: Int { 16 }

    /// An object without members.
    package init() { members = [] }

    /// An object of these members. Traps where a key comes twice: code wrote them.
    package init(_ members: [(String, JSON)]) {
        self.init()
        for (key, value) in members {
            precondition(append(key, value), "the member \(key) comes twice")
        }
    }

    package init(dictionaryLiteral members: (String, JSON)...) { self.init(members) }

    package var count: Int { members.count }
    package var isEmpty: Bool { members.isEmpty }

    /// The value of `key`. Setting keeps the place of a member that is there, and nil removes it.
    package subscript(key: String) -> JSON? {
        get { place(of: key).map { members[$0].value } }
        set {
            switch (place(of: key), newValue) {
            case (let place?, let value?):
                members[place].value = value
            case (let place?, nil):
                members.remove(at: place)
                index()
            case (nil, let value?):
                append(key, value)
            case (nil, nil):
                break
            }
        }
    }

    /// Adds a member at the end; false, and nothing changed, where the key is there already.
    @discardableResult
    package mutating func append(_ key: String, _ value: JSON) -> Bool {
        guard place(of: key) == nil else { return false }
        members.append((key, value))
        if members.count > Self.linearCountMax + 1 {
            places[key] = members.count - 1
        } else if members.count == Self.linearCountMax + 1 {
            index()
        }
        return true
    }

    /// Equal where the same members come in the same order.
    package static func == (left: JSONObject, right: JSONObject) -> Bool {
        left.members.elementsEqual(right.members) { $0.key == $1.key && $0.value == $1.value }
    }

    private func place(of key: String) -> Int? {
        members.count > Self.linearCountMax ? places[key] : members.firstIndex { $0.key == key }
    }

    private mutating func index() {
        places.removeAll()
        guard members.count > Self.linearCountMax else { return }
        for (place, member) in members.enumerated() { places[member.key] = place }
    }
}
