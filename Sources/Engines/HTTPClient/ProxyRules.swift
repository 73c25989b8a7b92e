import Platform

/// Which servers are reached by which proxy, as the environment has it; the rules are curl's, by which Nix connects.
package struct ProxyRules: Sendable {
    private struct Setting: Sendable {
        let variable: String
        let value: String
    }

    private let http: Setting?
    private let https: Setting?
    private let exceptions: [Exception]
    private let hasNone: Bool

    /// Everything straight.
    package static let none = ProxyRules(environment: [:])

    /// Reads `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy`, in small letters first. `HTTP_PROXY` alone does not count: to a
    /// program that a web server runs, its visitors set that (httpoxy.org).
    package init(environment: [String: String]) {
        func setting(_ names: [String]) -> Setting? {
            for name in names {
                // An empty one says that there is no proxy, whatever others say.
                if let value = environment[name] { return value.isEmpty ? nil : Setting(variable: name, value: value) }
            }
            return nil
        }
        http = setting(["http_proxy", "all_proxy", "ALL_PROXY"])
        https = setting(["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])
        let words = (environment["no_proxy"] ?? environment["NO_PROXY"] ?? "").split { $0 == "," || $0.isWhitespace }
        hasNone = words.contains("*")
        exceptions = words.map { Exception(String($0).lowercased()) }
    }

    /// The proxy for a URL; nil where it is asked straight.
    ///
    /// - Throws: `ClientError.proxyFailed` where what the environment says names no proxy.
    func proxy(for url: HTTPURL) throws(ClientError) -> Proxy? {
        guard let setting = url.scheme == .https ? https : http else { return nil }
        if hasNone || exceptions.contains(where: { $0.covers(url) }) { return nil }
        return try Proxy(setting.value, of: setting.variable)
    }

    /// One word of no_proxy: a domain with all below it, an address, or a network as in `10.0.0.0/8`; with a port, that alone.
    private struct Exception: Sendable {
        private let name: String
        private let network: (address: HostAddress, bits: Int)?
        private let port: String?

        init(_ word: String) {
            var text = word[...]
            var port: String?
            if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
                let rest = text[text.index(after: end)...]
                if rest.hasPrefix(":") { port = String(rest.dropFirst()) }
                text = text[text.index(after: text.startIndex)..<end]
            } else if text.count(where: { $0 == ":" }) == 1, let colon = text.firstIndex(of: ":") {
                port = String(text[text.index(after: colon)...])
                text = text[..<colon]
            }
            self.port = port
            let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            if let first = parts.first, let address = HostAddress(String(first)) {
                let whole = address.isIPv4 ? 32 : 128
                let bits = parts.count > 1 ? Int(parts[1]) : whole
                network = bits.flatMap { (0...whole).contains($0) ? (address, $0) : nil }
            } else {
                network = nil
            }
            if text.hasPrefix("*.") { text = text.dropFirst() }
            name = String(text.trimmingDots)
        }

        func covers(_ url: HTTPURL) -> Bool {
            if let port, port != "\(url.port)" { return false }
            if let address = HostAddress(url.host) { return network.map { address.isIn($0.address, bits: $0.bits) } ?? false }
            let host = String(url.host[...].trimmingDots)
            return !name.isEmpty && network == nil && (host == name || host.hasSuffix(".\(name)"))
        }
    }
}

extension Substring {
    /// Without the dots at either end: of a domain and all below it, and of the root.
    fileprivate var trimmingDots: Substring {
        var text = self
        while text.hasPrefix(".") { text = text.dropFirst() }
        while text.hasSuffix(".") { text = text.dropLast() }
        return text
    }
}
