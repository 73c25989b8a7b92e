/// URLs that a server names, and who may be shown what was meant for another.
extension HTTPURL {
    /// The URL of something below this one.
    ///
    /// - Parameter path: begins with a slash, percent-encoded, with a query where there is one.
    /// - Throws: `ClientError.malformedURL` where it cannot stand in a request.
    func below(_ path: String) throws(ClientError) -> HTTPURL {
        guard path.hasPrefix("/"), path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw .malformedURL(path, reason: "a path begins with a slash and is percent-encoded")
        }
        return with(target: self.path(below: path))
    }

    /// What a reference means that this URL's resource gave (RFC 3986, section 5.2; a fragment is dropped).
    ///
    /// - Throws: `ClientError.malformedURL` where that is no URL of http or https, or has a user name.
    func resolving(_ reference: String) throws(ClientError) -> HTTPURL {
        let text = String(reference.prefix { $0 != "#" })
        if text.hasPrefix("//") { return try HTTPURL("\(scheme.rawValue):\(text)") }
        if let colon = text.firstIndex(where: { ":/?".contains($0) }), text[colon] == ":" { return try HTTPURL(text) }
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw .malformedURL(text, reason: "it has spaces, or bytes that must be percent-encoded")
        }
        let query = text.firstIndex(of: "?").map { String(text[$0...]) } ?? ""
        let path = String(text.prefix { $0 != "?" })
        if path.isEmpty { return with(target: self.path + (query.isEmpty ? self.query.map { "?\($0)" } ?? "" : query)) }
        if path.hasPrefix("/") { return with(target: Self.removingDots(path) + query) }
        let folder = self.path.lastIndex(of: "/").map { String(self.path[...$0]) } ?? "/"
        return with(target: Self.removingDots(folder + path) + query)
    }

    /// RFC 3986, section 5.2.4.
    private static func removingDots(_ path: String) -> String {
        var kept: [Substring] = []
        let segments = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        for segment in segments {
            if segment == ".." { _ = kept.popLast() } else if segment != "." { kept.append(segment) }
        }
        if let last = segments.last, last == "." || last == ".." { kept.append("") }
        return "/" + kept.joined(separator: "/")
    }

    /// What a request asks the server for: path and query.
    var target: String { (path.hasPrefix("/") ? path : "/" + path) + (query.map { "?\($0)" } ?? "") }

    /// `scheme://host:port`
    package var serverText: String { "\(scheme.rawValue)://\(authority)" }

    /// `host:port`, always with the port: what CONNECT asks for (RFC 9110, section 9.3.6).
    var placeWithPort: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// Whether both are of one server: scheme, host and port.
    package func isSameServer(as other: HTTPURL) -> Bool { scheme == other.scheme && host == other.host && port == other.port }

    /// Whether this server may be shown the credentials that are meant for `other`: it is the same one, or the same one by https
    /// where that was http, both at their usual ports.
    package func maySeeCredentials(for other: HTTPURL) -> Bool {
        if isSameServer(as: other) { return true }
        return host == other.host && other.scheme == .http && other.port == 80 && scheme == .https && port == 443
    }
}
