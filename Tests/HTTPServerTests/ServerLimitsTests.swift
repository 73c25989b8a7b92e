import HTTP
import HTTPServer
import Platform
import Support
import Testing

private let get = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"

@Suite struct ServerLimitsTests {
    @Test func aSlowHeadIsAnsweredWith408() throws {
        var limits = Limits()
        limits.headTime = .milliseconds(30)
        let server = try LoopbackServer(limits: limits)
        let client = try server.connect()
        try client.send("GET / HTTP/1.1\r\nHo")
        let answer = try #require(try client.receiveAnswer())
        #expect(answer.status == 408)
        #expect(answer.header("Connection") == "close")
        #expect(try client.receiveAll() == [])
    }

    @Test func anIdleConnectionIsClosedWithoutAWord() throws {
        var limits = Limits()
        limits.idleTime = .milliseconds(30)
        let server = try LoopbackServer(limits: limits)
        let fresh = try server.connect()
        #expect(try fresh.receiveAll() == [])
        let used = try server.connect()
        try used.send(get)
        #expect(try used.receiveAnswer()?.status == 200)
        #expect(try used.receiveAll() == [])
    }

    @Test(arguments: [
        ("GET / HTTP/1.1\r\nHost: h\r\nX: LONG\r\n\r\n", 431),
        ("GET /LONG HTTP/1.1\r\nHost: h\r\n\r\n", 414),
        ("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
        ("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 2000\r\n\r\n", 413), ("GET / HTTP/3.0\r\n\r\n", 505),
        ("GET / HTTP/1.1\r\n\r\n", 400), ("\u{16}\u{3}\u{1}", 400),
    ])
    func whatIsRefusedIsRefusedInWordsThatArrive(request: String, status: Int) throws {
        var limits = Limits()
        limits.bodyBytesMax = 1000
        let server = try LoopbackServer(limits: limits)
        let client = try server.connect()
        // Longer than a head may be, and than a buffer is.
        let long = String(repeating: "a", count: 100_000)
        try client.send(request.split(separator: "LONG", omittingEmptySubsequences: false).joined(separator: long))
        let answer = try #require(try client.receiveAnswer())
        #expect(answer.status == status)
        #expect(answer.header("Connection") == "close")
        #expect(answer.header("Content-Type") == "application/json")
        #expect(answer.text.hasPrefix(#"{"code":\#(status),"error":"RequestError","message":"General request error: "#))
        #expect(try client.receiveAll() == [])
    }

    @Test(arguments: Lane.allCases)
    func aFullLaneAnswers503AndTheConnectionGoesOn(lane: Lane) throws {
        var limits = Limits()
        (limits.queryThreads, limits.queryQueueMax) = (1, 1)
        (limits.documentThreads, limits.documentQueueMax) = (1, 1)
        (limits.readingThreads, limits.readingQueueMax) = (1, 1)
        (limits.transferThreads, limits.transferQueueMax) = (1, 1)
        limits.retryAfterSeconds = 7
        let gate = Gate()
        let server = try LoopbackServer(limits: limits, lane: lane) { _ in
            gate.pass()
            return .text("done")
        }
        let running = try server.connect()
        try running.send(get)
        gate.waitForArrivals(1)
        // Which of the two waits and which is refused depends on which is read first; one of each it is.
        let others = try [server.connect(), server.connect()]
        for other in others { try other.send(get) }
        let refused = try #require(server.waitForRecords(1).first)
        #expect(refused.status == .serviceUnavailable)
        gate.open()
        #expect(try running.receiveAnswer()?.text == "done")
        let answers = try others.map { try $0.receiveAnswer() }
        #expect(answers.compactMap { $0?.status }.sorted() == [200, 503])
        #expect(answers.compactMap { $0?.header("Retry-After") } == ["7"])
        for other in others {
            try other.send(get)
            #expect(try other.receiveAnswer()?.text == "done")
        }
    }

    @Test func strangersWhoHoldEveryReadingThreadKeepNoPushWaiting() throws {
        var limits = Limits()
        (limits.readingThreads, limits.documentThreads) = (1, 1)
        let gate = Gate()
        gate.open()
        let server = try LoopbackServer(lanesByPath: limits) { request in
            gate.pass()
            return echo(request)
        }
        let stranger = try server.connect()
        try stranger.send("POST /reading HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\n\r\na")
        gate.waitForArrivals(1)
        for lane in ["document", "transfer", "query"] {
            let push = try server.connect()
            try push.send("PUT /\(lane) HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello")
            #expect(try push.receiveAnswer()?.text == "hello")
        }
    }

    @Test(arguments: [Lane.document, .reading])
    func aByteNowAndThenHoldsNoThread(lane: Lane) throws {
        var limits = Limits()
        limits.shortBodyTime = .milliseconds(50)
        let server = try LoopbackServer(limits: limits, lane: lane, echo)
        let client = try server.connect()
        try client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n")
        // Progress all the time, and far from the end when the time is over.
        for _ in 0..<900_000 {
            if !server.requests.isEmpty { break }
            try client.send("a")
        }
        let answer = try #require(try client.receiveAnswer())
        #expect(answer.text == RequestBodyError.timedOut.description)
        #expect(answer.header("Connection") == "close")
    }

    @Test func beyondTheMostConnectionsOneWaitsUntilAnotherEnds() throws {
        var limits = Limits()
        limits.connectionsMax = 2
        let server = try LoopbackServer(limits: limits)
        let first = try server.connect()
        let second = try server.connect()
        for client in [first, second] {
            try client.send(get)
            #expect(try client.receiveAnswer()?.status == 200)
        }
        let third = try server.connect()
        try third.send(get)
        try first.send(get)
        #expect(try first.receiveAnswer()?.status == 200)
        #expect(server.server.connectionCount == 2, "the third waits in the kernel")
        second.close()
        #expect(try third.receiveAnswer()?.status == 200)
    }

    @Test func aThousandIdleConnectionsAreKeptAndServed() throws {
        let server = try LoopbackServer(loopCount: 2)
        let clients = try (0..<1000).map { _ in try server.connect() }
        for _ in 0..<2 {
            for client in clients { try client.send(get) }
            for client in clients { #expect(try client.receiveAnswer()?.status == 200) }
        }
        #expect(server.server.connectionCount == 1000)
    }

    @Test func aClientThatTakesNothingIsGivenUp() throws {
        var limits = Limits()
        limits.writeProgressTime = .milliseconds(50)
        let server = try LoopbackServer(limits: limits) { _ in Response(.ok, body: .bytes([UInt8](repeating: 0, count: 20 << 20))) }
        let client = try server.connect()
        try client.send(get)
        let records = server.waitForRecords(1)
        #expect(records.first?.isComplete == false)
        withExtendedLifetime(client) {}
    }

    @Test(arguments: [(1024, 512), (100, 50), (18_000, 15_952), (20_000, 16_384), (1_000_000_000, 16_384), (1, 1)])
    func connectionsLeaveDescriptorsForFiles(openFilesMax: Int, connectionsMax: Int) {
        #expect(Limits(openFilesMax: openFilesMax).connectionsMax == connectionsMax)
    }

    @Test func theLimitOfOpenFilesIsRaisedAsFarAsItGoes() {
        let raised = OpenFileLimit.raise()
        #expect(raised > 0 && OpenFileLimit.raise() == raised)
    }
}
