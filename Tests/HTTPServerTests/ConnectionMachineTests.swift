import HTTP
import Testing

@testable import HTTPServer

/// What a machine said, in words, so that whole conversations can be compared.
private struct Conversation {
    var machine: ConnectionMachine
    var kept: [UInt8] = []
    var said: [String] = []
    private var space = HeadSpace()

    init(_ change: (inout Limits) -> Void = { _ in }) {
        var limits = Limits()
        change(&limits)
        machine = ConnectionMachine(limits: limits)
    }

    mutating func receive(_ text: String, room: Int = .max) {
        kept += Array(text.utf8)
        while true {
            let bytes = kept
            let step = unsafe bytes.withUnsafeBytes { unsafe machine.received($0, bodyRoom: room, space: &space) }
            if case .wait = step.action, step.consumed == 0 { return }
            if case .body(let range) = step.action {
                said.append("body \(String(decoding: bytes[range], as: UTF8.self))")
            } else {
                note(step.action)
            }
            kept.removeFirst(step.consumed)
        }
    }

    mutating func note(_ action: ConnectionMachine.Action) {
        switch action {
        case .wait: break
        case .begin(let head): said.append("begin \(head.methodName) \(head.target)")
        case .body: break
        case .endOfBody: said.append("end")
        case .failBody(let error): said.append("fail \(error)")
        case .refuse(let refusal): said.append("refuse \(refusal.status.code)")
        case .close: said.append("close")
        }
    }

    /// The answer is given and sent.
    mutating func reply(endsByClosing: Bool = false) {
        said.append(machine.replied(endsByClosing: endsByClosing) ? "keep" : "last")
        said.append("\(machine.replySent())")
        receive("")
    }
}

@Suite struct ConnectionMachineTests {
    private static let get = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"

    @Test func aRequestIsAnsweredAndTheNextOneFollows() {
        var conversation = Conversation()
        conversation.receive(Self.get)
        #expect(conversation.machine.deadline(bodyRoom: 0) == nil)
        conversation.reply()
        #expect(conversation.machine.deadline(bodyRoom: 0) == .idle)
        conversation.receive(Self.get)
        conversation.reply()
        #expect(conversation.said == ["begin GET /a", "keep", "next", "begin GET /a", "keep", "next"])
    }

