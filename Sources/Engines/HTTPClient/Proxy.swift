import Encoding

/// A proxy that requests go through (RFC 9110, section 3.7).
struct Proxy: Hashable, Sendable, CustomStringConvertible {
    /// Where it is; https for one that is spoken to over TLS itself.
    let url: HTTPURL
    /// What Proxy-Authorization says; nil where the proxy wants nothing.
    let authorization: String?

    /// Its port where none is written, as curl has it, by which Nix connects.
    private static let defaultPort = 1080

    /// Reads what a variable says: `http://user:password@host:port`, also without the scheme. The password may be
    /// percent-encoded.
    ///
    /// - Throws: `ClientError.proxyFailed` with the variable's name; its value may hold a password and is not repeated.
    init(_ value: String, of variable: String) throws(ClientError) {
        func refusal(_ reason: String) -> ClientError { .proxyFailed(name: variable, cause: reason) }
        let text = value.contains("://") ? value : "http://" + value
        guard let schemeEnd = text.firstRange(of: "://"), ["http", "https"].contains(text[..<schemeEnd.lowerBound].lowercased()) else {
            throw refusal("only proxies of http:// and https:// are supported, none of SOCKS")
        }
        var rest = text[schemeEnd.upperBound...]
        if rest.hasSuffix("/") { rest = rest.dropLast() }
        var authorization: String?
        // The last one: a password may have one of its own.
        if let at = rest.lastIndex(of: "@") {
            guard let credentials = Self.decode(rest[..<at]), !credentials.contains(where: { $0 < 0x20 || $0 == 0x7F }) else {
                throw refusal("its user name or password is not percent-encoded as it should be")
            }
            let pair = credentials.contains(UInt8(ascii: ":")) ? credentials : credentials + [UInt8(ascii: ":")]
            authorization = "Basic \(Base64.encode(pair))"
            rest = rest[rest.index(after: at)...]
        }
        if rest.contains(where: { "/?#@".contains($0) }) { throw refusal("it has more than a host and a port") }
        let hasPort = (rest.hasPrefix("[") ? rest[(rest.firstIndex(of: "]") ?? rest.startIndex)...] : rest).contains(":")
        let scheme = text[..<schemeEnd.lowerBound].lowercased()
        let place = hasPort || scheme == "https" ? String(rest) : "\(rest):\(Self.defaultPort)"
        do throws(ClientError) { url = try HTTPURL("\(scheme)://\(place)") } catch {
            throw refusal("it is not written as http://HOST:PORT")
        }
        self.authorization = authorization
    }

    /// Without credentials.
    var description: String { "\(url)" }

    /// Undoes percent-encoding; nil where it is malformed.
    private static func decode(_ text: Substring) -> [UInt8]? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else { return nil }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return bytes
    }
}
