import HTTP
import Platform
import Support
import Synchronization
import Testing

@testable import HTTPServer

/// Holds until it is taken back.
private final class Leave: Permit {
    private let isGiven = Atomic(true)
    var holds: Bool { isGiven.load(ordering: .acquiring) }
    func takeBack() { isGiven.store(false, ordering: .releasing) }
}

/// Bodies of 128 MiB, far beyond what sockets hold; by what they are made of.
private enum LongBody: String, CaseIterable, CustomTestStringConvertible {
    case file, bytes, streamOfKnownLength, chunks

    static let byteCount = 128 << 20
    var testDescription: String { rawValue }

    func make(_ directory: TemporaryDirectory) throws -> ResponseBody {
        let write: @Sendable (BodyWriter) throws -> Void = { writer in
            let block = [UInt8](repeating: 7, count: 64 << 10)
            for _ in 0..<(LongBody.byteCount / block.count) { try writer.write(block) }
        }
        switch self {
        case .bytes: return .bytes([UInt8](repeating: 7, count: LongBody.byteCount))
        case .streamOfKnownLength: return .stream(byteCount: Int64(LongBody.byteCount), produce: write)
        case .chunks: return .stream(byteCount: nil, produce: write)
        case .file:
            let file = try File.open(directory.file("long"), .create(permissions: 0o600))
            try file.truncate(to: Int64(LongBody.byteCount))
            return .files([FileExtent(file: OpenFile(file), offset: 0, byteCount: Int64(LongBody.byteCount))], byteCount: Int64(LongBody.byteCount))
        }
    }
}

@Suite struct ServerPermitTests {
    @Test(arguments: LongBody.allCases)
    fileprivate func anAnswerIsBrokenOffWhenItsPermitIsTakenBack(_ kind: LongBody) throws {
        let directory = try TemporaryDirectory()
        let leave = Leave()
        var answer = Response(.ok, body: try kind.make(directory))
        answer.permit = leave
        let server = try LoopbackServer { [answer] _ in answer }
        let client = try server.connect()
        try client.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(try client.receive(1 << 20).count == 1 << 20)
        leave.takeBack()
        var count = 1 << 20
        var isReset = false
        while !isReset {
            do throws(SystemError) {
                let some = try client.receiveSome()
                if some.isEmpty { break }
                count += some.count
            } catch {
                #expect(error.errno == .connectionReset)
                isReset = true
            }
        }
        // Nobody takes what came for the whole.
        #expect(isReset && count < LongBody.byteCount)
        #expect(server.waitForRecords(1).map(\.isComplete) == [false])
    }

    @Test func anAnswerThatNobodyTakesIsBrokenOffWhenTheServerIsTold() throws {
        let directory = try TemporaryDirectory()
        let leave = Leave()
        var answer = Response(.ok, body: try LongBody.file.make(directory))
        answer.permit = leave
        let server = try LoopbackServer { [answer] _ in answer }
        let (client, other) = (try server.connect(), try server.connect())
        try client.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(try client.receive(1000).count == 1000)
        leave.takeBack()
        server.server.permitsChanged()
        // Without a byte more being taken.
        #expect(server.waitForRecords(1).map(\.isComplete) == [false])
        try other.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(throws: (any Error).self) { while try !other.receiveSome().isEmpty {} }
    }

    @Test func whoAsksToWaitHearsWhenNothingIsSentAnyMore() throws {
        let directory = try TemporaryDirectory()
        let leave = Leave()
        var answer = Response(.ok, body: try LongBody.file.make(directory))
        answer.permit = leave
        let server = try LoopbackServer { [answer] _ in answer }
        let client = try server.connect()
        try client.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(try client.receive(1000).count == 1000)
        leave.takeBack()
        #expect(server.server.permitsChanged(waitingAtMost: .seconds(60)))
        #expect(server.server.connectionCount == 0)
    }

    @Test func anAnswerWhosePermitHoldsIsWhole() throws {
        var answer = Response.text("all of it")
        answer.permit = Leave()
        let server = try LoopbackServer { [answer] _ in answer }
        let client = try server.connect()
        for _ in 0..<2 {
            try client.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n")
            #expect(try client.receiveAnswer()?.text == "all of it")
        }
    }
}
