/// A request to a bucket as its signature sees it, without the body.
package struct S3Request: Sendable, Hashable {
    /// In capitals.
    package let method: String
    /// `host`, or `host:port` where the port is not the scheme's.
    package let host: String
    /// Percent-encoded, from the slash on.
    package let path: String
    /// Not encoded, in any order.
    package var query: [QueryItem]
    /// Headers that are signed beside Host, by lower-case names; `range` and `content-type` need not be among them.
    package var headers: [String: String]

    package struct QueryItem: Sendable, Hashable {
        package let name: String
        package let value: String

        package init(_ name: String, _ value: String = "") {
            self.name = name
            self.value = value
        }
    }

    package init(
        _ method: String, host: String, path: String, query: [QueryItem] = [], headers: [String: String] = [:]
    ) {
        self.method = method
        self.host = host
        self.path = path
        self.query = query
        self.headers = headers
    }

    /// Path and query as they are sent.
    package var target: String {
        let query = canonicalQuery
        return query.isEmpty ? path : "\(path)?\(query)"
    }

    /// Names and values encoded, sorted by both, an equals sign always.
    var canonicalQuery: String {
        query.map { (S3Request.encoded($0.name), S3Request.encoded($0.value)) }
            .sorted { $0.0 == $1.0 ? $0.1.utf8.lexicographicallyPrecedes($1.1.utf8) : $0.0.utf8.lexicographicallyPrecedes($1.0.utf8) }
            .map { "\($0.0)=\($0.1)" }.joined(separator: "&")
    }

    /// Everything but unreserved characters (RFC 3986, section 2.3) is percent-encoded; a slash too, unless it is kept.
    package static func encoded(_ text: String, keepingSlashes: Bool = false) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
                bytes.append(byte)
            case UInt8(ascii: "/") where keepingSlashes: bytes.append(byte)
            default: bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
