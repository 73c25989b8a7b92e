import Crypto
import Platform

/// How a client gets to servers, and whom it believes.
package struct ClientNetwork: Sendable {
    package var proxies: ProxyRules
    package var roots: TrustRoots
    /// How often one request is sent elsewhere by an answer; 0 hands such answers to the caller.
    package var redirectsMax: Int

    /// Straight, believing whom the environment of this process names, following nobody.
    package static var direct: ClientNetwork {
        ClientNetwork(proxies: .none, roots: .find(environment: Environment.all), redirectsMax: 0)
    }

    package init(proxies: ProxyRules, roots: TrustRoots, redirectsMax: Int) {
        self.proxies = proxies
        self.roots = roots
        self.redirectsMax = redirectsMax
    }

    /// As the environment has it, for a person's own client.
    package init(environment: [String: String]) {
        self.init(proxies: ProxyRules(environment: environment), roots: .find(environment: environment), redirectsMax: 5)
    }
}

/// Makes connections: straight or by a proxy, in the clear or encrypted. Threads share it.
final class Connector: Sendable {
    private let network: ClientNetwork
    private let timeouts: ClientTimeouts
    /// Read when it is needed first: it is some hundred certificates.
    private let trust = Monitor<TLSTrust?>(nil)

    init(_ network: ClientNetwork, _ timeouts: ClientTimeouts) {
        self.network = network
        self.timeouts = timeouts
    }

    /// Finds out early what could not be connected to anyway.
    ///
    /// - Throws: where the environment names no proxy that can be used, or no authorities that can be read.
    func check(_ server: HTTPURL) throws(ClientError) {
        let proxy = try network.proxies.proxy(for: server)
        if server.scheme == .https || proxy?.url.scheme == .https { _ = try loadTrust(for: server.authority) }
    }

    /// The proxy that must be told the whole URL of each request, since the server is asked in the clear; nil for any other way.
    func forwarder(for server: HTTPURL) throws(ClientError) -> Proxy? {
        server.scheme == .http ? try network.proxies.proxy(for: server) : nil
    }

    func connect(to server: HTTPURL) throws(ClientError) -> any Transport {
        guard let proxy = try network.proxies.proxy(for: server) else {
            return try secured(try PlainTransport.connect(to: server, timeout: timeouts.connect), server)
        }
        let plain: any Transport
        do throws(ClientError) { plain = try PlainTransport.connect(to: proxy.url, timeout: timeouts.connect) } catch {
            throw .unreachable(host: server.authority, cause: "by the proxy \(proxy): \(error)")
        }
        let carrier = try secured(plain, proxy.url)
        if server.scheme == .http { return carrier }
        try ProxyTunnel.open(over: carrier, to: server, by: proxy, timeout: timeouts.connect)
        return try secured(carrier, server)
    }

    /// The transport itself, or TLS over it, as the URL wants.
    private func secured(_ carrier: any Transport, _ server: HTTPURL) throws(ClientError) -> any Transport {
        if server.scheme == .http { return carrier }
        return try TLSTransport(over: carrier, to: server, trust: loadTrust(for: server.authority), timeout: timeouts.connect)
    }

    private func loadTrust(for host: String) throws(ClientError) -> TLSTrust {
        let roots = network.roots
        return try trust.withLock { trust throws(ClientError) in
            if let trust { return trust }
            let loaded = try roots.load(for: host)
            trust = loaded
            return loaded
        }
    }
}
