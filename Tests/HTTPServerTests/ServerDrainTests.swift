import HTTP
import HTTPServer
import Platform
import Support
import Testing

private let get = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"

@Suite struct ServerDrainTests {
    @Test func whatHasBegunIsFinishedAndIdleConnectionsAreClosed() throws {
        let gate = Gate()
        let server = try LoopbackServer(loopCount: 2) { request in
            if request.head.target.path == "/slow" { gate.pass() }
            return echo(request)
        }
        let idle = try server.connect()
        try idle.send(get)
        #expect(try idle.receiveAnswer()?.status == 200)
        let busy = try server.connect()
        try busy.send("PUT /slow HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe")
        gate.waitForArrivals(1)
        let drained = Monitor<Bool?>(nil)
        let thread = ThreadHandle(named: "drain") {
            let hasFinished = server.server.drain(timeout: .seconds(30))
            drained.update { $0 = hasFinished }
        }
        #expect(try idle.receiveAll() == [])
        #expect(throws: SystemError.self) {
            // Every loop closes its own listeners, so for a moment one of them may still be there.
            while true { _ = try server.connect() }
        }
        try busy.send("llo")
        gate.open()
        let answer = try #require(try busy.receiveAnswer())
        #expect(answer.text == "hello")
        #expect(answer.header("Connection") == "close")
        busy.close()
        thread.join()
        #expect(drained.withLock { $0 } == true)
    }

    @Test(arguments: 0..<20)
    func aRequestThatWasSentBeforeTheDrainIsAnswered(round: Int) throws {
        let server = try LoopbackServer()
        let kept = try server.connect()
        try kept.send(get)
        #expect(try kept.receiveAnswer()?.status == 200)
        let fresh = try server.connect()
        try fresh.send(get)
        try kept.send(get)
        let thread = ThreadHandle(named: "drain") { server.server.drain(timeout: .seconds(30)) }
        for client in [kept, fresh] {
            #expect(try client.receiveAnswer()?.status == 200)
            client.close()
        }
        thread.join()
    }

    @Test func whatDoesNotFinishIsBrokenOff() throws {
        let server = try LoopbackServer(lane: .transfer, echo)
        let client = try server.connect()
        try client.send("PUT /slow HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        #expect(try client.receive(25).count == 25)
        #expect(server.server.drain(timeout: .zero) == false)
        #expect(server.server.connectionCount == 0)
        #expect(server.server.drain(timeout: .zero), "there is nothing left to drain")
    }

    @Test func aRequestThatComesWhileDrainingIsAnsweredWith503() throws {
        let gate = Gate()
        let server = try LoopbackServer { request in
            if request.head.target.path == "/slow" { gate.pass() }
            return Response(.ok)
        }
        let half = try server.connect()
        try half.send("GET / HTTP/1.1\r\nHos")
        let busy = try server.connect()
        try busy.send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n")
        gate.waitForArrivals(1)
        let idle = try server.connect()
        try idle.send(get)
        #expect(try idle.receiveAnswer()?.status == 200)
        let thread = ThreadHandle(named: "drain") { server.server.drain(timeout: .seconds(30)) }
        #expect(try idle.receiveAll() == [])
        try half.send("t: h\r\n\r\n")
        let answer = try #require(try half.receiveAnswer())
        #expect(answer.status == 503)
        #expect(answer.header("Retry-After") == "2")
        half.close()
        gate.open()
        #expect(try busy.receiveAnswer()?.status == 200)
        busy.close()
        thread.join()
    }
}
