import HTTP
import Platform
import Support
import Testing

@testable import HTTPServer

private let get = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"

private enum Trouble: Error { case inTheMiddle }

/// So many bytes that are the same on every run.
private func sample(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 13 &+ $0 >> 8) } }

/// An answer whose body is `bytes`, written in pieces of that size.
private func stream(_ bytes: [UInt8], by size: Int = 1000, isKnown: Bool = false) -> Response {
    Response(.ok, body: .stream(byteCount: isKnown ? Int64(bytes.count) : nil) { writer in
        for start in stride(from: 0, to: bytes.count, by: size) { try writer.write(Array(bytes[start..<min(start + size, bytes.count)])) }
    })
}

/// Takes the chunked coding off; nil where it is wrong or something follows its end.
private func unchunked(_ coded: [UInt8]) -> [UInt8]? {
    var decoder = ChunkedDecoder()
    var position = 0
    var bytes: [UInt8] = []
    return unsafe coded.withUnsafeBytes { coded in
        while let event = unsafe try? decoder.next(coded, at: &position) {
            switch event {
            case .data(let range): unsafe bytes += coded[range]
            case .needsMore: return nil
            case .end: return position == coded.count ? bytes : nil
            }
        }
        return nil
    }
}

extension RawConnection {
    /// The body of a chunked answer, with its coding, whose head was received and behind which nothing comes.
    fileprivate func receiveChunked() throws -> [UInt8] {
        var all: [UInt8] = []
        while !all.suffix(5).elementsEqual(Array("0\r\n\r\n".utf8)) {
            let some = try receiveSome()
            if some.isEmpty { break }
            all += some
        }
        return all
    }

    /// What comes until the connection is broken off; nil where it ends in good order.
    fileprivate func receiveUntilReset() -> [UInt8]? {
        var all: [UInt8] = []
        while true {
            guard let some = try? receiveSome() else { return all }
            if some.isEmpty { return nil }
            all += some
        }
    }
}

@Suite struct ServerStreamTests {
    @Test func aBodyOfUnknownLengthComesInChunks() throws {
        let server = try LoopbackServer { request in
            Response(.ok, headers: [("X", "y")], body: .stream(byteCount: nil) { writer in
                try writer.write(Array("hello".utf8))
                writer.flush()
                try writer.write([])
                try writer.write(Array(", ".utf8))
                try writer.write(Array("world".utf8))
            })
        }
        let client = try server.connect()
        for _ in 0..<2 {
            try client.send(get)
            let answer = try #require(try client.receiveAnswer())
            #expect(answer.head.hasPrefix("HTTP/1.1 200 OK\r\nX: y\r\nDate: "))
            #expect(answer.head.hasSuffix("\r\nTransfer-Encoding: chunked\r\n\r\n"))
            #expect(answer.header("Content-Length") == nil && answer.header("Connection") == nil)
            #expect(try client.receive(27) == Array("5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\n".utf8))
        }
        #expect(server.waitForRecords(2).allSatisfy { $0.isComplete && $0.status == .ok })
    }

    @Test func aBodyOfKnownLengthHasNoCoding() throws {
        let server = try LoopbackServer { _ in stream(Array("hello".utf8), by: 2, isKnown: true) }
        let client = try server.connect()
        try client.send(get + get)
        for _ in 0..<2 {
            let answer = try #require(try client.receiveAnswer())
            #expect(answer.header("Content-Length") == "5" && answer.header("Transfer-Encoding") == nil)
            #expect(answer.text == "hello")
        }
    }

    @Test("Whole bodies arrive, whatever the pieces and the blocks", arguments: [0, 1, 1000, 700_000], [26, 100, 64 << 10])
    func sizes(byteCount: Int, blockBytes: Int) throws {
        if byteCount > 1000 && blockBytes < 100 { return }
        var limits = Limits()
        limits.streamBlockBytes = blockBytes
        limits.turnBytesMax = 4096
        let bytes = sample(byteCount)
        let server = try LoopbackServer(limits: limits) { request in
            stream(bytes, by: 777, isKnown: request.head.target.path == "/known")
        }
        let client = try server.connect()
        try client.send("GET /known HTTP/1.1\r\nHost: h\r\n\r\n" + get)
        let known = try #require(try client.receiveAnswer())
        #expect(known.header("Content-Length") == "\(byteCount)" && known.body == bytes)
        #expect(try client.receiveAnswer()?.header("Transfer-Encoding") == "chunked")
        #expect(try unchunked(client.receiveChunked()) == bytes)
    }

