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
        // A machine that is busy may leave a test no time to send within its connection's.
        for _ in 0..<1000 where server.requests.isEmpty {
            let used = try server.connect()
            guard (try? used.send(get)) != nil, let answer = try? used.receiveAnswer() else { continue }
            #expect(answer.status == 200)
            #expect(try used.receiveAll() == [])
            _ = server.waitForRecords(1)
        }
        #expect(server.requests == ["GET /a"])
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
        (limits.fetchingThreads, limits.fetchingQueueMax) = (1, 1)
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

    @Test(arguments: [Lane.reading, .fetching])
    func strangersWhoHoldEveryReadingThreadKeepNoPushWaiting(lane: Lane) throws {
        var limits = Limits()
        (limits.readingThreads, limits.fetchingThreads, limits.documentThreads) = (1, 1, 1)
        let gate = Gate()
        let server = try LoopbackServer(lanesByPath: limits) { request in
            if request.head.target.path == "/\(lane)" { gate.pass() }
            return echo(request)
        }
        defer { gate.open() }
        let stranger = try server.connect()
        try stranger.send("POST /\(lane) HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\na")
        gate.waitForArrivals(1)
        for lane in ["document", "transfer", "query"] {
            let push = try server.connect()
            try push.send("PUT /\(lane) HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello")
            #expect(try push.receiveAnswer()?.text == "hello")
        }
    }

    @Test(arguments: ["Content-Length: 100000", "Expect: 100-continue\r\nContent-Length: 100000"])
    func strangersWhoAreSlowToSendABodyHoldNoThreadUntilItIsThere(headers: String) throws {
        var limits = Limits()
        limits.readingThreads = 1
        // None of them is too slow, however busy this machine is.
        limits.shortBodyTime = .seconds(600)
        let server = try LoopbackServer(limits: limits, lane: .reading, echo)
        let head = "POST / HTTP/1.1\r\nHost: h\r\n\(headers)\r\n\r\n"
        let slow = try (0..<20).map { _ in try server.connect() }
        for client in slow {
            try client.send(head)
            if headers.hasPrefix("Expect") { #expect(try client.receiveAnswer()?.status == 100) }
            try client.send("hello")
        }
        let other = try server.connect()
        try other.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi" + get)
        #expect(try other.receiveAnswer()?.text == "hi")
        #expect(try other.receiveAnswer()?.status == 200)
        for client in slow {
            try client.send(String(repeating: "a", count: 99_995))
            #expect(try client.receiveAnswer()?.body.count == 100_000)
        }
        #expect(server.waitForRecords(22).count == 22)
        #expect(server.server.heldByteCount == 0)
    }

    @Test func aBodyThatIsLongerThanOneThatIsAwaitedGoesToItsHandler() throws {
        var limits = Limits()
        limits.awaitedBodyBytesMax = 1000
        let server = try LoopbackServer(limits: limits, lane: .reading, echo)
        let client = try server.connect()
        let text = String(repeating: "a", count: 3000)
        try client.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nbb8\r\n\(text)\r\n0\r\n\r\n")
        #expect(try client.receiveAnswer()?.text == text)
        try client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2000000\r\n\r\n")
        #expect(try client.receiveAnswer()?.text == "the request's body is longer than 1048576 bytes")
    }

    @Test func aBodyThatStrangersDoNotSendIsAnsweredAndItsMemoryGivenBack() throws {
        var limits = Limits()
        (limits.shortBodyTime, limits.proxies, limits.clientHeldBytesMax) = (.milliseconds(50), [], 300_000)
        let server = try LoopbackServer(limits: limits, lane: .reading, echo)
        let head = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\n\r\nhello"
        let late = try server.connect()
        try late.send(head)
        let answer = try #require(try late.receiveAnswer())
        #expect(answer.text == RequestBodyError.timedOut.description && answer.header("Connection") == "close")
        #expect(server.waitForRecords(1).count == 1)
        #expect(server.server.heldByteCount == 0)
        // With time enough to go.
        limits.shortBodyTime = .seconds(60)
        let patient = try LoopbackServer(limits: limits, lane: .reading, echo)
        let gone = try patient.connect()
        try gone.send(head)
        gone.shutdownWriting()
        #expect(try gone.receiveAnswer()?.text == RequestBodyError.disconnected.description)
        #expect(patient.waitForRecords(1).count == 1)
        #expect(patient.server.heldByteCount == 0)
    }

    @Test func whoLetsManyBodiesBeAwaitedIsRefusedMore() throws {
        var limits = Limits()
        (limits.proxies, limits.clientHeldBytesMax) = ([], 300_000)
        let server = try LoopbackServer(limits: limits, lane: .reading, echo)
        let head = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\n\r\nhello"
        let slow = try server.connect()
        try slow.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(try slow.receiveAnswer()?.status == 200)
        try slow.send(head)
        var refused: RawAnswer?
        // The first of the two that is looked at is the one that waits.
        let second = try server.connect()
        try second.send(head)
        try second.send(String(repeating: "a", count: 199_995))
        refused = try second.receiveAnswer()
        if refused?.status != 503 { Issue.record("answered \(refused?.status ?? 0)") }
        #expect(refused?.header("Retry-After") == "2")
        let other = try server.connect(from: 2)
        try other.send(head + String(repeating: "a", count: 199_995))
        #expect(try other.receiveAnswer()?.status == 200)
        withExtendedLifetime(slow) {}
    }

    @Test(arguments: [Lane.document, .reading, .fetching, .transfer])
    func aByteNowAndThenHoldsNoThread(lane: Lane) throws {
        var limits = Limits()
        limits.shortBodyTime = .milliseconds(50)
        (limits.bodyProgressTime, limits.bodyProgressBytes) = (.milliseconds(50), 1 << 50)
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
        let gate = Gate()
        let server = try LoopbackServer(limits: limits) { _ in
            gate.pass()
            return .text("done")
        }
        let busy = try [server.connect(), server.connect()]
        for client in busy { try client.send(get) }
        gate.waitForArrivals(2)
        let third = try server.connect()
        try third.send(get)
        #expect(server.server.connectionCount == 2, "the third waits in the kernel")
        gate.open()
        for client in busy + [third] { #expect(try client.receiveAnswer()?.text == "done") }
    }

    @Test(arguments: ["", "GET / HTTP/1.1\r\nHo", "no request\r\n\r\n"])
    func whoFillsTheServerWithIdleConnectionsShutsNobodyOut(begun: String) throws {
        var limits = Limits()
        limits.connectionsMax = 3
        let server = try LoopbackServer(limits: limits)
        let crowd = try (0..<3).map { _ in try server.connect() }
        for client in crowd { try client.send(get) }
        for client in crowd { #expect(try client.receiveAnswer()?.status == 200) }
        for client in crowd where !begun.isEmpty { try client.send(begun) }
        for _ in 0..<20 {
            let other = try server.connect()
            try other.send(get)
            #expect(try other.receiveAnswer()?.status == 200)
        }
        #expect(server.server.connectionCount <= 3)
        // The first of them was let go of first.
        _ = try? crowd[0].receiveAll()
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