    @Test func theNextRequestWaitsForTheAnswerBeforeIt() {
        var conversation = Conversation()
        conversation.receive(Self.get + "GET /b HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(conversation.said == ["begin GET /a"])
        #expect(!conversation.machine.wantsBytes(bodyRoom: .max))
        conversation.reply()
        #expect(conversation.said == ["begin GET /a", "keep", "next", "begin GET /b"])
    }

    @Test(arguments: [1, 2, 3, 7, 1000])
    func aBodyIsHandedOnHoweverItComes(size: Int) {
        let text = "PUT /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
            + "PUT /b HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nfghi" + Self.get
        var conversation = Conversation()
        var rest = text[...]
        while !rest.isEmpty {
            conversation.receive(String(rest.prefix(size)))
            rest = rest.dropFirst(size)
        }
        conversation.reply()
        conversation.reply()
        conversation.reply()
        // Pieces depend on how they came; what counts is the order and the whole.
        var joined: [String] = []
        for word in conversation.said {
            if word.hasPrefix("body "), let last = joined.last, last.hasPrefix("body ") {
                joined[joined.count - 1] = last + word.dropFirst(5)
            } else {
                joined.append(word)
            }
        }
        #expect(joined == [
            "begin PUT /a", "body abcde", "end", "keep", "next", "begin PUT /b", "body fghi", "end", "keep", "next",
            "begin GET /a", "keep", "next",
        ])
    }

    @Test func noMoreOfABodyIsTakenThanThereIsRoomFor() {
        var conversation = Conversation()
        conversation.receive("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nabcdef", room: 2)
        #expect(conversation.said.prefix(2) == ["begin PUT /", "body ab"])
        var chunked = Conversation()
        chunked.receive("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n0\r\n\r\n", room: 0)
        #expect(chunked.said == ["begin PUT /"])
        #expect(!chunked.machine.wantsBytes(bodyRoom: 0))
        #expect(chunked.machine.wantsBytes(bodyRoom: 1))
    }

    @Test func continueIsSentOnceAndOnlyWhenTheBodyIsWanted() {
        var conversation = Conversation()
        conversation.receive("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        let asked = [conversation.machine.bodyWanted(), conversation.machine.bodyWanted()]
        #expect(asked == [true, false])
        conversation.receive("ab")
        conversation.reply()
        #expect(conversation.said == ["begin PUT /", "body ab", "end", "keep", "next"])
    }

    @Test func whoAnswersWithoutReadingAnExpectedBodyCloses() {
        var conversation = Conversation()
        conversation.receive("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        conversation.reply()
        let isOwed = conversation.machine.bodyWanted()
        #expect(!isOwed)
        #expect(conversation.said == ["begin PUT /", "last", "linger"])
    }

    @Test func aShortRestOfABodyIsDroppedAndTheConnectionKept() {
        var conversation = Conversation { $0.discardedBytesMax = 10 }
        conversation.receive("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n")
        conversation.reply()
        #expect(conversation.machine.deadline(bodyRoom: 0) == .bodyProgress)
        conversation.receive("0123456789" + Self.get)
        #expect(conversation.said == ["begin PUT /", "keep", "next", "begin GET /a"])
    }

    @Test(arguments: ["Content-Length: 11", "Transfer-Encoding: chunked"])
    func aLongOrUnknownRestOfABodyEndsTheConnection(framing: String) {
        var conversation = Conversation { $0.discardedBytesMax = 10 }
        conversation.receive("PUT / HTTP/1.1\r\nHost: h\r\n\(framing)\r\n\r\n")
        conversation.reply()
        conversation.receive("a\r\n0123456789")
        #expect(conversation.said == ["begin PUT /", "last", "linger"])
        #expect(conversation.kept.isEmpty)
        #expect(conversation.machine.deadline(bodyRoom: 0) == .linger)
    }

    @Test(arguments: [
        ("GET / HTTP/1.0\r\n\r\n", "last"), ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "keep"),
        ("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "last"),
    ])
    func theClientSaysWhetherTheConnectionIsKept(request: String, expected: String) {
        var conversation = Conversation()
        conversation.receive(request)
        conversation.reply()
        #expect(conversation.said[1] == expected)
    }

    @Test func anAnswerWhoseEndIsTheConnectionsIsTheLast() {
        var conversation = Conversation()
        conversation.receive("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + Self.get)
        conversation.reply(endsByClosing: true)
        #expect(conversation.said == ["begin GET /", "last", "linger"])
        #expect(conversation.kept.isEmpty)
    }

    @Test(arguments: [
        ("GET / HTTP/1.1\r\n\r\n", 400), ("GET / HTTP/2.0\r\n\r\n", 505),
        ("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        ("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        ("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 101\r\n\r\n", 413),
        ("GET /LONG HTTP/1.1\r\n", 414),
        ("GET / HTTP/1.1\r\nHost: h\r\nX: LONG\r\n", 431),
        ("GET / HTTP/1.1\r\nHost: h\r\nMANY\r\n", 431),
    ])
    func whatIsNotUnderstoodIsRefusedWithItsStatus(request: String, status: Int) {
        var conversation = Conversation {
            $0.headBytesMax = 1024
            $0.headerCountMax = 10
            $0.bodyBytesMax = 100
        }
        let long = String(repeating: "a", count: 2000)
        let many = String(repeating: "X: a\r\n", count: 20)
        let withLong = request.split(separator: "LONG", omittingEmptySubsequences: false).joined(separator: long)
        conversation.receive(withLong.split(separator: "MANY", omittingEmptySubsequences: false).joined(separator: many))
        #expect(conversation.said.filter { $0 != "begin PUT /" } == ["refuse \(status)"])
        let sequel = conversation.machine.replySent()
        #expect(sequel == .linger)
    }

    @Test func aMalformedOrTooLongChunkedBodyFailsItsReader() {
        var conversation = Conversation { $0.bodyBytesMax = 5 }
        let head = "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        conversation.receive(head + "zz\r\n")
        #expect(conversation.said.last?.hasPrefix("fail the request's body is malformed") == true)
        conversation.reply()
        #expect(conversation.said.suffix(2) == ["last", "linger"])

        var long = Conversation { $0.bodyBytesMax = 5 }
        long.receive(head + "5\r\nabcde\r\n1\r\nf\r\n")
        #expect(long.said.last == "fail the request's body is longer than 5 bytes")
    }

    @Test(arguments: Lane.allCases)
    func aShortBodyHasATimeForAllOfItAndALongOneMustGoOn(lane: Lane) {
        var body = Conversation()
        body.receive("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc")
        body.machine.queued(on: lane)
        #expect(body.machine.deadline(bodyRoom: 1) == nil, "nobody reads yet")
        _ = body.machine.bodyWanted()
        #expect(body.machine.deadline(bodyRoom: 1) == (lane == .transfer ? .bodyProgress : .shortBody))
    }

    @Test func deadlinesEndInAnAnswerWhereThereIsSomebodyToRead() {
        var idle = Conversation()
        idle.note(idle.machine.expired())
        #expect(idle.said == ["close"])

        var head = Conversation()
        head.receive("GET / HT")
        #expect(head.machine.deadline(bodyRoom: 0) == .head)
        head.note(head.machine.expired())
        #expect(head.said == ["refuse 408"])

        var body = Conversation()
        body.receive("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n")
        #expect(body.machine.deadline(bodyRoom: 1) == nil, "nobody reads yet")
        _ = body.machine.bodyWanted()
        #expect(body.machine.deadline(bodyRoom: 1) == .bodyProgress)
        #expect(body.machine.deadline(bodyRoom: 0) == nil, "the reader is late, not the client")
        body.note(body.machine.expired())
        #expect(body.said.last == "fail the client stopped sending the request's body")
    }

    @Test func aClientThatEndsItsDirectionIsStillAnswered() {
        var conversation = Conversation()
        conversation.receive(Self.get)
        conversation.note(conversation.machine.peerClosed())
        conversation.reply()
        #expect(conversation.said == ["begin GET /a", "last", "close"])

        var midBody = Conversation()
        midBody.receive("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\na")
        midBody.note(midBody.machine.peerClosed())
        #expect(midBody.said.last == "fail the client went away before the request's body had ended")

        var midHead = Conversation()
        midHead.receive("GET / HTTP")
        midHead.note(midHead.machine.peerClosed())
        #expect(midHead.said == ["refuse 400"])
        let sequel = midHead.machine.replySent()
        #expect(sequel == .close)
    }

    @Test func drainingClosesWhatIsIdleAndFinishesWhatHasBegun() {
        var idle = Conversation()
        idle.note(idle.machine.drain())
        #expect(idle.said == ["close"])

        var busy = Conversation()
        busy.receive(Self.get)
        busy.note(busy.machine.drain())
        busy.reply()
        #expect(busy.said == ["begin GET /a", "last", "linger"])

        var head = Conversation()
        head.receive("GET / HT")
        head.note(head.machine.drain())
        head.receive("TP/1.1\r\nHost: h\r\n\r\n")
        #expect(head.said == ["refuse 503"])

        var discarding = Conversation()
        discarding.receive("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\na")
        discarding.reply()
        discarding.note(discarding.machine.drain())
        discarding.receive("b")
        #expect(discarding.said.suffix(2) == ["next", "close"])
    }
}
