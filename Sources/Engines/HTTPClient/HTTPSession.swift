import HTTP
import Platform

/// Sends requests to one server and waits for the answers.
///
/// Threads share it: each sends over a connection of its own, and connections are kept between requests. `send`
/// blocks; nothing goes on in the background.
package final class HTTPSession: Sendable {
    package let endpoint: HTTPURL
    private let timeouts: ClientTimeouts
    private let pool: ConnectionPool

    /// - Parameters:
    ///   - endpoint: where the server is; requests' paths are below its path.
    ///   - connectionsMax: at once; more requests wait.
    /// - Throws: `ClientError.unsupportedScheme` for https.
    package convenience init(
        endpoint: HTTPURL, timeouts: ClientTimeouts = ClientTimeouts(), connectionsMax: Int = 16
    ) throws(ClientError) {
        if endpoint.scheme == .https { throw .unsupportedScheme(endpoint.description) }
        try self.init(
            endpoint: endpoint, timeouts: timeouts, connectionsMax: connectionsMax
        ) { () throws(ClientError) in
            try PlainTransport.connect(to: endpoint, timeout: timeouts.connect)
        }
    }

    /// With connections of another kind.
    package init(
        endpoint: HTTPURL, timeouts: ClientTimeouts, connectionsMax: Int,
        connect: @escaping @Sendable () throws(ClientError) -> any Transport
    ) throws(ClientError) {
        if endpoint.query != nil { throw .malformedURL(endpoint.description, reason: "an endpoint has no query") }
        self.endpoint = endpoint
        self.timeouts = timeouts
        // Below the 60 seconds after which common servers close an idle connection.
        pool = ConnectionPool(connectionsMax: connectionsMax, idleMax: .seconds(30), connect: connect)
    }

    /// Sends a request and gives the answer with its whole body.
    ///
    /// An answer that comes before the request's body is sent whole ends the sending and counts. Where a kept
    /// connection turns out to be dead before anything of an answer came, the request is sent once more over a new
    /// one, if it may be repeated.
    package func send(_ request: ClientRequest) throws(ClientError) -> ClientResponse {
        try unsafe perform(request, receiving: nil)
    }

    /// Sends a request and hands the body of a successful answer (2xx) to `receive`, piece by piece as it comes; the
    /// body of any other answer is in the response, bounded as usual.
    package func send(
        _ request: ClientRequest, receiving receive: @escaping (UnsafeRawBufferPointer) throws -> Void
    ) throws(ClientError) -> ClientResponse {
        try unsafe perform(request, receiving: receive)
    }

    private func perform(
        _ request: ClientRequest, receiving receive: ((UnsafeRawBufferPointer) throws -> Void)?
    ) throws(ClientError) -> ClientResponse {
        var isRepeated = false
        while true {
            let lease = try pool.take(fresh: isRepeated)
            var exchange: Exchange?
            do throws(ClientError) {
                let current = try Exchange(request, endpoint: endpoint, transport: lease.transport, timeouts: timeouts)
                exchange = current
                let (response, isReusable) = try unsafe current.run(receiving: receive)
                if isReusable { pool.keep(lease.transport) } else { pool.drop() }
                return response
            } catch {
                pool.drop()
                guard lease.wasKept, !isRepeated, request.mayRepeat, exchange?.hasAnswerBytes == false,
                    case .disconnected = error
                else { throw error }
                isRepeated = true
            }
        }
    }
}
