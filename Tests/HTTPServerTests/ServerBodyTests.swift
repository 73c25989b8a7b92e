import HTTP
import HTTPServer
import Platform
import Support
import Testing

@Suite struct ServerBodyTests {
    @Test(arguments: ["Content-Length: 5\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;a=b\r\nllo\r\n0\r\nT: x\r\n\r\n"])
    func aBodyComesToItsHandler(framed: String) throws {
        let server = try LoopbackServer(lane: .transfer, echo)
        let client = try server.connect()
        for _ in 0..<3 {
            try client.send("PUT / HTTP/1.1\r\nHost: h\r\n\(framed)")
            #expect(try client.receiveAnswer()?.text == "hello")
        }
    }

    @Test func aLongBodyPassesThroughASmallPipe() throws {
        var limits = Limits()
        limits.bodyBufferBytes = 1000
        limits.bodyBytesBeforeFirstRead = 100
        limits.turnBytesMax = 4096
        let server = try LoopbackServer(limits: limits, lane: .transfer) { request in
            var sum = 0
            var count = 0
            var buffer = [UInt8](repeating: 0, count: 777)
            while true {
                var span = buffer.mutableSpan
                let taken = unsafe span.withUnsafeMutableBytes { bytes in (try? unsafe request.body.read(into: bytes)) ?? -1 }
                if taken <= 0 { return .text("\(count) \(sum)") }
                for byte in buffer[..<taken] { sum += Int(byte) }
                count += taken
            }
        }
        let body = (0..<400_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let sum = body.reduce(0) { $0 + Int($1) }
        let client = try server.connect()
        try client.send(Array("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: \(body.count)\r\n\r\n".utf8) + body)
        #expect(try client.receiveAnswer()?.text == "\(body.count) \(sum)")
        // Chunked, with sizes that fit no buffer.
        var chunked = Array("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n".utf8)
        var rest = body[...]
        while !rest.isEmpty {
            let piece = rest.prefix(3001)
            chunked += Array("\(String(piece.count, radix: 16))\r\n".utf8) + piece + [13, 10]
            rest = rest.dropFirst(piece.count)
        }
        try client.send(chunked + Array("0\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n".utf8))
        #expect(try client.receiveAnswer()?.text == "\(body.count) \(sum)")
        #expect(try client.receiveAnswer()?.text == "0 0")
    }

    @Test(arguments: [("0\r\n\r\n", 200), ("xyz\r\n", 400)])
    func aBodyThatEndsInFrontOfMuchElseIsNoTrouble(end: String, status: Int) throws {
        let server = try LoopbackServer(lane: .transfer, echo)
        let client = try server.connect()
        try client.send("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n")
        #expect(try client.receive(25) == Array("HTTP/1.1 100 Continue\r\n\r\n".utf8))
        // The handler reads: from now on as much is received at once as there is room for in its pipe.
        let behind = String(repeating: "GET / HTTP/1.1\r\nHost: h\r\n\r\n", count: 2500)
        try client.send(end + behind)
        #expect(try client.receiveAnswer()?.status == status)
        let another = try server.connect()
        try another.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(try another.receiveAnswer()?.status == 200, "the server is still there")
    }

    @Test func continueIsSentWhenTheHandlerReads() throws {
        let gate = Gate()
        let server = try LoopbackServer(lane: .transfer) { request in
            gate.pass()
            return echo(request)
        }
        let client = try server.connect()
        try client.send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        gate.waitForArrivals(1)
        gate.open()
        #expect(try client.receive(25) == Array("HTTP/1.1 100 Continue\r\n\r\n".utf8))
        try client.send("hello")
        let answer = try #require(try client.receiveAnswer())
        #expect(answer.text == "hello")
        #expect(answer.header("Connection") == nil)
        try client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(try client.receiveAnswer()?.status == 200)
    }

    @Test func continueIsNeverSentToWhomTheHandlerDoesNotRead() throws {
        let server = try LoopbackServer(lane: .transfer) { _ in Response(.unauthorized) }
        let client = try server.connect()
        try client.send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        let answer = try #require(try client.receiveAnswer())
        #expect(answer.status == 401)
        #expect(answer.header("Connection") == "close")
        #expect(try client.receiveAll() == [])
    }

    @Test func anUnreadBodyIsDroppedAndTheConnectionKept() throws {
        let server = try LoopbackServer(lane: .transfer) { request in .text("\(request.head.method)") }
        let client = try server.connect()
        let body = [UInt8](repeating: 65, count: 500_000)
        for _ in 0..<2 {
            try client.send(Array("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: \(body.count)\r\n\r\n".utf8) + body)
            #expect(try client.receiveAnswer()?.text == "put")
        }
        try client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(try client.receiveAnswer()?.text == "get")
    }

    @Test func anEarlyAnswerReachesAClientThatGoesOnSending() throws {
        let server = try LoopbackServer(lane: .transfer) { _ in Response(.forbidden, body: .bytes([1, 2, 3])) }
        let client = try server.connect()
        try client.send("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
        // More than the buffers of the kernel hold, so some of it is sent long after the answer.
        let chunk = Array("10000\r\n".utf8) + [UInt8](repeating: 65, count: 0x10000) + [13, 10]
        for _ in 0..<200 { try client.send(chunk) }
        let answer = try #require(try client.receiveAnswer())
        #expect(answer.status == 403)
        #expect(answer.body == [1, 2, 3])
        #expect(answer.header("Connection") == "close")
    }

    @Test(arguments: [true, false])
    func aClientThatLeavesInTheMiddleFailsTheReader(isReset: Bool) throws {
        let seen = Monitor<String?>(nil)
        let gate = Gate()
        let server = try LoopbackServer(lane: .transfer) { request in
            gate.pass()
            do throws(RequestBodyError) { _ = try request.body.readAll(byteCountMax: 1000) } catch {
                seen.update { $0 = "\(error)" }
            }
            return Response(.badRequest)
        }
        let client = try server.connect()
        try client.send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhello")
        gate.waitForArrivals(1)
        if isReset { client.reset() } else { client.close() }
        gate.open()
        #expect(seen.wait { $0 } == RequestBodyError.disconnected.description)
    }

    @Test func aClientThatStopsSendingFailsTheReader() throws {
        var limits = Limits()
        limits.bodyProgressTime = .milliseconds(30)
        let server = try LoopbackServer(limits: limits, lane: .transfer, echo)
        let client = try server.connect()
        try client.send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhello")
        let answer = try #require(try client.receiveAnswer())
        #expect(answer.text == RequestBodyError.timedOut.description)
        #expect(answer.header("Connection") == "close")
    }

    @Test func aReaderIsToldWhatIsWrongWithABody() throws {
        let server = try LoopbackServer(lane: .transfer, echo)
        let malformed = try server.connect()
        try malformed.send("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n")
        #expect(try malformed.receiveAnswer()?.text == "the request's body is malformed: a chunk's size is malformed")
        let long = try server.connect()
        try long.send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 2000000\r\n\r\n")
        #expect(try long.receiveAnswer()?.text == "the request's body is longer than 1048576 bytes")
    }
}