    @Test func anOlderClientFindsTheEndWithTheConnection() throws {
        let server = try LoopbackServer { request in stream(Array("hello".utf8), isKnown: request.head.target.path == "/known") }
        let client = try server.connect()
        try client.send("GET /known HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        let known = try #require(try client.receiveAnswer())
        #expect(known.header("Connection") == "keep-alive" && known.text == "hello")
        let answer = try #require(try client.receiveAnswer())
        #expect(answer.header("Connection") == "close")
        #expect(answer.header("Content-Length") == nil && answer.header("Transfer-Encoding") == nil)
        #expect(try client.receiveAll() == Array("hello".utf8))
    }

    @Test func nothingIsMadeForWhoAsksForNoBody() throws {
        let made = Monitor(0)
        let server = try LoopbackServer { request in
            let status: Status = request.head.target.path == "/304" ? .notModified : .ok
            let byteCount: Int64? = request.head.target.path == "/known" ? 5 : nil
            return Response(status, body: .stream(byteCount: byteCount) { writer in
                made.update { $0 += 1 }
                try writer.write(Array("hello".utf8))
            })
        }
        let client = try server.connect()
        try client.send("HEAD /known HTTP/1.1\r\nHost: h\r\n\r\nHEAD / HTTP/1.1\r\nHost: h\r\n\r\nGET /304 HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(try client.receiveAnswer(hasBody: false)?.header("Content-Length") == "5")
        let unknown = try #require(try client.receiveAnswer(hasBody: false))
        #expect(unknown.header("Content-Length") == nil && unknown.header("Transfer-Encoding") == nil)
        #expect(try client.receiveAnswer()?.status == 304)
        #expect(made.withLock { $0 } == 0)
        try client.send("GET /known HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(try client.receiveAnswer()?.text == "hello")
    }

    @Test func pipelinedRequestsBehindItAreAnsweredInOrder() throws {
        let gate = Gate()
        let server = try LoopbackServer { request in
            guard request.head.target.path == "/stream" else { return .text("\(request.head.target)") }
            return Response(.ok, body: .stream(byteCount: 10) { writer in
                try writer.write(Array("first".utf8))
                writer.flush()
                gate.pass()
                try writer.write(Array("again".utf8))
            })
        }
        let client = try server.connect()
        try client.send("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n" + get + "GET /stream HTTP/1.1\r\nHost: h\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n")
        gate.waitForArrivals(1)
        // A connection beside it is not kept waiting.
        let other = try server.connect()
        try other.send(get)
        #expect(try other.receiveAnswer()?.text == "/a")
        gate.open()
        for text in ["firstagain", "/a", "firstagain", "/b"] { #expect(try client.receiveAnswer()?.text == text) }
    }

    @Test func aProducerThatIsAheadWaitsForTheClient() throws {
        let written = Monitor(0)
        let bytes = sample(100_000)
        let server = try LoopbackServer { _ in
            Response(.ok, body: .stream(byteCount: nil) { writer in
                for _ in 0..<300 {
                    try writer.write(bytes)
                    written.update { $0 += bytes.count }
                }
            })
        }
        let client = try server.connect()
        try client.send(get)
        let answer = try #require(try client.receiveAnswer())
        // The kernel's buffers take some megabytes, the rest waits here.
        #expect(written.withLock { $0 } < 300 * bytes.count)
        #expect(answer.header("Transfer-Encoding") == "chunked")
        var received: [UInt8] = []
        received.reserveCapacity(31 << 20)
        while !received.suffix(5).elementsEqual(Array("0\r\n\r\n".utf8)) { received += try client.receiveSome() }
        let body = try #require(unchunked(received))
        #expect(body.count == 300 * bytes.count)
        #expect(Array(body.suffix(bytes.count)) == bytes)
    }

    @Test("A producer that fails breaks the connection off", arguments: [
        ("GET / HTTP/1.1\r\nHost: h\r\n\r\n", true), ("GET / HTTP/1.1\r\nHost: h\r\n\r\n", false), ("GET / HTTP/1.0\r\n\r\n", false),
    ])
    func failing(request: String, isKnown: Bool) throws {
        let gate = Gate()
        let server = try LoopbackServer { _ in
            Response(.ok, body: .stream(byteCount: isKnown ? 12 : nil) { writer in
                try writer.write(Array("hello".utf8))
                writer.flush()
                gate.pass()
                throw Trouble.inTheMiddle
            })
        }
        let client = try server.connect()
        try client.send(request)
        // The answer has begun: what fails before is answered with another.
        #expect(try client.receive(15) == Array("HTTP/1.1 200 OK".utf8))
        gate.open()
        let received = try #require(client.receiveUntilReset())
        #expect(!received.suffix(7).elementsEqual(Array("\r\n0\r\n\r\n".utf8)))
        #expect(server.waitForRecords(1).first?.isComplete == false)
        let another = try server.connect()
        try another.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        #expect(try another.receiveSome().isEmpty == false, "the server is still there")
    }

    @Test("A body that is not as long as promised breaks the connection off", arguments: [4, 6])
    func otherLength(byteCount: Int) throws {
        let gate = Gate()
        let server = try LoopbackServer { _ in
            Response(.ok, body: .stream(byteCount: 5) { writer in
                try writer.write(sample(1))
                writer.flush()
                gate.pass()
                try writer.write(Array(sample(byteCount).dropFirst()))
            })
        }
        let client = try server.connect()
        try client.send(get)
        #expect(try client.receive(15) == Array("HTTP/1.1 200 OK".utf8))
        gate.open()
        let received = try #require(client.receiveUntilReset())
        #expect(!received.suffix(5).elementsEqual(sample(5)))
    }

    @Test func aProducerThatFailsBeforeItsFirstByteIsAnsweredWith500AndTheConnectionGoesOn() throws {
        let server = try LoopbackServer { request in
            if request.head.target.path == "/b" { return .text("b") }
            return Response(.ok, body: .stream(byteCount: nil) { _ in throw Trouble.inTheMiddle })
        }
        let client = try server.connect()
        try client.send(get + "GET /b HTTP/1.1\r\nHost: h\r\n\r\n")
        let refused = try #require(try client.receiveAnswer())
        #expect(refused.status == 500 && refused.header("Transfer-Encoding") == nil && refused.header("Connection") == nil)
        #expect(try client.receiveAnswer()?.text == "b")
    }

    @Test func aProducerThatFailsBeforeItsFirstByteIsAnsweredAsTheHandlerSays() throws {
        let server = try LoopbackServer { request in
            if request.head.target.path == "/b" { return .text("b") }
            return Response(.ok, headers: [("X", "y")], body: .stream(byteCount: 5) { writer in
                // What has not left counts for nothing.
                try writer.write([1])
                throw OtherWise(response: Response(.serviceUnavailable, headers: [("Retry-After", "2")], body: .bytes(Array("later".utf8))))
            })
        }
        let client = try server.connect()
        try client.send(get + "GET /b HTTP/1.1\r\nHost: h\r\n\r\n")
        let refused = try #require(try client.receiveAnswer())
        #expect(refused.status == 503 && refused.header("Retry-After") == "2" && refused.header("X") == nil && refused.text == "later")
        #expect(try client.receiveAnswer()?.text == "b")
    }

    @Test(arguments: [true, false])
    func aClientThatLeavesEndsTheProducer(isReset: Bool) throws {
        let ended = Monitor<ResponseBodyError?>(nil)
        let server = try LoopbackServer { _ in
            Response(.ok, body: .stream(byteCount: nil) { writer in
                do throws(ResponseBodyError) {
                    while true { try writer.write(sample(1000)) }
                } catch {
                    ended.update { $0 = error }
                    throw error
                }
            })
        }
        let client = try server.connect()
        try client.send(get)
        #expect(try client.receiveAnswer()?.status == 200)
        if isReset { client.reset() } else { client.close() }
        #expect(ended.wait { $0 } == .unwanted)
        #expect(server.waitForRecords(1).first?.isComplete == false)
    }

    @Test func aClientThatTakesNothingEndsTheProducer() throws {
        var limits = Limits()
        limits.writeProgressTime = .milliseconds(50)
        let ended = Monitor<ResponseBodyError?>(nil)
        let server = try LoopbackServer(limits: limits) { _ in
            Response(.ok, body: .stream(byteCount: nil) { writer in
                do throws(ResponseBodyError) {
                    while true { try writer.write(sample(1000)) }
                } catch {
                    ended.update { $0 = error }
                    throw error
                }
            })
        }
        let client = try server.connect()
        try client.send(get)
        #expect(ended.wait { $0 } == .unwanted)
        withExtendedLifetime(client) {}
    }

    @Test func aClientIsNotLateWhileTheProducerIs() throws {
        var limits = Limits()
        limits.writeProgressTime = .milliseconds(20)
        limits.idleTime = .seconds(1)
        let gate = Gate()
        let server = try LoopbackServer(limits: limits) { request in
            Response(.ok, body: .stream(byteCount: 5) { writer in
                try writer.write(Array("he".utf8))
                writer.flush()
                gate.pass()
                try writer.write(Array("llo".utf8))
            })
        }
        let client = try server.connect()
        try client.send(get)
        gate.waitForArrivals(1)
        // Another one's time has passed before: that of this one would have long been over.
        let idle = try server.connect()
        #expect(try idle.receiveAll() == [])
        gate.open()
        #expect(try client.receiveAnswer()?.text == "hello")
    }

    @Test func whereTooManyAreMadeAnAnswerIsRefusedAndTheConnectionGoesOn() throws {
        var limits = Limits()
        (limits.producerThreads, limits.producerQueueMax, limits.retryAfterSeconds) = (1, 1, 7)
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
        let others = try [server.connect(), server.connect()]
        for other in others { try other.send(get) }
        #expect(server.waitForRecords(1).first?.status == .serviceUnavailable)
        gate.open()
        #expect(try running.receiveAnswer()?.text == "done")
        let answers = try others.map { try #require(try $0.receiveAnswer()) }
        #expect(answers.map(\.status).sorted() == [200, 503])
        #expect(answers.compactMap { $0.header("Retry-After") } == ["7"])
        for other in others {
            try other.send(get)
            #expect(try other.receiveAnswer()?.text == "done")
        }
    }

    @Test func whoeverWaitsForAThreadInVainIsToldSoAndTheConnectionGoesOn() throws {
        var limits = Limits()
        (limits.producerThreads, limits.retryAfterSeconds, limits.streamStartTime) = (1, 7, .seconds(1))
        let gate = Gate()
        let server = try LoopbackServer(limits: limits) { _ in
            Response(.ok, body: .stream(byteCount: 4) { writer in
                try writer.write(Array("do".utf8))
                writer.flush()
                gate.pass()
                try writer.write(Array("ne".utf8))
            })
        }
        let running = try server.connect()
        try running.send(get)
        gate.waitForArrivals(1)
        let waiting = try server.connect()
        try waiting.send(get)
        try waiting.expectToComeBackLater()
        gate.open()
        // What has begun has no such limit.
        #expect(try running.receiveAnswer()?.text == "done")
        try waiting.send(get)
        #expect(try waiting.receiveAnswer()?.text == "done")
    }

    @Test func whoTakesNothingGivesItsThreadUpToWhoWaitsForOne() throws {
        var limits = Limits()
        (limits.producerThreads, limits.streamPatience) = (1, .milliseconds(20))
        let begun = Monitor(0)
        let server = try LoopbackServer(limits: limits) { request in
            if request.head.target.path == "/b" { return stream(Array("hello".utf8), isKnown: true) }
            return Response(.ok, body: .stream(byteCount: nil) { writer in
                begun.update { $0 += 1 }
                while true { try writer.write(sample(1000)) }
            })
        }
        let slow = try server.connect()
        try slow.send(get)
        _ = begun.wait { $0 > 0 ? true : nil }
        let other = try server.connect()
        try other.send("GET /b HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(try other.receiveAnswer()?.text == "hello")
        #expect(slow.receiveUntilReset() != nil)
    }

    @Test func whoTakesTooLittleKeepsNoProducer() throws {
        var limits = Limits()
        limits.writeProgressTime = .milliseconds(50)
        // Nobody is as fast as that.
        limits.writeProgressBytes = 1 << 50
        let ended = Monitor<ResponseBodyError?>(nil)
        let bytes = sample(100_000)
        let server = try LoopbackServer(limits: limits) { _ in
            Response(.ok, body: .stream(byteCount: nil) { writer in
                do throws(ResponseBodyError) {
                    while true { try writer.write(bytes) }
                } catch {
                    ended.update { $0 = error }
                    throw error
                }
            })
        }
        let client = try server.connect()
        try client.send(get)
        // It takes something all the time, and less than is made: while the producer is late, the client is not.
        for _ in 0..<3000 where ended.wait(until: .now + .milliseconds(10), { $0 }) == nil { _ = try? client.receive(1000) }
        #expect(ended.withLock { $0 } == .unwanted)
    }

    @Test func aDrainWaitsForWhatIsBeingMade() throws {
        let gate = Gate()
        let server = try LoopbackServer { _ in
            Response(.ok, body: .stream(byteCount: nil) { writer in
                try writer.write(Array("he".utf8))
                writer.flush()
                gate.pass()
                try writer.write(Array("llo".utf8))
            })
        }
        let client = try server.connect()
        try client.send(get)
        gate.waitForArrivals(1)
        let hasFinished = Monitor<Bool?>(nil)
        let thread = ThreadHandle(named: "drain") {
            let result = server.server.drain(timeout: .seconds(30))
            hasFinished.update { $0 = result }
        }
        #expect(throws: SystemError.self) { while true { _ = try server.connect() } }
        gate.open()
        #expect(try client.receiveAnswer()?.header("Transfer-Encoding") == "chunked")
        #expect(try client.receiveAll() == Array("2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n".utf8))
        client.close()
        thread.join()
        #expect(hasFinished.withLock { $0 } == true)
    }

    @Test func aDrainThatWaitsNoLongerBreaksItOff() throws {
        let server = try LoopbackServer { _ in
            Response(.ok, body: .stream(byteCount: nil) { writer in while true { try writer.write(sample(1000)) } })
        }
        let client = try server.connect()
        try client.send(get)
        #expect(try client.receiveAnswer()?.status == 200)
        #expect(server.server.drain(timeout: .zero) == false)
        #expect(server.server.connectionCount == 0)
    }

    @Test func aLoopAnswersWithAStreamAtOnce() throws {
        let server = try LoopbackServer(atOnce: { _ in stream(Array("hello".utf8), isKnown: true) }, respond: { _ in Response(.ok) })
        let client = try server.connect()
        try client.send(get + get)
        for _ in 0..<2 { #expect(try client.receiveAnswer()?.text == "hello") }
    }

    @Test func whatAProducerWritesCanBeHadWithoutAServer() throws {
        let bytes = sample(1_000_000)
        #expect(try BodyWriter.bytes(of: { try $0.write(bytes) }, byteCount: nil) == bytes)
        #expect(try BodyWriter.bytes(of: { try $0.write(bytes) }, byteCount: 1_000_000) == bytes)
        #expect(throws: ResponseBodyError.otherLength(promised: 5, made: 0)) { try BodyWriter.bytes(of: { _ in }, byteCount: 5) }
    }
}
