import AtticAPI
import HTTPServer
import Logging
import Nix
import Support
import Testing

@testable import AtticServer

/// A whole server on a port of its own: `Fixture` with sockets. What a client sends goes over the wire, byte for byte.
final class LoopbackFixture {
    let fixture: Fixture
    private let server: Server

    init(_ more: String = "") throws {
        fixture = try Fixture(more)
        var log = Logger(label: "test")
        log.logLevel = .critical
        server = try Server(
            listen: [ListenAddress(parsing: "127.0.0.1:0")], limits: Limits(), handler: Application(fixture.context), loopCount: 1,
            log: log, accessLog: { _ in })
        server.start()
    }

    deinit { server.drain(timeout: .zero) }

    var address: String { server.boundAddresses[0] }

    func connect() throws -> RawConnection { try RawConnection(to: address) }
}

/// One connection of a client of some generation, kept from request to request as libcurl keeps it.
final class ReplayConnection {
    let client: NixClient
    let token: String?
    private let address: String
    private let connection: RawConnection

    init(_ client: NixClient, to server: LoopbackFixture, token: String? = nil) throws {
        self.client = client
        self.token = token
        address = server.address
        connection = try server.connect()
    }

    /// Sends one request as that client does, and gives the answer.
    ///
    /// - Parameter more: lines behind those that the client sends always: a range.
    func send(_ method: String, _ path: String, more: [String] = []) throws -> RawAnswer {
        try connection.send(client.head(method, path, host: address, token: token, more: more))
        return try #require(try connection.receiveAnswer(hasBody: method != "HEAD"), "the server closed the connection at \(method) \(path)")
    }

    /// Sends one PUT as that client does: the head, the body after `100 Continue` where the client waits for that.
    ///
    /// - Returns: the final answer, and whether the client was told to go on before it.
    func put(_ path: String, type: String, _ body: [UInt8], coding: String? = nil) throws -> (answer: RawAnswer, continued: Bool) {
        try connection.send(client.put(path, host: address, token: token, type: type, byteCount: body.count, coding: coding))
        var continued = false
        if client.expectsContinue(byteCount: body.count) {
            let first = try #require(try connection.receiveAnswer(), "the server closed the connection at PUT \(path)")
            // Refused before the body: libcurl does not send it then.
            guard first.status == 100 else { return (first, false) }
            continued = true
        }
        try connection.send(body)
        return (try #require(try connection.receiveAnswer(), "the server closed the connection at PUT \(path)"), continued)
    }
}
