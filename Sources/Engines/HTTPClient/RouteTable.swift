import Platform

/// The way to one server: its connections, and the proxy that is asked in its place, if any.
struct ServerRoute: Sendable {
    let pool: ConnectionPool
    /// The proxy that has to be told the whole URL of each request.
    let forwarder: Proxy?
}

/// The ways to a session's own server, and to those that it sends requests to. Threads share it.
final class RouteTable: Sendable {
    private let own: HTTPURL
    private let make: @Sendable (HTTPURL) throws(ClientError) -> ServerRoute
    private let routes = Monitor<[(server: HTTPURL, route: ServerRoute)]>([])

    /// Servers that are remembered: the own one, and some that it names. Who names a new one each time keeps no connections.
    private static let serversMax = 4

    init(_ own: HTTPURL, make: @escaping @Sendable (HTTPURL) throws(ClientError) -> ServerRoute) {
        self.own = own
        self.make = make
    }

    func route(to url: HTTPURL) throws(ClientError) -> ServerRoute {
        let make = make
        let own = own
        return try routes.withLock { routes throws(ClientError) in
            if let known = routes.first(where: { $0.server.isSameServer(as: url) }) { return known.route }
            let route = try make(url)
            if routes.count >= Self.serversMax, let place = routes.firstIndex(where: { !$0.server.isSameServer(as: own) }) {
                routes.remove(at: place)
            }
            routes.append((url, route))
            return route
        }
    }
}
