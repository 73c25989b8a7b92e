import HTTP
import HTTPServer
import Logging
import Platform
import Support
import Testing

/// A server on a port of its own, drained when the test lets go.
final class LoopbackServer: Sendable {
    let server: Server
    let answered = Monitor(AccessBatch())

    var address: String { server.boundAddresses[0] }

    init(
        limits: Limits = Limits(), loopCount: Int = 1, lane: Lane = .query, disk: any Disk = PageCache(),
        atOnce: (@Sendable (RequestHead) -> Response?)?, respond: @escaping @Sendable (Request) -> Response
    ) throws {
        var log = Logger(label: "test")
        log.logLevel = .critical
        let answered = answered
        server = try Server(
            listen: [ListenAddress(parsing: "127.0.0.1:0")], limits: limits,
            handler: ClosureHandler(atOnce: atOnce ?? { _ in nil }, lane: lane, respond: respond), loopCount: loopCount,
            disk: disk, log: log,
            accessLog: { new in answered.update { $0.append(new) } })
        server.start()
    }

    /// One whose requests name their lane in the path: `/reading`.
    init(lanesByPath limits: Limits, respond: @escaping @Sendable (Request) -> Response) throws {
        var log = Logger(label: "test")
        log.logLevel = .critical
        server = try Server(
            listen: [ListenAddress(parsing: "127.0.0.1:0")], limits: limits, handler: LaneByPath(respond), loopCount: 1, log: log)
        server.start()
    }

    convenience init(
        limits: Limits = Limits(), loopCount: Int = 1, lane: Lane = .query,
        _ respond: @escaping @Sendable (Request) -> Response = { _ in Response(.ok) }
    ) throws {
        try self.init(limits: limits, loopCount: loopCount, lane: lane, atOnce: nil, respond: respond)
    }

    deinit { server.drain(timeout: .zero) }

    func connect(from number: UInt8 = 1) throws -> RawConnection { try RawConnection(to: address, from: number) }

    /// Waits until so many requests have been logged.
    func waitForRecords(_ count: Int) -> [AccessRecord] {
        answered.wait(until: .now + .seconds(30)) { answered -> [AccessRecord]? in
            answered.records.count >= count ? answered.records : nil
        } ?? []
    }

    /// What was asked for, of all that has been logged.
    var requests: [String] {
        answered.withLock { answered in answered.records.map { String(decoding: answered.request(of: $0), as: UTF8.self) } }
    }
}

/// A handler made of closures.
final class ClosureHandler: RequestHandler {
    private let atOnce: @Sendable (RequestHead) -> Response?
    private let lane: Lane
    private let handle: @Sendable (Request) -> Response

    init(
        atOnce: @escaping @Sendable (RequestHead) -> Response?, lane: Lane, respond: @escaping @Sendable (Request) -> Response
    ) {
        self.atOnce = atOnce
        self.lane = lane
        handle = respond
    }

    func answerAtOnce(_ head: RequestHead, at now: MonotonicTime) -> Response? { atOnce(head) }
    func lane(for head: RequestHead) -> Lane { lane }
    func respond(to request: Request) -> Response { handle(request) }
    func response(insteadOf error: any Error) -> Response? { (error as? OtherWise)?.response }
}

/// What a producer throws that has an answer of its own in mind.
struct OtherWise: Error {
    let response: Response
}

/// A handler whose requests name their lane in the path.
private final class LaneByPath: RequestHandler {
    private let handle: @Sendable (Request) -> Response

    init(_ respond: @escaping @Sendable (Request) -> Response) { handle = respond }

    func lane(for head: RequestHead) -> Lane { Lane.allCases.first { "/\($0)" == head.target.path } ?? .query }
    func respond(to request: Request) -> Response { handle(request) }
}

extension Response {
    static func text(_ text: String) -> Response { Response(.ok, contentType: "text/plain", Array(text.utf8)) }
}

extension RawConnection {
    /// Expects a refusal for want of room, after which the connection goes on.
    func expectToComeBackLater() throws {
        let refused = try #require(try receiveAnswer())
        #expect(refused.status == 503 && refused.header("Retry-After") == "7" && refused.header("Connection") == nil)
    }
}

/// Answers with the body that was sent, or with why it could not be read.
@Sendable func echo(_ request: Request) -> Response {
    do throws(RequestBodyError) {
        return .text(String(decoding: try request.body.readAll(byteCountMax: 1 << 20), as: UTF8.self))
    } catch { return Response(.badRequest, contentType: "text/plain", Array("\(error)".utf8)) }
}

/// A place where a handler waits until the test says so.
final class Gate: Sendable {
    private let monitor = Monitor((isOpen: false, waiting: 0))

    func open() { monitor.update { $0.isOpen = true } }
    func pass() {
        monitor.update { $0.waiting += 1 }
        _ = monitor.wait { state -> Bool? in state.isOpen ? true : nil }
    }
    /// Waits until so many wait here.
    func waitForArrivals(_ count: Int) { _ = monitor.wait { state -> Bool? in state.waiting >= count ? true : nil } }
}
