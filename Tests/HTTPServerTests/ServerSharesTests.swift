import HTTP
import Platform
import Support
import Testing

@testable import HTTPServer

private let get = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"

/// What one client may have of what all share. Tests come from 127.0.0.1, which is a proxy's address unless they say otherwise.
@Suite struct ServerSharesTests {
    /// Nobody is a proxy.
    private var limits: Limits {
        var limits = Limits()
        limits.proxies = []
        limits.retryAfterSeconds = 7
        return limits
    }

    @Test func aClientWithItsShareOfConnectionsIsToldSoAndOthersAreNot() throws {
        var limits = limits
        limits.clientConnectionsMax = 2
        let server = try LoopbackServer(limits: limits)
        let held = try [server.connect(), server.connect()]
        for client in held {
            try client.send(get)
            #expect(try client.receiveAnswer()?.status == 200)
        }
        let third = try server.connect()
        let refused = try #require(try third.receiveAnswer())
        #expect(refused.status == 503 && refused.header("Retry-After") == "7" && refused.header("Connection") == "close")
        #expect(refused.text.contains("2 connections from your address"))
        #expect((try? third.receiveAll())?.isEmpty != false)
        let other = try server.connect(from: 2)
        try other.send(get)
        #expect(try other.receiveAnswer()?.status == 200)
        // The server need not have seen the end of one at once.
        held[0].close()
        var status = 503
        for _ in 0..<10_000 where status == 503 {
            let next = try server.connect()
            guard (try? next.send(get)) != nil, let answer = try? next.receiveAnswer() else { continue }
            status = answer.status
        }
        #expect(status == 200)
    }

    @Test func aProxyHasAnyNumberOfConnections() throws {
        var limits = limits
        limits.clientConnectionsMax = 1
        limits.proxies = try [#require(HostAddress("127.0.0.1")), #require(HostAddress("127.0.0.3"))]
        let server = try LoopbackServer(limits: limits)
        let clients = try [1, 1, 1, 3, 3, 2].map { try server.connect(from: $0) }
        for client in clients {
            try client.send(get)
            #expect(try client.receiveAnswer()?.status == 200)
        }
        #expect(try server.connect(from: 2).receiveAnswer()?.status == 503)
    }

    @Test func answersThatSlowReadersLeaveInMemoryAreBounded() throws {
        var limits = limits
        limits.heldBytesMax = 30 << 20
        let body = [UInt8](repeating: 7, count: 20 << 20)
        let server = try LoopbackServer(limits: limits) { request in
            request.head.target.path == "/a" ? Response(.ok, body: .bytes(body)) : .text("small")
        }
        let slow = try server.connect(from: 2)
        try slow.send(get)
        // Its head has come, so the rest waits.
        #expect(try slow.receive(15) == Array("HTTP/1.1 200 OK".utf8))
        #expect(server.server.heldByteCount == body.count)
        let other = try server.connect(from: 3)
        try other.send(get)
        let refused = try #require(try other.receiveAnswer())
        #expect(refused.status == 503 && refused.header("Retry-After") == "7")
        // What is small is answered as ever, and nothing is counted for who asks for no body.
        try other.send("GET /b HTTP/1.1\r\nHost: h\r\n\r\nHEAD /a HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(try other.receiveAnswer()?.text == "small")
        #expect(try other.receiveAnswer(hasBody: false)?.header("Content-Length") == "\(body.count)")
        _ = try slow.receive(body.count)
        _ = server.waitForRecords(4)
        #expect(server.server.heldByteCount == 0)
        try other.send(get)
        #expect(try other.receiveAnswer()?.body == body)
    }

    @Test(arguments: [true, false])
    func whatAClientLeftInMemoryIsGivenBackWhenItGoes(isReset: Bool) throws {
        let body = [UInt8](repeating: 7, count: 20 << 20)
        let server = try LoopbackServer(limits: limits) { _ in Response(.ok, body: .bytes(body)) }
        let client = try server.connect()
        try client.send(get)
        _ = try client.receive(15)
        #expect(server.server.heldByteCount == body.count)
        if isReset { client.reset() } else { client.close() }
        #expect(server.waitForRecords(1).first?.isComplete == false)
        #expect(server.server.heldByteCount == 0)
    }

    @Test func oneClientHasAShareOfThatMemoryAndAProxyHasNone() throws {
        var limits = limits
        limits.clientHeldBytesMax = 30 << 20
        limits.proxies = try [#require(HostAddress("127.0.0.9"))]
        let body = [UInt8](repeating: 7, count: 20 << 20)
        let server = try LoopbackServer(limits: limits) { _ in Response(.ok, body: .bytes(body)) }
        var slow: [RawConnection] = []
        for (number, status) in [(UInt8(2), "200"), (2, "503"), (3, "200"), (9, "200"), (9, "200")] {
            let client = try server.connect(from: number)
            try client.send(get)
            #expect(try client.receive(12) == Array("HTTP/1.1 \(status)".utf8))
            slow.append(client)
        }
        #expect(server.server.heldByteCount == 4 * body.count)
        withExtendedLifetime(slow) {}
    }

    @Test func whoTakesTooLittleOfALargeAnswerKeepsNoMemory() throws {
        var limits = limits
        (limits.writeProgressTime, limits.writeProgressBytes) = (.milliseconds(50), 1 << 50)
        let server = try LoopbackServer(limits: limits) { _ in Response(.ok, body: .bytes([UInt8](repeating: 7, count: 40 << 20))) }
        let client = try server.connect()
        try client.send(get)
        var received = 0
        for _ in 0..<100_000 where server.requests.isEmpty { received += (try? client.receive(1).count) ?? 0 }
        #expect(server.waitForRecords(1).first?.isComplete == false)
        #expect(server.server.heldByteCount == 0)
    }

    @Test func aClientWithItsShareOfStreamsIsRefusedAnotherAndOthersAreNot() throws {
        var limits = limits
        limits.clientStreamsMax = 1
        let gate = Gate()
        let server = try LoopbackServer(limits: limits) { _ in
            Response(.ok, body: .stream(byteCount: 4) { writer in
                gate.pass()
                try writer.write(Array("done".utf8))
            })
        }
        let running = try server.connect()
        try running.send(get)
        gate.waitForArrivals(1)
        let second = try server.connect()
        try second.send(get)
        try second.expectToComeBackLater()
        let other = try server.connect(from: 2)
        try other.send(get)
        gate.waitForArrivals(2)
        gate.open()
        #expect(try running.receiveAnswer()?.text == "done")
        #expect(try other.receiveAnswer()?.text == "done")
        var status = 503
        for _ in 0..<10_000 where status == 503 {
            try second.send(get)
            status = try #require(try second.receiveAnswer()).status
        }
        #expect(status == 200)
    }

    @Test func whoHasNothingLeftIsForgotten() throws {
        let shares = ClientShares(limits: limits)
        let clients = (0..<100).map { HostAddress("192.0.2.\($0)") }
        for client in clients {
            #expect(shares.takeConnection(of: client) && shares.takeStream(of: client) && shares.takeHeld(1000, of: client))
        }
        #expect(shares.clientCount == 100)
        for client in clients {
            shares.giveBackConnection(of: client)
            shares.giveBackStream(of: client)
            shares.giveBackHeld(1000, of: client)
        }
        #expect(shares.clientCount == 0 && shares.heldBytes == 0)
    }
}
