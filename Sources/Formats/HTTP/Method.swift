/// A request method (RFC 9110, section 9; RFC 10008 for QUERY), as far as anyone here tells them apart.
///
/// The raw value is its name on the wire; methods are case-sensitive. What is not listed is `other`: the name that
/// was really sent is `RequestHead.methodName`.
package enum Method: String, Hashable, Sendable, CaseIterable {
    case get = "GET"
    case head = "HEAD"
    case put = "PUT"
    case post = "POST"
    case patch = "PATCH"
    case delete = "DELETE"
    case options = "OPTIONS"
    /// Asks for something that the body describes, and changes nothing.
    case query = "QUERY"
    case other = ""

    /// True where the method asks for nothing to be changed (RFC 9110, section 9.2.1).
    package var isSafe: Bool { self == .get || self == .head || self == .options || self == .query }

    /// True where sending it twice is as good as sending it once (RFC 9110, section 9.2.2).
    package var isIdempotent: Bool { isSafe || self == .put || self == .delete }

    /// The method that these bytes name.
    init(_ base: UnsafePointer<UInt8>, _ range: Range<Int>) {
        self = switch range.count {
        case 3 where unsafe spells(base, range, "GET"): .get
        case 3 where unsafe spells(base, range, "PUT"): .put
        case 4 where unsafe spells(base, range, "HEAD"): .head
        case 4 where unsafe spells(base, range, "POST"): .post
        case 5 where unsafe spells(base, range, "PATCH"): .patch
        case 5 where unsafe spells(base, range, "QUERY"): .query
        case 6 where unsafe spells(base, range, "DELETE"): .delete
        case 7 where unsafe spells(base, range, "OPTIONS"): .options
        default: .other
        }
    }
}
