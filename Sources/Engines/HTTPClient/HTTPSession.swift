import HTTP
import Platform

/// Sends requests to one server, and to where that sends them, and waits for the answers.
///
/// Threads share it: each sends over a connection of its own, and connections are kept between requests. `send`
/// blocks; nothing goes on in the background.
package final class HTTPSession: Sendable {
    package let endpoint: HTTPURL
    private let timeouts: ClientTimeouts
    private let redirectsMax: Int
    private let routes: RouteTable

    /// - Parameters:
    ///   - endpoint: where the server is; requests' paths are below its path.
    ///   - connectionsMax: at once to one server; more requests wait.
    ///   - network: by which proxies, whom to believe, and whether to follow.
    /// - Throws: `ClientError.untrusted` where the authorities for https cannot be read; `proxyFailed` where the environment names
    ///   no proxy that can be used.
    package convenience init(
        endpoint: HTTPURL, timeouts: ClientTimeouts = ClientTimeouts(), connectionsMax: Int = 16, network: ClientNetwork = .direct
    ) throws(ClientError) {
        let connector = Connector(network, timeouts)
        try connector.check(endpoint)
        try self.init(endpoint, timeouts, redirectsMax: network.redirectsMax, RouteTable(endpoint) { url throws(ClientError) in
            ServerRoute(
                pool: ConnectionPool(connectionsMax: connectionsMax, idleMax: Self.idleMax) { () throws(ClientError) in
                    try connector.connect(to: url)
                },
                forwarder: try connector.forwarder(for: url))
        })
    }

    /// With connections of another kind, to the endpoint alone.
    package convenience init(
        endpoint: HTTPURL, timeouts: ClientTimeouts, connectionsMax: Int,
        connect: @escaping @Sendable () throws(ClientError) -> any Transport
    ) throws(ClientError) {
        let route = ServerRoute(
            pool: ConnectionPool(connectionsMax: connectionsMax, idleMax: Self.idleMax, connect: connect), forwarder: nil)
        try self.init(endpoint, timeouts, redirectsMax: 0, RouteTable(endpoint) { _ throws(ClientError) in route })
    }

    private init(_ endpoint: HTTPURL, _ timeouts: ClientTimeouts, redirectsMax: Int, _ routes: RouteTable) throws(ClientError) {
        if endpoint.query != nil { throw .malformedURL(endpoint.description, reason: "an endpoint has no query") }
        self.endpoint = endpoint
        self.timeouts = timeouts
        self.redirectsMax = redirectsMax
        self.routes = routes
    }

    /// Below the 60 seconds after which common servers close an idle connection.
    private static let idleMax = Duration.seconds(30)

    /// Sends a request and gives the answer with its whole body.
    ///
    /// An answer that comes before the request's body is sent whole ends the sending and counts. Where a kept
    /// connection turns out to be dead before anything of an answer came, the request is sent once more over a new
    /// one, if it may be repeated. Where the session follows, an answer that sends the request elsewhere is followed (`Redirect`).
    package func send(_ request: ClientRequest) throws(ClientError) -> ClientResponse {
        try unsafe follow(request, receiving: nil)
    }

    /// Sends a request and hands the body of a successful answer (2xx) to `receive`, piece by piece as it comes; the
    /// body of any other answer is in the response, bounded as usual.
    package func send(
        _ request: ClientRequest, receiving receive: @escaping (UnsafeRawBufferPointer) throws -> Void
    ) throws(ClientError) -> ClientResponse {
        try unsafe follow(request, receiving: receive)
    }

    private func follow(
        _ request: ClientRequest, receiving receive: ((UnsafeRawBufferPointer) throws -> Void)?
    ) throws(ClientError) -> ClientResponse {
        var request = request
        var url = try endpoint.below(request.path)
        var isWithheld = false
        var count = 0
        while true {
            var response = try unsafe perform(request, to: url, receiving: receive)
            guard redirectsMax > 0, let redirect = try Redirect(response.head, to: request, at: url) else {
                if isWithheld { response.withheldFrom = url.serverText }
                return response
            }
            count += 1
            if count > redirectsMax {
                throw .redirectRefused(host: url.authority, reason: "it is the \(redirectsMax + 1)th in a row")
            }
            if redirect.isElsewhere {
                let kept = request.headers.filter { !Redirect.credentials.contains($0.0.lowercased()) }
                isWithheld = isWithheld || kept.count < request.headers.count
                request.headers = kept
            }
            url = redirect.url
        }
    }

    private func perform(
        _ request: ClientRequest, to url: HTTPURL, receiving receive: ((UnsafeRawBufferPointer) throws -> Void)?
    ) throws(ClientError) -> ClientResponse {
        let route = try routes.route(to: url)
        var isRepeated = false
        while true {
            let lease = try route.pool.take(fresh: isRepeated)
            let exchange = Exchange(request, to: url, by: route.forwarder, transport: lease.transport, timeouts: timeouts)
            let answer: ClientResponse
            do throws(ClientError) {
                let (response, isReusable) = try unsafe exchange.run(receiving: receive)
                if isReusable { route.pool.keep(lease.transport) } else { route.pool.drop() }
                answer = response
            } catch {
                route.pool.drop()
                guard lease.wasKept, !isRepeated, request.mayRepeat, !exchange.hasAnswerBytes, case .disconnected = error
                else { throw error }
                isRepeated = true
                continue
            }
            if answer.status.code == 407, let proxy = route.forwarder { throw ProxyTunnel.wantsCredentials(proxy) }
            return answer
        }
    }
}
