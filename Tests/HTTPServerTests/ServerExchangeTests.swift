import HTTP
import HTTPServer
import Platform
import Support
import Testing

private let get = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"

@Suite struct ServerExchangeTests {
    @Test func anAnswerHasTheServersLinesAndTheHandlersBody() throws {
        let server = try LoopbackServer { request in
            .text("\(request.head.methodName) \(request.head.target) from \(request.remoteAddress)")
        }
        let client = try server.connect()
        try client.send(get)
        let answer = try #require(try client.receiveAnswer())
        let date = try #require(answer.header("Date"))
        let id = try #require(answer.header("X-Request-Id"))
        #expect(answer.head == "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 21\r\n"
            + "Date: \(date)\r\nX-Request-Id: \(id)\r\n\r\n")
        #expect(id.utf8.count == 16)
        #expect(date.hasSuffix(" GMT"))
        #expect(answer.text == "GET /a from 127.0.0.1")
    }

    @Test func aConnectionServesOneRequestAfterAnother() throws {
        let server = try LoopbackServer { request in .text("\(request.head.target)") }
        let client = try server.connect()
        var ids: Set<String> = []
        for number in 0..<50 {
            try client.send("GET /\(number) HTTP/1.1\r\nHost: h\r\n\r\n")
            let answer = try #require(try client.receiveAnswer())
            #expect(answer.text == "/\(number)")
            ids.insert(answer.header("X-Request-Id") ?? "")
        }
        #expect(ids.count == 50)
    }

    @Test(arguments: [true, false])
    func pipelinedRequestsAreAnsweredInOrder(atOnce: Bool) throws {
        let server = try LoopbackServer(
            atOnce: { head in atOnce || head.target.path.hasSuffix("0") ? .text("\(head.target)") : nil },
            respond: { request in .text("\(request.head.target)") })
        let client = try server.connect()
        var requests = ""
        for number in 0..<2000 { requests += "GET /\(number) HTTP/1.1\r\nHost: h\r\n\r\n" }
        let all = Array(requests.utf8)
        let writer = ThreadHandle(named: "client") { try? client.send(all) }
        for number in 0..<2000 {
            let answer = try #require(try client.receiveAnswer())
            #expect(answer.text == "/\(number)")
        }
        writer.join()
    }

    @Test func aRequestMayComeByteByByte() throws {
        let server = try LoopbackServer(echo)
        let client = try server.connect()
        for byte in Array("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n\(get)".utf8) {
            try client.send([byte])
        }
        #expect(try client.receiveAnswer()?.text == "hello")
        #expect(try client.receiveAnswer()?.status == 200)
    }

    @Test func headKeepsTheLengthAndLeavesTheBodyOut() throws {
        let server = try LoopbackServer { _ in .text("hello") }
        let client = try server.connect()
        try client.send("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n" + get)
        let head = try #require(try client.receiveAnswer(hasBody: false))
        #expect(head.header("Content-Length") == "5")
        #expect(try client.receiveAnswer()?.text == "hello")
    }

    @Test(arguments: [204, 304])
    func anAnswerWithoutBodyHasNoLength(code: Int) throws {
        let server = try LoopbackServer { _ in Response(Status(code), body: .bytes([1, 2, 3])) }
        let client = try server.connect()
        try client.send(get + get)
        for _ in 0..<2 {
            let answer = try #require(try client.receiveAnswer())
            #expect(answer.status == code)
            #expect(answer.header("Content-Length") == nil)
        }
    }

    @Test func olderClientsAreToldWhetherTheConnectionIsKept() throws {
        let server = try LoopbackServer()
        let keeping = try server.connect()
        try keeping.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        #expect(try keeping.receiveAnswer()?.header("Connection") == "keep-alive")
        try keeping.send("GET / HTTP/1.0\r\n\r\n")
        #expect(try keeping.receiveAnswer()?.header("Connection") == "close")
        #expect(try keeping.receiveAnswer() == nil)
    }

    @Test func aClientThatHasEndedItsDirectionGetsItsAnswer() throws {
        let gate = Gate()
        let server = try LoopbackServer { _ in
            gate.pass()
            return .text("late")
        }
        let client = try server.connect()
        try client.send(get)
        client.shutdownWriting()
        gate.waitForArrivals(1)
        gate.open()
        #expect(try client.receiveAnswer()?.text == "late")
        #expect(try client.receiveAll() == [])
    }

    @Test func theAccessLogSaysWhatWasAnswered() throws {
        let server = try LoopbackServer { _ in .text("hello") }
        let client = try server.connect()
        try client.send(get)
        let answer = try #require(try client.receiveAnswer())
        try client.send("nonsense\r\n\r\n")
        _ = try client.receiveAll()
        let records = server.waitForRecords(2)
        #expect(records.map(\.status) == [.ok, .badRequest])
        #expect(server.requests == ["GET /a", "- -"])
        #expect(records[0].requestID.description == answer.header("X-Request-Id"))
        #expect(records[0].sentByteCount == Int64(answer.head.utf8.count + 5))
        #expect(records[0].isComplete)
        #expect(records[0].peer.host == "127.0.0.1")
    }

    @Test func anUploadThatItsClientEndsIsLoggedAs499AndAnsweredWhoeverStillReads() throws {
        let server = try LoopbackServer { request in
            do { return .text("\(try request.body.readAll(byteCountMax: 100).count)") } catch { return Response(.badRequest) }
        }
        let client = try server.connect()
        try client.send("PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab")
        client.shutdownWriting()
        #expect(try client.receiveAnswer()?.status == 400)
        #expect(server.waitForRecords(1).map(\.status) == [.clientClosedRequest])
        #expect(server.requests == ["PUT /a"])
    }

    @Test func aRequestWhoseClientBreaksTheConnectionBeforeItsAnswerIsLoggedAs499() throws {
        let gate = Gate()
        let server = try LoopbackServer { _ in
            gate.pass()
            return .text("late")
        }
        let client = try server.connect()
        try client.send(get)
        gate.waitForArrivals(1)
        client.reset()
        let records = server.waitForRecords(1)
        gate.open()
        #expect(records.map(\.status) == [.clientClosedRequest])
        #expect(records.map(\.isComplete) == [false])
        #expect(records.map(\.sentByteCount) == [0])
    }

    @Test func severalLoopsServeOneAddress() throws {
        let server = try LoopbackServer(loopCount: 4) { request in .text("\(request.head.target)") }
        let clients = try (0..<40).map { _ in try server.connect() }
        for (number, client) in clients.enumerated() { try client.send("GET /\(number) HTTP/1.1\r\nHost: h\r\n\r\n") }
        for (number, client) in clients.enumerated() { #expect(try client.receiveAnswer()?.text == "/\(number)") }
    }

    @Test func anAddressInUseIsSaid() throws {
        let server = try LoopbackServer()
        let address = try ListenAddress(parsing: server.address)
        #expect(throws: SystemError("listen on", server.address, .addressInUse)) {
            _ = try Server(
                listen: [address], handler: ClosureHandler(atOnce: { _ in nil }, lane: .query) { _ in Response(.ok) },
                log: .init(label: "test"))
        }
    }
}
