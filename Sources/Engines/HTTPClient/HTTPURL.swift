/// An http or https URL: where a server is, and what below it is meant.
///
///     http://[::1]:8080/base/
///     scheme  host  port path
package struct HTTPURL: Hashable, Sendable, CustomStringConvertible {
    package enum Scheme: String, Hashable, Sendable {
        case http, https
        package var defaultPort: UInt16 { self == .http ? 80 : 443 }
    }

    package let scheme: Scheme
    /// A name or an address, in lower case; IPv6 without its brackets.
    package let host: String
    package let port: UInt16
    /// As it was written, percent-encoded: empty, or begins with a slash.
    package let path: String
    /// What follows the question mark, as it was written.
    package let query: String?

    /// Reads a URL (RFC 3986, section 3).
    ///
    /// - Throws: `ClientError.malformedURL`, saying what is wrong. Names and passwords before the host are refused:
    ///   a secret in a URL ends up in logs.
    package init(_ text: String) throws(ClientError) {
        func refusal(_ reason: String) -> ClientError { .malformedURL(text, reason: reason) }
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x23 }) else {
            throw refusal("it has spaces, a fragment, or bytes that must be percent-encoded")
        }
        guard let schemeEnd = text.firstRange(of: "://"),
            let scheme = Scheme(rawValue: text[..<schemeEnd.lowerBound].lowercased())
        else { throw refusal("it does not begin with http:// or https://") }
        let afterScheme = text[schemeEnd.upperBound...]
        let authorityEnd = afterScheme.firstIndex { $0 == "/" || $0 == "?" } ?? afterScheme.endIndex
        let authority = afterScheme[..<authorityEnd]
        if authority.contains("@") { throw refusal("it has a user name; use a token or a netrc file instead") }
        guard let (host, portText) = Self.split(authority) else { throw refusal("its host is malformed") }
        if let portText, !portText.isEmpty {
            guard portText.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(portText), port > 0 else {
                throw refusal("its port is not a number from 1 to 65535")
            }
            self.port = port
        } else {
            port = scheme.defaultPort
        }
        let rest = afterScheme[authorityEnd...]
        let question = rest.firstIndex(of: "?")
        self.scheme = scheme
        self.host = host.lowercased()
        path = String(rest[..<(question ?? rest.endIndex)])
        query = question.map { String(rest[rest.index(after: $0)...]) }
    }

    private init(scheme: Scheme, host: String, port: UInt16, target: String) {
        self.scheme = scheme
        self.host = host
        self.port = port
        let question = target.firstIndex(of: "?")
        path = String(target[..<(question ?? target.endIndex)])
        query = question.map { String(target[target.index(after: $0)...]) }
    }

    /// Another resource of the same server.
    ///
    /// - Parameter target: path and query, visible ASCII.
    func with(target: String) -> HTTPURL { HTTPURL(scheme: scheme, host: host, port: port, target: target) }

    /// Whether the host is an address, of IPv6 or IPv4, and no name.
    package var hostIsAddress: Bool {
        host.contains(":") || host.utf8.allSatisfy { $0 == UInt8(ascii: ".") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }

    /// What stands in the Host header: the port only where it is not the scheme's own (RFC 9110, section 7.2).
    package var authority: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return port == scheme.defaultPort ? name : "\(name):\(port)"
    }

    /// `scheme://host:port`, then path and query.
    package var description: String { "\(scheme.rawValue)://\(authority)\(path)" + (query.map { "?\($0)" } ?? "") }

    /// The path of something below this URL.
    ///
    /// - Parameter path: begins with a slash, and is percent-encoded. A slash at the end of the URL is not doubled.
    package func path(below path: String) -> String {
        precondition(path.hasPrefix("/"), "a path below a URL begins with a slash")
        return self.path.hasSuffix("/") ? self.path.dropLast() + path : self.path + path
    }

    /// A text as one segment of a path: everything but unreserved characters is percent-encoded (RFC 3986, 2.3).
    package static func segment(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E: bytes.append(byte)
            default: bytes += [0x25, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// `host:port`, `[::1]:port`, with or without port; nil where it is neither.
    private static func split(_ authority: Substring) -> (host: String, port: Substring?)? {
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]") else { return nil }
            let host = authority[authority.index(after: authority.startIndex)..<end]
            let rest = authority[authority.index(after: end)...]
            guard host.contains(":"), host.utf8.allSatisfy(isAddressByte) else { return nil }
            if rest.isEmpty { return (String(host), nil) }
            return rest.hasPrefix(":") ? (String(host), rest.dropFirst()) : nil
        }
        let parts = authority.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard let host = parts.first, !host.isEmpty, host.utf8.allSatisfy(isNameByte) else { return nil }
        return (String(host), parts.count > 1 ? parts[1] : nil)
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F: true
        default: false
        }
    }

    private static func isAddressByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x3A, 0x41...0x46, 0x61...0x66, 0x2E: true
        default: false
        }
    }
}
